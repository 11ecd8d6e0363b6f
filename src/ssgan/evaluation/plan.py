"""How much of two sides is measured, and by which numbers; with a sentence for all that is odd."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from ssgan.evaluation.evaluate import EvaluationSettings, StoredStatistics, metric_request
from ssgan.evaluation.image_sets import GeneratedImages, ImageSet
from ssgan.evaluation.metrics import METRICS, Parameters, unavailable_reason
from ssgan.metrics.features import AbstractFeatures
from ssgan.types import UserError

USUAL_COUNT = 10_000  # images a side, as in the paper's CIFAR-10 experiments


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest:
    """What was asked for; None is the usual, cut to what there is."""

    count: int | None = None  # images of the measured side
    real_count: int | None = None  # images of the real side
    seeds: int = 3  # repetitions with other samples, where a run makes them
    metrics: tuple[str, ...] | None = None  # None: all that are possible
    parameters: Parameters = Parameters()


class EvaluationPlan(NamedTuple):
    """What is measured, and what to say of it."""

    settings: EvaluationSettings
    remarks: list[str]


def plan_evaluation(
    thing: ImageSet,
    real: ImageSet | StoredStatistics,
    features: AbstractFeatures,
    wish: EvaluationRequest,
) -> EvaluationPlan:
    """Counts and metrics that are possible. UserError when more is wished for than there is."""
    usual = wish.count or USUAL_COUNT
    real_count = None
    if isinstance(real, ImageSet):
        real_count = resolve_count(real, wish.real_count, usual, "--real-n")
    elif wish.real_count is not None:
        raise UserError(
            f"--real-n {wish.real_count}: {real.name} holds statistics, and no single images"
        )
    settings = EvaluationSettings(
        count=resolve_count(thing, wish.count, usual, "--n"),
        real_count=real_count,
        seeds=tuple(range(wish.seeds)) if thing.redrawable else (0,),
        metrics=wish.metrics or METRICS,
        parameters=wish.parameters,
    )
    question, remarks = metric_request(real, features, settings), []
    if wish.metrics is None:
        hindered = {
            metric: why for metric in METRICS if (why := unavailable_reason(metric, question))
        }
        settings = replace(settings, metrics=tuple(m for m in METRICS if m not in hindered))
        if not settings.metrics:
            raise UserError(f"nothing can be measured: {hindered['fd']}")
        remarks += [f"metric {metric} left out: {why}" for metric, why in hindered.items()]
    few = question.smallest
    if few <= features.size and "fd" in settings.metrics:
        remarks.append(
            f"{few:,} images are not more than the {features.size:,} features: the "
            "distance is exact for these images, and far above that of many"
        )
    return EvaluationPlan(settings, remarks + _on_memorising(thing, real, settings))


def resolve_count(side: ImageSet, wished: int | None, usual: int, option: str) -> int:
    """As many as were asked for, which must be there; by default at most what is there."""
    if side.available is None:
        return wished or usual
    if wished is not None and wished > side.available:
        raise UserError(f"{option} {wished}: {side.name} has {side.available} images")
    return wished or min(usual, side.available)


def _on_memorising(
    thing: ImageSet, real: ImageSet | StoredStatistics, settings: EvaluationSettings
) -> list[str]:
    if not isinstance(real, ImageSet):
        return []
    if thing.content(0) == real.content(0):
        return ["both sides are the same images"]
    if not isinstance(thing, GeneratedImages) or "memorisation" not in settings.metrics:
        return []
    if thing.checkpoint.data_hash != real.content(0):
        source = thing.checkpoint.config.data.source.name()
        return [
            "these are not the images the run was trained on: to look for memorised ones, "
            f"measure against {source}"
        ]
    if settings.real_count != real.available:
        return [
            f"memorised images are looked for among {settings.real_count:,} of "
            f"{real.available:,} training images (--real-n {real.available} for all)"
        ]
    return []
