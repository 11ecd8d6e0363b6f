"""A probe's rows: what they say, that they are true, and that none is found twice."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ssgan.evaluation.probe import probe as probe_module
from ssgan.evaluation.probe.maps import Layer
from ssgan.evaluation.probe.probe import ProbeSettings, StateProbe, stored_rows
from ssgan.evaluation.splits import split
from ssgan.files import jsonl
from ssgan.metrics.linear_probe import TOLERANCE, fit_lbfgs
from ssgan.types import UserError
from tests.evaluation.probed import finished_run, patches, subject_of

SETTINGS = ProbeSettings(poolings=("grid4",), blocks=(1, 3), fractions=(0.25, 1.0))
DATA = patches(200)
PARTS = split(DATA, None, 0)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return finished_run(tmp_path_factory.mktemp("probe") / "mine")


@pytest.fixture(scope="module")
def subject(root):
    return subject_of(root)


@pytest.fixture(scope="module")
def job(subject, tmp_path_factory):
    """A finished probe."""
    job = StateProbe(subject, PARTS, SETTINGS, tmp_path_factory.mktemp("out"))
    job.read()
    list(job.fit())
    return job


def test_there_is_a_row_for_every_block_and_fraction(job):
    found = [(row["block"], row["fraction"], row["labels"]) for row in job.rows]
    assert found == [(1, 0.25, 40), (1, 1.0, 160), (3, 0.25, 40), (3, 1.0, 160)]


def test_a_row_states_its_whole_protocol(job, subject):
    row = job.rows[1]
    assert row["train"] == {"source": "patches 0", "content_hash": DATA.content_hash, "images": 160}
    assert row["test"]["images"] == 40
    assert row["discriminator_sha256"] == subject.sha256
    assert (row["run"], row["method"], row["step"], row["seed"]) == ("mine", "SSGAN", 2, 0)
    assert (row["solver"], row["tolerance"], row["converged"]) == ("lbfgs", TOLERANCE, True)
    assert (row["map"], row["features"]) == ([4, 8, 8], 64)
    assert row["l2"] in [one["l2"] for one in row["tried"]]
    assert row["held_out"] == 32
    assert row["trained_on_same_images"] is False
    assert "160" not in row["standardised"]
    assert {"knn", "maps", "split", "pooling", "iterations", "classes", "chance"} <= row.keys()


def test_the_accuracy_is_that_of_the_classifier_on_the_test_images(job, subject):
    """By hand: features, standardised with numpy, the stated penalty."""
    row = job.rows[1]

    def features(part):
        return subject.features(part.dataset.images[part.rows], [Layer(1, "grid4")])[0].double()

    train, test = features(PARTS.train), features(PARTS.test)
    mean, deviation = train.mean(0), train.std(0, correction=0)
    train, test = (train - mean) / deviation, (test - mean) / deviation
    labels = torch.from_numpy(PARTS.train.labels)
    fit = fit_lbfgs(train, labels, 3, row["l2"])
    correct = fit.correct(test, torch.from_numpy(PARTS.test.labels))
    assert row["correct"] == correct
    assert row["top1"] == correct / 40
    low, high = row["interval"]
    assert low < row["top1"] <= high


def test_classes_that_differ_in_where_it_is_bright_are_told(job):
    for row in job.rows:
        assert row["top1"] > 0.9
        assert row["knn_top1"] > 0.6


def test_shuffled_labels_are_told_no_better_than_by_chance(subject, tmp_path):
    """120 test images, 3 classes: 1/3 and 4 deviations of 0.043."""
    data = patches(600)
    shuffled = replace(data, labels=np.random.default_rng(0).permutation(data.labels))
    job = StateProbe(subject, split(shuffled, None, 0), replace(SETTINGS, blocks=(3,)), tmp_path)
    job.read()
    for _, row in job.fit():
        assert row["top1"] < 1 / 3 + 0.172
        assert row["knn_top1"] < 1 / 3 + 0.172


def test_an_interrupted_probe_continues_with_what_is_missing(subject, job, tmp_path, monkeypatch):
    first = StateProbe(subject, PARTS, SETTINGS, tmp_path)
    first.read()
    rows = first.fit()
    next(rows)
    rows.close()
    again = StateProbe(subject, PARTS, SETTINGS, tmp_path)
    assert [cell.labels for cell in again.todo] == [160, 40, 160]
    monkeypatch.setattr(type(subject), "features", None)  # what was read is still there
    again.read()
    list(again.fit())
    assert again.rows == job.rows
    assert [path.name for path in tmp_path.iterdir()] == ["probe.jsonl"]
    assert StateProbe(subject, PARTS, SETTINGS, tmp_path).todo == []


def test_a_torn_last_line_is_found_again(subject, job, tmp_path):
    (tmp_path / "probe.jsonl").write_bytes(job.file.read_bytes()[:-30])
    again = StateProbe(subject, PARTS, SETTINGS, tmp_path)
    assert len(again.todo) == 1
    again.read()
    list(again.fit())
    assert again.rows == job.rows


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"l2": 0.5}, {"solver": "sgd"}, {"poolings": ("grid2",)}],
)
def test_another_question_is_not_answered_by_an_old_row(subject, job, tmp_path, change):
    (tmp_path / "probe.jsonl").write_bytes(job.file.read_bytes())
    settings = replace(SETTINGS, **change)
    parts = split(DATA, None, settings.seed)
    assert len(StateProbe(subject, parts, settings, tmp_path).todo) == 4


def test_another_d_or_other_images_are_not_answered_by_an_old_row(root, job, tmp_path):
    (tmp_path / "probe.jsonl").write_bytes(job.file.read_bytes())
    before = StateProbe(subject_of(root, "0"), PARTS, SETTINGS, tmp_path)
    other = StateProbe(subject_of(root), split(patches(200, 1), None, 0), SETTINGS, tmp_path)
    assert len(before.todo) == len(other.todo) == 4


@pytest.mark.parametrize("settings", [{"solver": "sgd"}, {"l2": 0.1}, {"solver": "sgd", "l2": 0.1}])
def test_the_paper_s_schedule_and_a_given_penalty(subject, tmp_path, settings):
    chosen = replace(SETTINGS, blocks=(3,), fractions=(1.0,), **settings)
    job = StateProbe(subject, PARTS, chosen, tmp_path)
    job.read()
    ((_, row),) = job.fit()
    assert row["l2"] == settings.get("l2", 0.0)
    assert "tried" not in row
    assert row["top1"] > 0.8


@pytest.mark.parametrize(("solver", "l2"), [("lbfgs", 1e6), ("sgd", 19.0), ("lbfgs", 1e-300)])
def test_the_most_and_the_least_penalty_come_to_finite_numbers(solver, l2, subject, tmp_path):
    chosen = replace(SETTINGS, blocks=(3,), fractions=(1.0,), solver=solver, l2=l2)
    job = StateProbe(subject, PARTS, chosen, tmp_path)
    job.read()
    ((_, row),) = job.fit()
    assert 0 < row["loss"] < 10
    assert 0 <= row["max_gradient"] < 10


def test_many_numbers_are_multiplied_in_float32_with_the_same_result(
    subject, job, tmp_path, monkeypatch
):
    monkeypatch.setattr(probe_module, "_EXACT_NUMBERS", 0)
    again = StateProbe(subject, PARTS, SETTINGS, tmp_path)
    again.read()
    for row, (_, rough) in zip(job.rows, again.fit(), strict=True):
        assert (row["products"], rough["products"]) == ("float64", "float32")
        assert rough["loss"] == pytest.approx(row["loss"], abs=1e-3)
        assert rough["correct"] == pytest.approx(row["correct"], abs=1)


def test_rows_are_plain_json_and_carry_a_step(job):
    for line in job.file.read_text().splitlines():
        assert json.loads(line)["step"] == 2
    assert list(jsonl.read(job.file, {})) == job.rows


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"blocks": (4,)}, "no block 4: D of mine has blocks 0 to 3"),
        ({"fractions": (0.01,)}, "160 training images are too few: no fraction"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(subject, tmp_path, change, words):
    with pytest.raises(UserError, match=words):
        StateProbe(subject, PARTS, replace(SETTINGS, **change), tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"poolings": ("max",)}, {"fractions": (0.0,)}, {"fractions": (1.5,)}, {"l2": -1.0}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UserError):
        ProbeSettings(**wrong)


def test_rows_of_version_0_1_0_are_read_under_the_names_of_today():
    path = Path(__file__).parent / "stored" / "probe_0.1.0.jsonl"
    before = json.loads(path.read_text())
    (found,) = stored_rows(path)
    for old, name in (
        ("slope", "max_gradient"), ("passes", "iterations"), ("right", "correct"),
        ("knn_right", "knn_correct"),
    ):  # fmt: skip
        assert found[name] == before[old]
        assert old not in found
    assert found["top1"] == before["top1"]


def test_a_row_of_version_0_1_0_is_not_computed_again(job, tmp_path):
    names = {"max_gradient": "slope", "iterations": "passes", "correct": "right"}
    for row in job.rows:
        jsonl.append(tmp_path / "probe.jsonl", {names.get(k, k): v for k, v in row.items()})
    again = StateProbe(job.subject, PARTS, SETTINGS, tmp_path)
    assert again.todo == []
    assert again.rows == job.rows
