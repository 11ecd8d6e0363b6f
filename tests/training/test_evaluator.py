"""What an evaluation measures is what it says, on the images it says, and it changes nothing."""

import itertools
import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ssgan.data.cifar10 import Cifar10
from ssgan.data.folder import Folder
from ssgan.data.scenes.source import Scenes
from ssgan.files.run_directory import RunDirectory
from ssgan.methods.gan import GAN
from ssgan.methods.ssgan import SSGAN
from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.kernel import linear_cka
from ssgan.metrics.knn import mean_distance, neighbour_accuracy
from ssgan.metrics.linear_probe import ridge_accuracy
from ssgan.models.layers import Conv2d, ConvTranspose2d
from ssgan.ops.modes import eval_mode
from ssgan.runs.config_io import load_config
from ssgan.runs.sampling import to_pixels
from ssgan.runs.state import fresh_state
from ssgan.training import logger
from ssgan.training.drift import FeatureDrift
from ssgan.training.evaluator import (
    Evaluator,
    compute_outputs,
    largest_norms,
    prepare_held_out,
)
from ssgan.training.run import run
from ssgan.types import UNLABELLED, Scores, UserError
from tests.training.tiny import evaluating, images, rows_of, tiny

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def dataset():
    return images()


@pytest.fixture(scope="module")
def held_out():
    return images(seed=1)


def measured(name, dataset, held_out, root, **changes):
    """The measures of a fresh state, by name and split."""
    config = evaluating(tiny(name), every=1, **changes)
    state = fresh_state(config, dataset.num_classes, CPU)
    found = Evaluator(RunDirectory(root), config, dataset, held_out).evaluate(state)
    return {(one.name, one.split): one for one in found}, state


class EdgeReader(nn.Module):
    """Tells turns by the bright edge of an image; its real logit is the mean brightness."""

    def __init__(self, edges):
        super().__init__()
        self.edges, self.weight = edges, nn.Parameter(torch.zeros(1))
        self.seen = []

    def forward(self, images, labels=None):
        self.seen.append(labels)
        places = {
            "top": images[:, :, 0], "left": images[:, :, :, 0],
            "bottom": images[:, :, -1], "right": images[:, :, :, -1],
        }  # fmt: skip
        logits = torch.stack([places[edge].mean(dim=(1, 2)) for edge in self.edges], dim=1)
        return Scores(images.mean(dim=(1, 2, 3)), logits, images.flatten(1))


@pytest.mark.parametrize(
    ("edges", "share"),
    [
        # a quarter turn counter-clockwise takes the top to the left
        (("top", "left", "bottom", "right"), 1.0),
        (("top", "right", "bottom", "left"), 0.5),
        (("left", "bottom", "right", "top"), 0.0),
    ],
)
def test_turns_told_are_those_that_are_right(edges, share):
    bright_top = torch.full((5, 3, 8, 8), -1.0)
    bright_top[:, :, 0, 1:-1] = 1.0
    labels = torch.arange(5)
    reader = EdgeReader(edges)
    rows = [slice(0, 3), slice(3, 5)]
    found = compute_outputs(reader, SSGAN(), rows, lambda some: (bright_top[some], labels[some]))
    assert found.rotation_correct.tolist() == [share] * 5
    torch.testing.assert_close(found.real, bright_top.mean(dim=(1, 2, 3)))
    assert torch.equal(found.features, bright_top.flatten(1))
    assert [seen.tolist() for seen in reader.seen] == [[0, 1, 2], [0, 1, 2] * 3, [3, 4], [3, 4] * 3]
    assert (
        compute_outputs(reader, GAN(), [0], lambda _: (bright_top, None)).rotation_correct is None
    )


def test_a_method_with_a_wider_head_says_where_its_turns_are():
    class Wider(SSGAN):
        def rotation_logits(self, auxiliary):
            return auxiliary[:, 1:]

    upright = torch.full((2, 3, 8, 8), -1.0)
    upright[:, :, 0, 1:-1] = 1.0
    reader = EdgeReader(("top", "top", "left", "bottom", "right"))
    found = compute_outputs(reader, Wider(), [0], lambda _: (upright, None))
    assert found.rotation_correct.tolist() == [1.0, 1.0]


