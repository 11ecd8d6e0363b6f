import statistics

import numpy as np
import pytest
import torch

from ssgan.evaluation.evaluate import EvaluationSettings, evaluate
from ssgan.evaluation.features import FeatureExtraction, build_set_protocol
from ssgan.evaluation.image_sets import GeneratedImages, RealImages, StoredStatistics
from ssgan.evaluation.metrics import MetricSettings
from ssgan.evaluation.run import EvaluationRequest, plan_evaluation
from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.frechet import frechet_distance
from ssgan.metrics.inception.features import InceptionFeatures, inception_score
from ssgan.metrics.kernel import kernel_distance
from ssgan.metrics.knn import find_nearest
from ssgan.metrics.precision_recall import measure_authenticity, precision_recall
from ssgan.metrics.protocol import read_statistics, write_statistics
from ssgan.runs.checkpoint import find_state
from ssgan.types import UserError
from tests.evaluation.saved import real_images, save_run
from tests.metrics.pictures import blurred
from tests.metrics.test_inception_features import small_raw

FEATURES = RandomFeatures()
REAL = RealImages(real_images(40))
SETTINGS = EvaluationSettings(
    count=30,
    real_count=40,
    metrics=("fd", "kid", "pr", "authenticity"),
    metric_settings=MetricSettings(kid_subsets=5, kid_subset_size=20),
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = save_run(tmp_path_factory.mktemp("run") / "run")
    return GeneratedImages("run", find_state(root).checkpoint, torch.device("cpu"))


@pytest.fixture(scope="module")
def measured(run, cache):
    found = evaluate(run, REAL, FeatureExtraction(features=FEATURES, cache=cache), SETTINGS)
    return {result.name: result for result in found.results}, found.nearest


def rows_of(side, count, seed=0):
    return FEATURES(side.images(seed, torch.arange(count)))


def test_every_number_is_that_of_the_library_on_the_features(run, measured):
    real, results = rows_of(REAL, 40), measured[0]
    for place, seed in enumerate((0, 1, 2)):
        fake = rows_of(run, 30, seed)
        kid = kernel_distance(real, fake, subsets=5, subset_size=20).value
        four = precision_recall(real, fake)._asdict()
        close = measure_authenticity(real, fake)
        expected = {
            **{name: four[name] for name in ("precision", "recall", "density", "coverage")},
            "FD-random": frechet_distance(real, fake),
            "KD-random": kid,
            "authenticity": close.authenticity,
            "duplicates": close.duplicates,
        }
        assert {n: r.values[place] for n, r in results.items()} == pytest.approx(expected, rel=1e-5)


def test_value_and_spread_are_over_the_sample_seeds(measured):
    distance = measured[0]["FD-random"]
    assert len(set(distance.values)) == 3
    assert distance.value == pytest.approx(sum(distance.values) / 3)
    assert distance.spread == pytest.approx(np.std(distance.values, ddof=1))


def test_every_number_carries_its_whole_protocol(run, measured):
    for result in measured[0].values():
        protocol = result.protocol
        assert (protocol.features, protocol.features_identity) == ("random", FEATURES.identity)
        assert (protocol.num_real, protocol.num_fake) == (40, 30)
        assert (protocol.split, protocol.selection, protocol.seeds) == ("all", "all", (0, 1, 2))
        assert (protocol.content, protocol.resize) == ("01" * 32, "antialias-bilinear-32")
        assert (result.subject, result.subject_content) == ("run", run.identity)
    assert measured[0]["KD-random"].parameters == {"subsets": 5, "subset size": 20}
    assert measured[0]["recall"].parameters == {"k": 5}


def test_the_picture_shows_samples_beside_their_nearest_reals(run, measured):
    rows = measured[1]
    assert rows.shape == (10, 6, 3, 32, 32)
    assert torch.equal(rows[:, 0], run.images(0, torch.arange(10)))
    real, fake = rows_of(REAL, 40).double(), rows_of(run, 10).double()
    order = (fake[:, None] - real).square().sum(2).argsort(dim=1)[:, :5]
    assert torch.equal(find_nearest(fake, real, 5), order)
    assert torch.equal(rows[3, 1:], REAL.images(0, order[3]))


def test_copied_images_are_found_and_held_out_ones_give_the_level(cache):
    settings = EvaluationSettings(count=40, real_count=40, seeds=(0,), metrics=("authenticity",))
    extraction, other = (
        FeatureExtraction(features=FEATURES, cache=cache),
        RealImages(real_images(25, seed=9)),
    )
    found = evaluate(RealImages(real_images(40)), REAL, extraction, settings, held_out=other)
    results = {result.name: result for result in found.results}
    assert (results["duplicates"].value, results["authenticity"].value) == (1, 0)
    expected = measure_authenticity(rows_of(REAL, 40), rows_of(other, 25)).authenticity
    assert results["authenticity (held out)"].value == pytest.approx(expected)
    assert results["duplicates (held out)"].value == 0


def test_held_out_images_are_for_authenticity_alone(run, cache):
    extraction, other = (
        FeatureExtraction(features=FEATURES, cache=cache),
        RealImages(real_images(25, seed=9)),
    )
    settings = EvaluationSettings(count=30, real_count=40, metrics=("fd",))
    with pytest.raises(UserError, match="held-out images serve the metric authenticity alone"):
        evaluate(run, REAL, extraction, settings, held_out=other)


def test_stored_statistics_give_the_distance_of_the_images(run, cache, tmp_path):
    extraction, ours, theirs = (
        FeatureExtraction(features=FEATURES, cache=cache),
        "ours.npz",
        "theirs.npz",
    )
    known = extraction.compute(REAL, 40)
    write_statistics(tmp_path / ours, known.moments, build_set_protocol(FEATURES, REAL, 40))
    with np.load(tmp_path / ours) as file:
        np.savez(tmp_path / theirs, mu=file["mu"], sigma=file["sigma"])  # as pytorch-fid writes
    settings = EvaluationSettings(count=30, real_count=None, metrics=("fd",))
    expected = [frechet_distance(rows_of(REAL, 40), rows_of(run, 30, seed)) for seed in range(3)]
    for name, count, split in ((ours, 40, "all"), (theirs, None, "unknown")):
        reference = StoredStatistics(name, read_statistics(tmp_path / name))
        (found,) = evaluate(run, reference, extraction, settings).results
        assert found.values == pytest.approx(expected, rel=1e-5)
        assert (found.protocol.num_real, found.protocol.split) == (count, split)
        known = name == ours
        assert found.protocol.selection == ("all" if known else "unknown")
        assert ("resize" in found.protocol.assumed) is not known


def test_statistics_of_other_features_are_refused_with_both_values(run, cache, tmp_path):
    class Others(RandomFeatures):
        name, resize = "others", "none"

    class Fewer(RandomFeatures):
        size = 100

    extraction = FeatureExtraction(features=FEATURES, cache=cache)
    known = extraction.compute(REAL, 40)
    write_statistics(tmp_path / "r.npz", known.moments, build_set_protocol(FEATURES, REAL, 40))
    reference = StoredStatistics("r.npz", read_statistics(tmp_path / "r.npz"))
    settings = EvaluationSettings(count=30, real_count=None, metrics=("fd",))
    with pytest.raises(UserError, match=r"features 'random' against 'others'; resize 'antialias"):
        evaluate(run, reference, FeatureExtraction(features=Others(), cache=cache), settings)
    foreign = StoredStatistics("r.npz", reference.statistics.__class__(known.moments.mean,
                        known.moments.covariance, None, None))  # fmt: skip
    with pytest.raises(UserError, match="statistics of 256 features and random has 100"):
        evaluate(run, foreign, FeatureExtraction(features=Fewer(), cache=cache), settings)


def test_fd_infinity_has_an_interval_around_it(cache):
    class Few(RandomFeatures):
        """The first 4 random features, so that few images are enough."""

        size = 4

        def __call__(self, images):
            return super().__call__(images)[:, :4].contiguous()

        def identity(self):
            return "ef" * 32

    thing, real = RealImages(real_images(64, seed=3)), RealImages(real_images(64, seed=4))
    settings = EvaluationSettings(count=64, real_count=64, seeds=(0,), metrics=("fd", "infinity"))
    found = evaluate(thing, real, FeatureExtraction(features=Few(), cache=cache), settings)
    distance, infinity = found.results
    assert infinity.name == "FD-random-infinity"
    assert infinity.low <= infinity.value <= infinity.high
    assert infinity.value < distance.value
    assert infinity.parameters == {"smallest": 8, "sizes": 15}


def test_the_inception_score_is_that_of_the_classified_samples(cache):
    weight = torch.randn(7, 12, generator=torch.Generator().manual_seed(0)) / 1e6
    features = InceptionFeatures(small_raw(), (weight, torch.arange(7.0)))
    thing = RealImages(real_images(10, seed=3))
    features.size = 12  # of the small network
    settings = EvaluationSettings(count=10, real_count=10, seeds=(0,), metrics=("fd", "is"))
    real = RealImages(real_images(10, seed=4))
    distance, score = evaluate(
        thing, real, FeatureExtraction(features=features, cache=cache), settings
    ).results
    assert (distance.name, score.name) == ("FID", "IS")
    logs = features.log_probabilities(features(thing.images(0, torch.arange(10))))
    assert score.value == pytest.approx(inception_score(logs).value, rel=1e-6)
    assert score.parameters == {"splits": 10, "bias": False}


def requested(**fields):
    return EvaluationRequest(against="real", **fields)


TOO_FEW = [
    ("kid", 30, 40, "subsets of 1,000 images and there are 30"),
    ("fd", 1, 40, "at least 2 images in each set, not 1"),
    ("pr", 5, 40, "more than 5 images in each set, not 5"),
    ("infinity", 30, 40, "1,024 images in each set, not 30"),
    ("is", 30, 40, "random features classify nothing"),
]


@pytest.mark.parametrize(("metric", "count", "real_count", "words"), TOO_FEW)
def test_too_few_images_are_one_line_before_any_feature(
    run, tmp_path, metric, count, real_count, words
):
    request = {"count": count, "real_count": real_count, "metrics": (metric,)}
    settings, _ = plan_evaluation(run, REAL, FEATURES, requested(**request))
    with pytest.raises(UserError, match=words):
        evaluate(run, REAL, FeatureExtraction(features=FEATURES, cache=tmp_path), settings)
    assert not list(tmp_path.iterdir())


def test_by_default_what_is_not_possible_is_left_out_and_said(run):
    settings, remarks = plan_evaluation(run, REAL, FEATURES, requested(count=30))
    assert settings.metrics == ("fd", "pr", "authenticity")
    assert (settings.count, settings.real_count, settings.seeds) == (30, 30, (0, 1, 2))
    assert [remark.split(":")[0] for remark in remarks[:3]] == [
        "metric 'infinity' is left out", "metric 'kid' is left out", "metric 'is' is left out",
    ]  # fmt: skip
    assert any("not more than the 256 features" in remark for remark in remarks)
    assert any("not the images the run was trained on" in remark for remark in remarks)


def test_images_are_measured_once_and_never_more_than_there_are():
    thing = RealImages(real_images(25, seed=5))
    settings, _ = plan_evaluation(thing, REAL, FEATURES, requested())
    assert (settings.count, settings.real_count, settings.seeds) == (25, 40, (0,))
    for request, words in (
        ({"count": 26}, "--n 26: pictures 5 has 25"),
        ({"real_count": 41}, "--real-n 41: pictures 1 has 40"),
    ):
        with pytest.raises(UserError, match=words):
            plan_evaluation(thing, REAL, FEATURES, requested(**request))
    _, remarks = plan_evaluation(REAL, REAL, FEATURES, requested())
    assert "both sets are the same images: pictures 1" in remarks
    for few, words in (
        ({"count": 1}, "nothing can be evaluated of pictures 5 against pictures 1: a covariance"),
        ({"real_count": 1}, "at least 2 images in each set, not 1"),
    ):
        with pytest.raises(UserError, match=words):
            plan_evaluation(thing, REAL, FEATURES, requested(**few))


def test_a_fixed_set_keeps_its_numbers(cache):
    """Golden values; the features may differ in the last bits between machines."""
    clean = real_images(60, seed=6)
    pixels = torch.from_numpy(clean.images).permute(0, 3, 1, 2)
    soft = blurred(pixels, 3).permute(0, 2, 3, 1).contiguous().numpy()
    thing = RealImages(clean.__class__(soft, None, (), "60" * 32, {"source": "soft"}))
    settings = EvaluationSettings(
        count=60,
        real_count=60,
        seeds=(0,),
        metrics=("fd", "kid", "pr"),
        metric_settings=MetricSettings(kid_subsets=10, kid_subset_size=50),
    )
    real = RealImages(real_images(60, seed=7))
    found = evaluate(thing, real, FeatureExtraction(features=FEATURES, cache=cache), settings)
    values = {result.name: statistics.fmean(result.values) for result in found.results}
    assert values == pytest.approx(GOLDEN, rel=1e-3)


GOLDEN = {
    "FD-random": 0.8303633,
    "KD-random": 0.0030303,
    "precision": 1.0,
    "recall": 0.55,
    "density": 1.37,
    "coverage": 0.9666667,
}
