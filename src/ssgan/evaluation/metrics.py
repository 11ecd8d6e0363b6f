"""The metrics: which there are, when each is available, and its values from two sets' features."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ssgan.evaluation.features import FeatureSet
from ssgan.metrics.features import AbstractFeatures
from ssgan.metrics.frechet import frechet_distance, frechet_infinity, gaussian_distance
from ssgan.metrics.inception.features import InceptionFeatures, InceptionScore, inception_score
from ssgan.metrics.kernel import KernelDistance, kernel_distance
from ssgan.metrics.moments import Moments
from ssgan.metrics.nameable import CONFIDENCE, ObjectClassifier, measure_nameable
from ssgan.metrics.precision_recall import measure_authenticity, precision_recall
from ssgan.metrics.protocol import Statistics
from ssgan.types import UserError

METRICS = ("fd", "infinity", "kid", "is", "pr", "authenticity")  # computed unless others are named
NAMEABLE = "nameable"  # on request; of the images alone, by a classifier of `objects`
NO_OBJECTS = "it needs a run on objects, or objects, of 32 x 32 pixels in colour"
_OLD_METRICS = {"memorisation": "authenticity"}  # names of before, still accepted
_ROWS = {"infinity", "kid", "is", "pr", "authenticity"}  # these need the rows, not just moments
Parameters: TypeAlias = Mapping[str, int | bool | str]  # of a value: k, subsets


@dataclass(frozen=True, kw_only=True)
class MetricSettings:
    """What the values depend on beside the features."""

    kid_subsets: int = 100  # random subsets of each set
    kid_subset_size: int = 1000  # images in each
    neighbours: int = 5  # k of precision, recall, density and coverage
    splits: int = 10  # of the samples, for the Inception Score
    infinity_points: int = 15  # sizes on the line over 1 / N


@dataclass(frozen=True, kw_only=True)
class MetricValue:
    """One value of one sample seed."""

    name: str
    value: float
    std_within: float | None = None  # standard deviation over subsets or splits
    low: float | None = None  # 95 % interval
    high: float | None = None
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MetricRequest:
    """The sizes of both sets and what is known of them, before any feature is computed."""

    features: AbstractFeatures
    num_real: int | None  # None: statistics that do not say
    num_fake: int
    statistics: bool  # whether the reference is moments alone
    shows_objects: bool = False  # whether the images are like `objects`, 32 x 32 in colour
    settings: MetricSettings = MetricSettings()

    @property
    def smallest(self) -> int:
        """Images in the smaller set."""
        return self.num_fake if self.num_real is None else min(self.num_real, self.num_fake)


def first_names(metrics: tuple[str, ...]) -> tuple[str, ...]:
    """The metrics by the names of the first version, which name the folders of results."""
    first = {new: old for old, new in _OLD_METRICS.items()}
    return tuple(first.get(metric, metric) for metric in metrics)


def parse_metrics(text: str) -> tuple[str, ...]:
    """Metrics separated by commas, each once; UserError for an unknown one, naming all."""
    names = tuple(dict.fromkeys(_OLD_METRICS.get(name, name) for name in text.split(",")))
    unknown = [name for name in names if name not in (*METRICS, NAMEABLE)]
    if unknown:
        raise UserError(f"no metric {unknown[0]!r}; there are {','.join((*METRICS, NAMEABLE))}")
    return names


def unavailable_reason(metric: str, request: MetricRequest) -> str | None:
    """Why a metric cannot be computed here, in words; None when it can."""
    features, few, settings = request.features, request.smallest, request.settings
    if metric == "is":
        return _score_unavailable_reason(request)
    if metric == NAMEABLE:
        return None if request.shows_objects else NO_OBJECTS
    if request.statistics and metric not in ("fd", "infinity"):
        return "statistics hold no single images: only the Frechet distance can be measured"
    if few < 2:
        return f"a covariance needs at least 2 images in each set, not {few}"
    if metric == "infinity":
        needed = max(4 * features.size, 2 * features.size + settings.infinity_points)
        if request.statistics and request.num_real is None:
            return "these statistics do not say how many images they describe"
        if few < needed:
            return f"the line over 1 / N needs {needed:,} images in each set, not {few:,}"
    size = settings.kid_subset_size
    if metric == "kid" and few < size:
        return f"it takes subsets of {size:,} images and there are {few:,} (--kid-subset N)"
    if metric == "pr" and few <= settings.neighbours:
        return f"it needs more than {settings.neighbours} images in each set, not {few}"
    return None


def _score_unavailable_reason(request: MetricRequest) -> str | None:
    features, splits = request.features, request.settings.splits
    if not isinstance(features, InceptionFeatures):
        return f"{features.name} features classify nothing; it needs Inception"
    if not features.has_classifier:
        return "these Inception weights end before the classifier; --download or --weights has it"
    if request.num_fake < splits:
        return f"{splits} splits need as many images, not {request.num_fake}"
    return None


def needs_rows(metrics: tuple[str, ...], request: MetricRequest) -> bool:
    """Whether rows must be kept: for most metrics, and for the exact distance of few images."""
    rank_deficient = not request.statistics and request.smallest <= request.features.size
    return rank_deficient or any(metric in _ROWS for metric in metrics)


def compute_metric(
    metric: str, real: FeatureSet, fake: FeatureSet, request: MetricRequest
) -> list[MetricValue]:
    """The values of an available metric for the samples of one seed."""
    features, settings = request.features, request.settings
    if metric == "fd":
        return [_frechet(features, real, fake)]
    assert fake.rows is not None
    if metric == "is":
        assert isinstance(features, InceptionFeatures)
        logs = features.log_probabilities(fake.rows).cpu()
        score = inception_score(logs, splits=settings.splits)
        used: Parameters = {"splits": score.splits, "bias": False}
        return [_with_deviation("IS", score, used)]
    if metric == "infinity":
        return [_frechet_infinity(features, real, fake, settings.infinity_points)]
    assert real.rows is not None
    if metric == "kid":
        subsets, size = settings.kid_subsets, settings.kid_subset_size
        found = kernel_distance(real.rows, fake.rows, subsets=subsets, subset_size=size)
        name = "KID" if features.distance_name == "FID" else f"KD-{features.name}"
        used = {"subsets": found.subsets, "subset size": found.subset_size}
        return [_with_deviation(name, found, used)]
    if metric == "pr":
        four = precision_recall(real.rows, fake.rows, k=settings.neighbours)._asdict()
        k = four.pop("k")
        return [MetricValue(name=n, value=v, parameters={"k": k}) for n, v in four.items()]
    return compute_authenticity(real, fake)


def compute_nameable(classified: FeatureSet, classifier: ObjectClassifier) -> list[MetricValue]:
    """The share of images that show one of the ten kinds, and the number of kinds that occur."""
    assert classified.rows is not None
    found = measure_nameable(classified.rows)
    used: Parameters = {"confidence": str(CONFIDENCE), "classifier": classifier.identity[:12]}
    return [
        MetricValue(name=NAMEABLE, value=found.share, parameters=used),
        MetricValue(name="kinds", value=found.kinds, parameters=used),
    ]


def compute_frechet(
    features: AbstractFeatures,
    real: Moments | Statistics,
    fake: Moments | Statistics,
    parameters: Parameters | None = None,
) -> MetricValue:
    """The Frechet distance of two sets' moments, named after the features."""
    value = gaussian_distance(real.mean, real.covariance, fake.mean, fake.covariance)
    return MetricValue(name=features.distance_name, value=value, parameters=parameters or {})