def test_what_is_measured_and_on_which_images(dataset, held_out, tmp_path):
    found, state = measured("ssgan", dataset, held_out, tmp_path)
    names = {name for name, _ in found}
    assert names == {
        "FD-random", "diversity", "logit_gap", "logit", "logit_std", "rotation_accuracy",
        "probe_accuracy", "knn_accuracy",
        "D/spectral_norm", "D/spectral_norm_raw", "G/spectral_norm",
    }  # fmt: skip
    for name in ("logit", "logit_std", "rotation_accuracy"):
        assert {split for other, split in found if other == name} == {"held-out", "generated"}
    chosen = {row.tobytes() for row in held_out.images}
    evaluation = Evaluator(RunDirectory(tmp_path), evaluating(tiny(), every=1), dataset, held_out)
    assert all(row.tobytes() in chosen for row in evaluation.real.pixels)
    real = torch.from_numpy(evaluation.real.pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        logits = state.discriminator(real).real
    assert found["logit", "held-out"].value == pytest.approx(float(logits.mean()), abs=1e-6)
    gap = found["logit", "held-out"].value - found["logit", "generated"].value
    assert found["logit_gap", "held-out"].value == pytest.approx(gap, abs=1e-6)


def test_without_held_out_images_the_split_says_so_and_the_probe_is_tested_on_others(
    dataset, tmp_path
):
    found, _ = measured("ssgan", dataset, None, tmp_path)
    assert ("rotation_accuracy", "train") in found
    evaluation = Evaluator(RunDirectory(tmp_path), evaluating(tiny(), every=1), dataset, None)
    shown = {row.tobytes() for row in evaluation.real.pixels}
    fitted = {row.tobytes() for row in evaluation.fit.pixels}
    assert len(shown) == len(fitted) == 8
    assert not shown & fitted


def test_without_labels_there_is_no_probe_and_other_classes_are_no_held_out_images(
    dataset, held_out, tmp_path
):
    bare = replace(dataset, labels=None, classes=())
    found, _ = measured("ssgan", bare, held_out, tmp_path)
    assert ("rotation_accuracy", "train") in found
    assert not any(name in ("probe_accuracy", "knn_accuracy") for name, _ in found)
    (tmp_path / "gan").mkdir()
    found, _ = measured("gan", dataset, held_out, tmp_path / "gan")
    assert not any(name == "rotation_accuracy" for name, _ in found)


@pytest.mark.parametrize("name", ["ssgan", "s3gan"])
def test_images_without_a_label_stop_no_evaluation(name, dataset, tmp_path):
    """D's classifiers are fitted and tested on labelled images; a conditional D reads no others."""
    labels = dataset.labels.copy()
    labels[::4] = UNLABELLED
    found, _ = measured(name, replace(dataset, labels=labels), None, tmp_path)
    assert 0 <= found["probe_accuracy", "train"].value <= 1
    counted = found["probe_accuracy", "train"].protocol["num_images"]
    assert counted < 8 if name == "ssgan" else counted == 8


@pytest.mark.parametrize("name", ["ssgan", "conditional"])
def test_d_is_asked_about_as_many_generated_images_as_wanted(name, dataset, tmp_path):
    found, _ = measured(name, dataset, None, tmp_path)
    assert tiny(name).evaluate.images > tiny(name).evaluate.num_images_d == 8
    assert found["logit_gap", "train"].protocol["num_fake"] == 8


def test_images_that_are_all_the_same_have_no_quality_and_stop_nothing(dataset, tmp_path):
    same = replace(dataset, images=np.repeat(dataset.images[:1], len(dataset), axis=0))
    found, _ = measured("ssgan", same, None, tmp_path)
    assert not any(name in ("FD-random", "diversity") for name, _ in found)


def test_diversity_is_the_mean_distance_of_two_images_as_a_share_of_that_of_real_ones(
    dataset, tmp_path
):
    found, state = measured("ssgan", dataset, None, tmp_path)
    evaluation = Evaluator(RunDirectory(tmp_path), evaluating(tiny(), every=1), dataset, None)
    fakes = to_pixels(evaluation._generate(state)(0)[0])  # all in one batch
    order = evaluation.quality.num_real
    assert len(fakes) == order == 16
    distances = []
    for pixels in (fakes, dataset.images):
        rows = RandomFeatures()(torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2)).double()
        pairs = [float((a - b).norm()) for a, b in itertools.permutations(rows, 2)]
        distances.append((sum(pairs) / len(pairs), mean_distance(rows.float())))
    assert distances[0][0] == pytest.approx(distances[0][1], rel=1e-5)
    assert distances[1][0] == pytest.approx(distances[1][1], rel=1e-5)
    expected = distances[0][1] / evaluation.quality.real_distance
    assert found["diversity", "train"].value == pytest.approx(expected, rel=1e-6)


