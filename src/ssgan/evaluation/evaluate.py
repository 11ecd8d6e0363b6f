"""Measuring one side against another: features of both, then every number, over sample seeds."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias

from jaxtyping import UInt8
from torch import Tensor

from ssgan.evaluation.features import FeatureExtraction, FeatureSet, Progress, set_protocol
from ssgan.evaluation.image_sets import GeneratedImages, ImageSet
from ssgan.evaluation.metrics import (
    METRICS,
    MetricRequest,
    MetricValue,
    Parameters,
    compute_authenticity,
    compute_metric,
    needs_rows,
    unavailable_reason,
)
from ssgan.evaluation.nearest_images import nearest_images_grid
from ssgan.evaluation.results import Result
from ssgan.metrics.features import AbstractFeatures
from ssgan.metrics.protocol import Protocol, Statistics, same_protocol
from ssgan.types import UserError

Bar: TypeAlias = Callable[[str, str], AbstractContextManager[Progress]]  # (what, unit)


@contextmanager
def no_bar(what: str, unit: str) -> Iterator[Progress]:
    """Progress that nobody sees."""
    yield lambda done, total: None


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How much is measured, and what."""

    count: int  # images of the measured side, for each seed
    real_count: int | None  # images of the real side; None: statistics, which have their own
    seeds: tuple[int, ...] = (0, 1, 2)  # of the samples: one repetition each
    metrics: tuple[str, ...] = METRICS
    parameters: Parameters = Parameters()


@dataclass(frozen=True)
class Evaluation:
    """The numbers, and rows of a sample beside its nearest real images."""

    results: list[Result]
    neighbours: UInt8[Tensor, "N K C S S"] | None  # None when memorisation was not asked for


@dataclass(frozen=True)
class StoredStatistics:
    """Statistics of real images, in place of the images."""

    name: str
    statistics: Statistics


def metric_request(
    real: ImageSet | StoredStatistics, features: AbstractFeatures, s: EvaluationSettings
) -> MetricRequest:
    """The sizes of both sides, for `numbers.obstacle`."""
    stored = real.statistics if isinstance(real, StoredStatistics) else None
    return MetricRequest(
        features=features,
        num_real=stored.count if stored else s.real_count,
        num_fake=s.count,
        statistics=stored is not None,
        parameters=s.parameters,
    )


def evaluate(
    thing: ImageSet,
    real: ImageSet | StoredStatistics,
    gatherer: FeatureExtraction,
    settings: EvaluationSettings,
    *,
    held_out: ImageSet | None = None,
    bar: Bar = no_bar,
) -> Evaluation:
    """Measure `thing` against `real`; an interrupted call continues when it is made again.

    `held_out` are real images that the run was not trained on, for the metric memorisation: as
    many of them as there are samples (or all) show the share too close to expect by chance. Raises
    UserError when a metric is not possible, and for held-out images without that metric.
    """
    if held_out is not None:
        check_held_out(settings.metrics)
    question = metric_request(real, gatherer.features, settings)
    for metric in settings.metrics:
        if why := unavailable_reason(metric, question):
            raise UserError(f"{metric} cannot be measured: {why}")
    protocol = evaluation_protocol(thing, real, gatherer.features, settings)
    keep = needs_rows(settings.metrics, question)
    known = _real_side(real, gatherer, settings, keep, bar)
    columns: list[list[MetricValue]] = []
    picture = None
    for seed in settings.seeds:
        with bar(
            f"samples of seed {seed}" if thing.redrawable else "measured images", "images"
        ) as p:
            fake = gatherer.gather(thing, settings.count, seed=seed, keep=keep, progress=p)
        with bar("numbers", "numbers") as progress:
            columns.append(_numbers(known, fake, settings.metrics, question, progress))
        if picture is None and "memorisation" in settings.metrics:
            assert isinstance(real, ImageSet)
            assert isinstance(known, FeatureSet)
            picture = nearest_images_grid(thing, fake, real, known, seed)
    results = _combined(columns, thing, real, protocol)
    if held_out is not None:
        assert isinstance(known, FeatureSet)
        results += _level(held_out, thing, real, known, gatherer, settings, protocol, bar)
    return Evaluation(results, picture)