def compute_authenticity(
    training: FeatureSet,
    samples: FeatureSet,
    suffix: str = "",
    parameters: Parameters | None = None,
) -> list[MetricValue]:
    """Authenticity and the share of duplicates; `suffix` ends the names of both."""
    assert training.rows is not None
    assert samples.rows is not None
    found = measure_authenticity(training.rows, samples.rows)
    values = {"authenticity": found.authenticity, "duplicates": found.duplicates}
    return [
        MetricValue(name=f"{name}{suffix}", value=value, parameters=parameters or {})
        for name, value in values.items()
    ]


def _frechet(features: AbstractFeatures, real: FeatureSet, fake: FeatureSet) -> MetricValue:
    """From moments; from rows, which is exact, where there are no more images than features."""
    if (
        real.rows is None
        or fake.rows is None
        or min(len(real.rows), len(fake.rows)) > real.rows.shape[1]
    ):
        return compute_frechet(features, real.moments, fake.moments)
    return MetricValue(name=features.distance_name, value=frechet_distance(real.rows, fake.rows))


def _frechet_infinity(
    features: AbstractFeatures, real: FeatureSet, fake: FeatureSet, points: int
) -> MetricValue:
    assert fake.rows is not None
    known = real.moments.moments() if isinstance(real.moments, Statistics) else real.rows
    assert known is not None
    smallest = 2 * fake.rows.shape[1]
    found = frechet_infinity(known, fake.rows.double(), smallest=smallest, points=points)
    return MetricValue(
        name=f"{features.distance_name}-infinity",
        value=found.value,
        low=found.low,
        high=found.high,
        parameters={"smallest": smallest, "sizes": points},
    )


def _with_deviation(
    name: str, found: KernelDistance | InceptionScore, parameters: Parameters
) -> MetricValue:
    return MetricValue(
        name=name, value=found.value, std_within=found.std_within, parameters=parameters
    )