def test_the_probe_is_ridge_regression_over_rows_or_features():
    """Against the normal equations with a constant column that is not penalised."""
    torch.manual_seed(0)
    for count, size in ((40, 7), (12, 30)):
        fit, test = torch.randn(count, size).double(), torch.randn(2000, size).double()
        labels, truth = torch.randint(3, (count,)), torch.randint(3, (2000,))
        x = (fit - fit.mean(0)) / fit.std(0, correction=0)
        x = torch.cat([x, torch.ones(count, 1)], dim=1)
        penalty = 0.1 * count * torch.eye(size + 1).double()
        penalty[-1, -1] = 0
        one_hot = torch.nn.functional.one_hot(labels, 3).double()
        weights = torch.linalg.solve(x.T @ x + penalty, x.T @ one_hot)
        seen = (test - fit.mean(0)) / fit.std(0, correction=0)
        told = (torch.cat([seen, torch.ones(2000, 1)], dim=1) @ weights).argmax(1)
        expected = float((told == truth).double().mean())
        assert ridge_accuracy(fit, labels, test, truth, 3) == pytest.approx(expected)


def test_neighbours_vote_by_their_cosine():
    fit = torch.tensor([[1.0, 0], [0.9, 0.1], [0, 1], [0, 2], [0, 3], [-1, 0]])
    labels = torch.tensor([0, 0, 1, 1, 1, 2])
    test = torch.tensor([[0.1, 5.0], [9.0, 0.2]])
    # the second image's five nearest: two 0 at cosine near 1, three 1 at cosine near 0
    assert neighbour_accuracy(fit, labels, test, torch.tensor([1, 0]), 3) == 1.0
    assert neighbour_accuracy(fit, labels, test, torch.tensor([1, 1]), 3) == 0.5
    far = torch.cat([fit, torch.tensor([[0.02, 1.0]] * 3)])  # three more of class 2, all near
    more = torch.cat([labels, torch.tensor([2, 2, 2])])
    assert neighbour_accuracy(far, more, test[:1], torch.tensor([2]), 3) == 1.0


def test_cka_is_one_for_the_same_features_however_turned_and_small_for_others():
    torch.manual_seed(0)
    a, b = torch.randn(200, 5).double(), torch.randn(200, 4).double()
    rotation = torch.linalg.qr(torch.randn(5, 5).double()).Q
    assert linear_cka(a, 3 * a @ rotation + 7) == pytest.approx(1)
    centred = [x - x.mean(0) for x in (a, b)]
    cross = (centred[1].T @ centred[0]).square().sum()
    own = [(x.T @ x).norm() for x in centred]
    assert linear_cka(a, b) == pytest.approx(float(cross / (own[0] * own[1])))
    assert linear_cka(a, b) < 0.1
    assert np.isnan(linear_cka(a, torch.ones(200, 3)))