def check_held_out(metrics: tuple[str, ...]) -> None:
    """Raise UserError unless held-out images have a use: memorisation is among the metrics."""
    if "memorisation" not in metrics:
        raise UserError(
            "held-out images serve the metric memorisation alone, and it is not measured here: "
            "measure it too, or leave --held-out out"
        )


def evaluation_protocol(
    thing: ImageSet,
    real: ImageSet | StoredStatistics,
    features: AbstractFeatures,
    settings: EvaluationSettings,
) -> Protocol:
    """What the numbers will depend on; UserError for statistics of other features."""
    seeds = settings.seeds if thing.redrawable else ()
    if isinstance(real, StoredStatistics):
        alone = _known_protocol(real, features)
    else:
        assert settings.real_count is not None
        alone = set_protocol(features, real, settings.real_count)
    return replace(alone, num_fake=settings.count, seeds=seeds, batch_norm=thing.batch_norm)


def _known_protocol(real: StoredStatistics, features: AbstractFeatures) -> Protocol:
    stored, identity = real.statistics, features.identity()
    if (known := stored.protocol) is None:
        if len(stored.mean) != features.size:
            raise UserError(
                f"{real.name} holds statistics of {len(stored.mean)} features and {features.name} "
                f"has {features.size}; they are of another network"
            )
        return Protocol(
            features=features.name,
            features_identity=identity,
            resize=features.resize,
            num_real=stored.count,
            num_fake=None,
            split="unknown",
        )
    here = replace(known, features=features.name, features_identity=identity)
    try:
        same_protocol(known, replace(here, resize=features.resize))
    except UserError as error:
        raise UserError(f"{real.name} and {features.name} features: {error}") from None
    return known


def _real_side(
    real: ImageSet | StoredStatistics,
    gatherer: FeatureExtraction,
    settings: EvaluationSettings,
    keep: bool,
    bar: Bar,
) -> FeatureSet | Statistics:
    if isinstance(real, StoredStatistics):
        return real.statistics
    assert settings.real_count is not None
    with bar("real images", "images") as progress:
        return gatherer.gather(
            real, settings.real_count, keep=keep, remember=True, progress=progress
        )


def _numbers(
    real: FeatureSet | Statistics,
    fake: FeatureSet,
    metrics: tuple[str, ...],
    question: MetricRequest,
    progress: Progress,
) -> list[MetricValue]:
    found: list[MetricValue] = []
    for done, metric in enumerate(metrics):
        progress(done, len(metrics))
        found += compute_metric(metric, real, fake, question)
    progress(len(metrics), len(metrics))
    return found


def _combined(
    columns: list[list[MetricValue]],
    thing: ImageSet,
    real: ImageSet | StoredStatistics,
    protocol: Protocol,
) -> list[Result]:
    """One result a number, from its values of every seed; intervals and spreads are averaged."""

    def mean(values: list[float | None]) -> float | None:
        present = [value for value in values if value is not None]
        return sum(present) / len(present) if present else None

    identity = thing.identity if isinstance(thing, GeneratedImages) else thing.content(0)
    return [
        Result(
            name=same[0].name,
            subject=thing.name,
            subject_content=identity,
            against=real.name,
            values=tuple(number.value for number in same),
            within=mean([number.within for number in same]),
            low=mean([number.low for number in same]),
            high=mean([number.high for number in same]),
            parameters=dict(same[0].parameters),
            protocol=protocol,
        )
        for same in zip(*columns, strict=True)
    ]


def _level(
    held_out: ImageSet,
    thing: ImageSet,
    real: ImageSet | StoredStatistics,
    known: FeatureSet,
    gatherer: FeatureExtraction,
    settings: EvaluationSettings,
    protocol: Protocol,
    bar: Bar,
) -> list[Result]:
    count = min(settings.count, held_out.available or settings.count)
    with bar("held-out images", "images") as progress:
        rows = gatherer.gather(held_out, count, progress=progress)
    numbers = compute_authenticity(known, rows, " (held out)")
    numbers = [replace(number, parameters={"held out": count}) for number in numbers]
    return _combined([numbers], thing, real, protocol)
