"""Evaluate one set of images against another: features of both, then every metric, per seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import UInt8
from torch import Tensor

from ssgan.data.base import AbstractSource, Progress
from ssgan.data.scenes.source import Objects
from ssgan.evaluation.features import (
    FeatureExtraction,
    FeatureSet,
    build_set_protocol,
    describe_alpha,
)
from ssgan.evaluation.image_sets import (
    GeneratedImages,
    ImageSet,
    RealImages,
    StoredStatistics,
)
from ssgan.evaluation.metrics import (
    METRICS,
    NAMEABLE,
    NO_OBJECTS,
    MetricRequest,
    MetricSettings,
    MetricValue,
    compute_authenticity,
    compute_metric,
    compute_nameable,
    needs_rows,
    unavailable_reason,
)
from ssgan.evaluation.results import Result
from ssgan.metrics.features import AbstractFeatures
from ssgan.metrics.knn import find_nearest
from ssgan.metrics.nameable import SIDE, ObjectClassifier
from ssgan.metrics.protocol import Protocol, same_protocol
from ssgan.ops.collective import rank
from ssgan.types import ImageShape, UserError

_CLASSIFIED = ImageShape(channels=3, size=SIDE)  # what the classifier reads
_SAMPLES, _NEIGHBOURS = 10, 5  # of the sheet of nearest images


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How many images are evaluated, and with which metrics."""

    count: int  # images of the evaluated set, for each seed
    real_count: int | None  # images of the reference; None: statistics, which have their own
    seeds: tuple[int, ...] = (0, 1, 2)  # of the samples: one repetition each
    metrics: tuple[str, ...] = METRICS
    metric_settings: MetricSettings = MetricSettings()


def check_held_out(held_out: bool, metrics: Sequence[str]) -> None:
    """Raise UserError for held-out images without a use: authenticity is not computed."""
    if held_out and "authenticity" not in metrics:
        raise UserError(
            "held-out images serve the metric authenticity alone, which is not computed here: add "
            "it to --metrics, or leave --held-out out"
        )


@dataclass(frozen=True)
class Evaluation:
    """The results, and rows of a sample beside its nearest real images."""

    results: list[Result]
    nearest: UInt8[Tensor, "N K C S S"] | None  # None without the metric authenticity


def evaluate(
    images: ImageSet,
    reference: ImageSet | StoredStatistics,
    extraction: FeatureExtraction,
    settings: EvaluationSettings,
    held_out: ImageSet | None = None,
) -> Evaluation:
    """Evaluate `images` against `reference`; the same call continues an interrupted one.

    `held_out` are real images that the run was not trained on: as many of them as there are
    samples (or all) give the level of authenticity to expect by chance. Raises UserError when a
    metric is not available, and for held-out images without the metric authenticity. Of several
    ranks all compute features, and rank 0 alone has results.
    """
    check_held_out(held_out is not None, settings.metrics)
    request = build_metric_request(images, reference, extraction.features, settings)
    _refuse_unavailable(settings.metrics, request)
    protocol = _build_protocol(images, reference, extraction.features, settings)
    keep = needs_rows(settings.metrics, request)
    real = _compute_reference(reference, extraction, settings, keep)
    values: list[list[MetricValue]] = []
    nearest = None
    for seed in settings.seeds:
        what = f"samples of seed {seed}" if images.redrawable else "evaluated images"
        fake = extraction.compute(images, settings.count, seed=seed, keep_rows=keep, what=what)
        kinds = None
        if NAMEABLE in settings.metrics:
            own = replace(extraction, features=ObjectClassifier.load(), device="cpu")
            kinds = own.compute(images, settings.count, seed=seed, what="images by kind")
        if rank() > 0:  # rank 0 has all features, and computes the metrics
            continue
        with extraction.progress_bar("metrics", "metrics") as progress:
            values.append(_compute_metrics(real, fake, settings.metrics, request, progress))
        if kinds is not None:
            values[-1] += compute_nameable(kinds, ObjectClassifier.load())
        if nearest is None and "authenticity" in settings.metrics:
            assert isinstance(reference, ImageSet)
            nearest = _nearest_images(images, fake, reference, real, seed)
    rows = None
    if held_out is not None:
        count = min(settings.count, held_out.available or settings.count)
        rows = extraction.compute(held_out, count, what="held-out images")
    if rank() > 0:
        return Evaluation([], None)
    results = _combine_seeds(values, images, reference, protocol)
    if rows is not None:
        level = compute_authenticity(real, rows, " (held out)", {"held out": count})
        results += _combine_seeds([level], images, reference, protocol)
    return Evaluation(results, nearest)


def _refuse_unavailable(metrics: Sequence[str], request: MetricRequest) -> None:
    for metric in metrics:
        if why := unavailable_reason(metric, request):
            raise UserError(f"{metric} is not available: {why}")


def _compute_reference(
    reference: ImageSet | StoredStatistics,
    extraction: FeatureExtraction,
    settings: EvaluationSettings,
    keep: bool,
) -> FeatureSet:
    if isinstance(reference, StoredStatistics):
        return FeatureSet(reference.statistics)
    assert settings.real_count is not None
    count, what = settings.real_count, "real images"
    return extraction.compute(reference, count, keep_rows=keep, store_moments=True, what=what)