def test_norms_are_the_largest_singular_values():
    torch.manual_seed(0)
    network = nn.Sequential(
        Conv2d(3, 8, spectral=True), ConvTranspose2d(8, 4), nn.Linear(4, 2), nn.BatchNorm2d(2)
    )
    weights = [network[0].effective_weight(), network[1].weight, network[2].weight]
    expected = [float(torch.linalg.matrix_norm(w.detach().flatten(1), 2)) for w in weights]
    raw = float(torch.linalg.matrix_norm(network[0].weight.detach().flatten(1), 2))
    found = largest_norms(network)
    assert found.effective == pytest.approx(max(expected), rel=1e-5)
    assert found.raw == pytest.approx(max(raw, *expected[1:]), rel=1e-5)
    network[1].weight.data[0, 0, 0, 0] = torch.nan
    assert np.isnan(largest_norms(nn.Sequential(network[1])).effective)


def test_looking_gives_every_mode_and_the_random_state_back():
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.BatchNorm1d(2))
    network.train()
    network[1].eval()
    before = torch.get_rng_state()
    statistics = network[2].running_mean.clone()
    with pytest.raises(IndexError), eval_mode(network):  # even when it ends in an error
        network(torch.randn(4, 2))[torch.is_grad_enabled() + 4]
    assert [module.training for module in network.modules()] == [True, True, False, True]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(network[2].running_mean, statistics)


def test_sources_know_images_that_are_not_theirs():
    assert Scenes(num_images=50).held_out() == Scenes(num_images=50, seed=1)
    assert Scenes(seed=2**64 - 1).held_out() == Scenes(num_images=2000, seed=0)
    assert Cifar10("/data").held_out() == Cifar10("/data", split="test")
    assert Cifar10(split="test").held_out() is None
    assert Folder("/photos").held_out() is None


def test_held_out_images_that_cannot_be_read_are_told_and_stop_nothing(caplog, held_out):
    def fails(source, preprocessing):
        raise UserError("cifar10-test: test_batch.bin cannot be read")

    config = evaluating(tiny(), every=1)
    with caplog.at_level(logging.WARNING, "ssgan"):
        assert prepare_held_out(config, fails) is None
    assert "training images are used: cifar10-test: test_batch.bin" in caplog.text
    never = evaluating(tiny(), every=0)
    assert prepare_held_out(never, fails) is None
    asked = []
    assert prepare_held_out(config, lambda *given: asked.append(given) or held_out) is held_out
    assert asked == [(Scenes(num_images=20, seed=1), config.data.preprocessing)]


def test_features_are_compared_with_the_first_and_the_previous_and_few_files_are_kept(tmp_path):
    layout, drift = RunDirectory(tmp_path), FeatureDrift(RunDirectory(tmp_path), "these")
    layout.checkpoints.mkdir()
    torch.manual_seed(0)
    features = {step: torch.randn(9, 4) for step in range(1, 8)}
    for step, rows in features.items():
        expected = {"first": 1, "previous": step - 1} if step > 1 else {}
        found = drift.compute_cka(step, rows)
        assert {name: at for name, (at, _) in found.items()} == expected
        for at, value in found.values():
            assert value == linear_cka(features[at], rows)
        drift.store(step, rows)
        layout.checkpoint(step).touch()
    # checkpoints 5 and 6 were the newest two when 7 was stored
    assert [path.stem[-1] for path in layout.feature_files()] == ["1", "5", "6", "7"]
    assert FeatureDrift(layout, "others").compute_cka(8, features[7]) == {}
    whole = layout.features(7).read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(features[7].numpy().tobytes()[:8])] ^= 255
    for damaged in (b"", b"PK damaged", whole[:-30], whole[:200], b"\x93NUMPY", bytes(flipped)):
        layout.features(7).write_bytes(damaged)
        assert drift.compute_cka(8, features[7]).keys() == {"first"}


