"""Which numbers there are, when each is possible, and how each is made of two sides' features."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ssgan.evaluation.features import FeatureSet
from ssgan.metrics.authenticity import measure_authenticity
from ssgan.metrics.features import AbstractFeatures
from ssgan.metrics.frechet import (
    frechet_distance,
    frechet_from_moments,
    frechet_infinity,
    gaussian_distance,
)
from ssgan.metrics.inception.features import InceptionFeatures
from ssgan.metrics.inception_score import inception_score
from ssgan.metrics.kernel import kernel_distance
from ssgan.metrics.precision_recall import precision_recall
from ssgan.metrics.protocol import Statistics
from ssgan.types import UserError

METRICS = ("fd", "infinity", "kid", "is", "pr", "memorisation")
_ROWS = {"infinity", "kid", "is", "pr", "memorisation"}  # these need the rows, not just moments


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What the numbers depend on beside the features."""

    kid_subsets: int = 100  # random subsets of each side
    kid_subset_size: int = 1000  # images in each
    neighbours: int = 5  # k of precision, recall, density and coverage
    splits: int = 10  # of the samples, for the Inception Score
    infinity_points: int = 15  # sizes on the line over 1 / N


@dataclass(frozen=True, kw_only=True)
class MetricValue:
    """One value of one sample seed."""

    name: str
    value: float
    within: float | None = None  # spread over subsets or splits
    low: float | None = None  # 95 % interval
    high: float | None = None
    parameters: Mapping[str, int | bool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MetricRequest:
    """Two sides' sizes and what is known of them, before any feature is made."""

    features: AbstractFeatures
    num_real: int | None  # None: statistics that do not say
    num_fake: int
    statistics: bool  # whether the real side is moments alone
    parameters: Parameters = Parameters()

    @property
    def smallest(self) -> int:
        """Images on the shorter side."""
        return self.num_fake if self.num_real is None else min(self.num_real, self.num_fake)


def unavailable_reason(metric: str, question: MetricRequest) -> str | None:
    """Why a metric is not possible here, in words; None when it is."""
    features, few = question.features, question.smallest
    if metric == "is":
        return _no_score(question)
    if question.statistics and metric not in ("fd", "infinity"):
        return "statistics hold no single images: only the Frechet distance can be measured"
    if few < 2:
        return f"a covariance needs at least 2 images a side, not {few}"
    if metric == "infinity":
        needed = max(4 * features.size, 2 * features.size + question.parameters.infinity_points)
        if question.statistics and question.num_real is None:
            return "these statistics do not say how many images they are of"
        if few < needed:
            return f"the line over 1 / N needs {needed:,} images a side, not {few:,}"
    size = question.parameters.kid_subset_size
    if metric == "kid" and few < size:
        return f"it takes subsets of {size:,} images and there are {few:,} (--kid-subset N)"
    if metric == "pr" and few <= question.parameters.neighbours:
        return f"it needs more than {question.parameters.neighbours} images a side, not {few}"
    return None


def _no_score(question: MetricRequest) -> str | None:
    features, splits = question.features, question.parameters.splits
    if not isinstance(features, InceptionFeatures):
        return f"{features.name} features classify nothing; it needs Inception"
    if not features.has_classifier:
        return "these Inception weights end before the classifier; --download or --weights has it"
    if question.num_fake < splits:
        return f"{splits} splits need as many images, not {question.num_fake}"
    return None


def needs_rows(metrics: tuple[str, ...], question: MetricRequest) -> bool:
    """Whether rows must be kept: for most metrics, and for the exact distance of few images."""
    rank_deficient = not question.statistics and question.smallest <= question.features.size
    return rank_deficient or any(metric in _ROWS for metric in metrics)


def compute_metric(
    metric: str, real: FeatureSet | Statistics, fake: FeatureSet, question: MetricRequest
) -> list[MetricValue]:
    """The numbers of one metric for one seed's samples; the metric has no obstacle."""
    features, parameters = question.features, question.parameters
    distance = features.distance_name
    if metric == "fd":
        return [MetricValue(name=distance, value=_frechet(real, fake))]
    assert fake.rows is not None
    if metric == "is":
        return [_score(features, fake, parameters)]
    if metric == "infinity":
        return [_infinity(distance, real, fake, parameters)]
    assert isinstance(real, FeatureSet)
    assert real.rows is not None
    if metric == "kid":
        found = kernel_distance(
            real.rows,
            fake.rows,
            subsets=parameters.kid_subsets,
            subset_size=parameters.kid_subset_size,
        )
        name = "KID" if distance == "FID" else f"KD-{features.name}"
        used: dict[str, int | bool] = {"subsets": found.subsets, "subset size": found.subset_size}
        return [MetricValue(name=name, value=found.value, within=found.spread, parameters=used)]
    if metric == "pr":
        four = precision_recall(real.rows, fake.rows, k=parameters.neighbours)._asdict()
        k = four.pop("k")
        return [MetricValue(name=n, value=v, parameters={"k": k}) for n, v in four.items()]
    return compute_authenticity(real, fake, "")


def compute_authenticity(
    training: FeatureSet, samples: FeatureSet, suffix: str
) -> list[MetricValue]:
    """The shares of samples that are too close to a training image, and that are copies of one.

    See `metrics.memorisation`; `suffix` ends the names of both numbers.
    """
    assert training.rows is not None
    assert samples.rows is not None
    found = measure_authenticity(training.rows, samples.rows)
    return [
        MetricValue(name=f"too close{suffix}", value=found.too_close),
        MetricValue(name=f"copies{suffix}", value=found.copies),
    ]


def _frechet(real: FeatureSet | Statistics, fake: FeatureSet) -> float:
    if isinstance(real, Statistics):
        moments = fake.moments
        return gaussian_distance(real.mean, real.covariance, moments.mean, moments.covariance)
    if real.rows is not None and fake.rows is not None:
        few = min(len(real.rows), len(fake.rows)) <= real.rows.shape[1]
        if few:
            return frechet_distance(real.rows, fake.rows)
    return frechet_from_moments(real.moments, fake.moments)


def _infinity(
    distance: str, real: FeatureSet | Statistics, fake: FeatureSet, parameters: Parameters
) -> MetricValue:
    assert fake.rows is not None
    if isinstance(real, FeatureSet):
        assert real.rows is not None
    known = real.moments() if isinstance(real, Statistics) else real.rows
    assert known is not None
    smallest, points = 2 * fake.rows.shape[1], parameters.infinity_points
    found = frechet_infinity(known, fake.rows.double(), smallest=smallest, points=points)
    return MetricValue(
        name=f"{distance}-infinity",
        value=found.value,
        low=found.low,
        high=found.high,
        parameters={"smallest": smallest, "sizes": points},
    )


def _score(features: AbstractFeatures, fake: FeatureSet, parameters: Parameters) -> MetricValue:
    if not isinstance(features, InceptionFeatures) or fake.rows is None:
        raise UserError("an Inception Score needs Inception and the samples' features")
    logs = features.classified(fake.rows).cpu()
    found = inception_score(logs, splits=parameters.splits)
    return MetricValue(
        name="IS",
        value=found.value,
        within=found.spread,
        parameters={"splits": found.splits, "bias": False},
    )