def build_metric_request(
    images: ImageSet,
    reference: ImageSet | StoredStatistics,
    features: AbstractFeatures,
    settings: EvaluationSettings,
) -> MetricRequest:
    """The sizes of both sets, for `unavailable_reason`."""
    stored = reference.statistics if isinstance(reference, StoredStatistics) else None
    return MetricRequest(
        features=features,
        num_real=stored.count if stored else settings.real_count,
        num_fake=settings.count,
        statistics=stored is not None,
        shows_objects=_shows_objects(images),
        settings=settings.metric_settings,
    )


def require_objects(source: AbstractSource, shape: ImageShape) -> None:
    """Raise UserError unless images of this source and shape suit the metric NAMEABLE."""
    if not (isinstance(source, Objects) and shape == _CLASSIFIED):
        raise UserError(f"{NAMEABLE} is not available: {NO_OBJECTS}")


def _shows_objects(images: ImageSet) -> bool:
    """Whether these are `objects`, or samples of a run on them, as the classifier reads them."""
    if isinstance(images, GeneratedImages):
        ours = isinstance(images.checkpoint.config.data.source, Objects)
    else:
        ours = isinstance(images, RealImages) and images.name.split(":")[0] == Objects.kind
    return ours and images.shape == _CLASSIFIED


def _build_protocol(
    images: ImageSet,
    reference: ImageSet | StoredStatistics,
    features: AbstractFeatures,
    settings: EvaluationSettings,
) -> Protocol:
    seeds = settings.seeds if images.redrawable else ()
    if isinstance(reference, StoredStatistics):
        alone = _statistics_protocol(reference, features)
    else:
        assert settings.real_count is not None
        alone = build_set_protocol(features, reference, settings.real_count)
    return replace(
        alone,
        num_fake=settings.count,
        seeds=seeds,
        batch_norm=images.batch_norm,
        alpha=describe_alpha(features, images),
    )


def _statistics_protocol(reference: StoredStatistics, features: AbstractFeatures) -> Protocol:
    stored, identity = reference.statistics, features.identity
    if (known := stored.protocol) is None:
        if len(stored.mean) != features.size:
            raise UserError(
                f"{reference.name} holds statistics of {len(stored.mean)} features and "
                f"{features.name} has {features.size}; another network computed them"
            )
        return Protocol(
            features=features.name,
            features_identity=identity,
            resize=features.resize,
            num_real=stored.count,
            num_fake=None,
            split="unknown",
            selection="unknown",
            dtype=features.dtype,
            assumed=("features", "features_identity", "resize", "dtype"),
        )
    here = replace(
        known,
        features=features.name,
        features_identity=identity,
        resize=features.resize,
        dtype=features.dtype,
    )
    try:
        same_protocol(known, here)
    except UserError as error:
        raise UserError(f"{reference.name} and {features.name} features: {error}") from None
    return known


def _compute_metrics(
    real: FeatureSet,
    fake: FeatureSet,
    metrics: tuple[str, ...],
    request: MetricRequest,
    progress: Progress,
) -> list[MetricValue]:
    values: list[MetricValue] = []
    for done, metric in enumerate(metrics):
        progress(done, len(metrics))
        values += [] if metric == NAMEABLE else compute_metric(metric, real, fake, request)
    progress(len(metrics), len(metrics))
    return values


def _nearest_images(
    images: ImageSet, fake: FeatureSet, reference: ImageSet, real: FeatureSet, seed: int
) -> UInt8[Tensor, "N K C S S"]:
    """Row by row: one of the first samples, then its nearest real images, the nearest first."""
    assert fake.rows is not None
    assert real.rows is not None
    samples, count = min(_SAMPLES, len(fake.rows)), min(_NEIGHBOURS, len(real.rows))
    nearest = find_nearest(fake.rows[:samples], real.rows, count)
    generated = images.images(seed, torch.arange(samples))[:, None]
    reals = reference.images(0, nearest.flatten())
    return torch.cat([generated, reals.reshape(samples, count, *reals.shape[1:])], dim=1)


def _combine_seeds(
    values: list[list[MetricValue]],
    images: ImageSet,
    reference: ImageSet | StoredStatistics,
    protocol: Protocol,
) -> list[Result]:
    """One result a metric from its values of every seed; intervals and deviations are averaged."""

    def mean(numbers: list[float | None]) -> float | None:
        present = [number for number in numbers if number is not None]
        return sum(present) / len(present) if present else None

    identity = images.identity if isinstance(images, GeneratedImages) else images.content(0)
    return [
        Result(
            name=same[0].name,
            subject=images.name,
            subject_content=identity,
            against=reference.name,
            values=tuple(one.value for one in same),
            std_within=mean([one.std_within for one in same]),
            low=mean([one.low for one in same]),
            high=mean([one.high for one in same]),
            parameters=dict(same[0].parameters),
            protocol=protocol,
        )
        for same in zip(*values, strict=True)
    ]