def test_the_log_s_seconds_stand_still_while_it_is_evaluated(dataset, tmp_path, monkeypatch):
    clock = itertools.count()
    later = [0]
    monkeypatch.setattr(logger.time, "monotonic", lambda: next(clock) * 1e-6 + later[0])
    evaluate = Evaluator.evaluate

    def slow(self, state):
        later[0] += 1000
        return evaluate(self, state)

    monkeypatch.setattr(Evaluator, "evaluate", slow)
    config = evaluating(tiny(total_steps=3), every=1)
    for _ in run(config, tmp_path, dataset):
        pass
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["seconds"] < 1
    assert later == [3000]


@pytest.mark.parametrize("count", [2, 3, 7])
def test_a_run_on_a_few_images_measures_what_can_be_and_is_not_called_diverged(
    count, dataset, tmp_path
):
    """Of two images D is asked about one, whose features cannot be compared with any others."""
    few = replace(dataset, images=dataset.images[:count], labels=None, classes=())
    config = evaluating(tiny(total_steps=3), every=1)
    verdicts = [report.verdict.state for report in run(config, tmp_path, few)]
    assert "diverged" not in verdicts
    rows = rows_of(tmp_path / "metrics.jsonl")
    assert all(row["value"] is not None for row in rows)
    asked = {
        row["num_images"] for row in rows if row["name"] == "logit" and row["split"] == "train"
    }
    assert asked == {-(-count // 2)}
    assert any(row["name"] == "cka_first" for row in rows) == (count > 2)


def test_a_run_on_one_image_is_not_evaluated(dataset, tmp_path):
    one = replace(dataset, images=dataset.images[:1], labels=None, classes=())
    with pytest.raises(UserError, match="needs at least 2 images"):
        next(run(evaluating(tiny(), every=1), tmp_path / "refused", one))
    reports = list(run(evaluating(tiny(total_steps=2), every=0), tmp_path / "run", one))
    assert [report.step for report in reports] == [1, 2]


def test_numbers_that_are_none_are_stored_as_null(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("ssgan.training.evaluator.ridge_accuracy", lambda *_: float("nan"))
    config = evaluating(tiny(total_steps=1), every=1)
    for _ in run(config, tmp_path, dataset):
        pass
    rows = rows_of(tmp_path / "metrics.jsonl")
    assert [row["value"] for row in rows if row["name"] == "probe_accuracy"] == [None]
    assert (
        "not a finite number at step 1: probe_accuracy" in (tmp_path / "events.jsonl").read_text()
    )


def test_settings_of_before_evaluations_had_their_own_part_are_read(tmp_path):
    from ssgan.config.serialize import dump

    table = dump(tiny())
    del table["evaluate"]
    table["output"] |= {"score_every": 7, "score_images": 33}
    found = load_config(json.loads(json.dumps(table)))
    assert (found.evaluate.every, found.evaluate.images) == (7, 33)
    assert replace(found, evaluate=tiny().evaluate) == tiny()
    del table["output"]["score_every"]
    with pytest.raises(UserError, match="evaluate"):
        load_config(table)


def test_equal_training_images_are_no_divergence_and_it_is_said_once_why(dataset, tmp_path, caplog):
    """The CKA of constant features is 0 / 0, which was told as a divergence."""
    equal = replace(dataset, images=np.repeat(dataset.images[:1], len(dataset), axis=0))
    config = evaluating(tiny("gan"), every=2)
    with caplog.at_level(logging.WARNING, "ssgan"):
        for _ in run(config, tmp_path, equal):
            pass
    said = [r.getMessage() for r in caplog.records if "training images of the evaluation" in r.msg]
    assert said == [
        "all 16 training images of the evaluation are equal: no distance and no diversity is "
        "computed, and no best state is chosen"
    ]
    rows = rows_of(RunDirectory(tmp_path).metrics)
    names = {row["name"] for row in rows}
    assert "logit_gap" in names
    assert not names & {"FD-random", "diversity", "cka_first", "cka_previous"}
    assert all(row["value"] is not None for row in rows)
    events = RunDirectory(tmp_path).events
    assert not events.exists() or "not a finite number" not in events.read_text()
