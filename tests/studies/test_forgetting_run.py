"""A run that was killed anywhere and continued equals the run that was not."""

import json
import logging
import os
import signal
from dataclasses import replace

import pytest
import torch

from ssgan.evaluation.splits import split
from ssgan.files.run_directory import ForgettingDirectory
from ssgan.losses import Hinge
from ssgan.runs.checkpoint import no_crash, read_verified, unpack
from ssgan.studies.forgetting.run import forget, resolve_auto_precision
from ssgan.studies.forgetting.settings import ForgettingSettings
from ssgan.studies.forgetting.step import build_learner
from ssgan.training.signals import Interrupted
from ssgan.types import UserError
from tests.evaluation.probed import patches
from tests.studies.tasks import corners, tiny
from tests.training.harness import fork, wait

pytestmark = pytest.mark.slow

SETTINGS = tiny(cycles=1)  # 9 iterations; a file is written after 2, 3, 4, 6, 8 and 9
STEPS = 9


@pytest.fixture(scope="module")
def parts():
    return corners()


@pytest.fixture(scope="module")
def whole(parts, tmp_path_factory):
    """The log and the state of a study in one go."""
    root = tmp_path_factory.mktemp("whole") / "study"
    assert run_to(root, parts) == STEPS
    return outcome(root)


def run_to(root, parts, last=STEPS, settings=SETTINGS, crash=no_crash):
    """Start or continue, and leave after that step as a killed process would; the last step."""
    step = -1
    steps = forget(settings, parts, root, "cpu", crash)
    for report in steps:
        step = report.step
        if step >= last:
            break
    steps.close()
    return step


def outcome(root):
    """The log's bytes, and every tensor of the state."""
    layout = ForgettingDirectory(root)
    content = unpack(read_verified(layout.state))
    step = json.loads(content["facts"])["step"]
    adam = [t for s in content["optimizer"]["state"].values() for t in s.values()]
    return layout.log.read_bytes(), step, [*content["network"].values(), *adam]


def assert_same(found, expected):
    assert found[0] == expected[0]
    assert found[1] == expected[1] == STEPS
    assert len(found[2]) == len(expected[2]) > 40
    assert all(torch.equal(a, b) for a, b in zip(found[2], expected[2], strict=True))


def test_the_log_has_every_measurement_once_and_in_order(whole):
    rows = [json.loads(line) for line in whole[0].splitlines()]
    places = [(row["step"], row["class"], row["after_switch"]) for row in rows]
    assert places == [
        (0, "a", False), (2, "a", False), (3, "a", False), (3, "b", True), (4, "b", False),
        (6, "b", False), (6, "c", True), (8, "c", False), (9, "c", False),
    ]  # fmt: skip
    assert [row["task"] for row in rows] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert all(row["cycle"] == 1 for row in rows)
    assert all(2 * row["accuracy"] == row["class_recall"] + row["rest_recall"] for row in rows)
    assert all(0 <= row["rotation_accuracy"] <= 1 for row in rows)


@pytest.mark.parametrize("cut", [0, 1, 3, 5, 8])  # measured or not, at a switch or not
def test_left_after_any_step_and_continued_the_log_and_the_state_are_equal(
    cut, whole, parts, tmp_path
):
    assert run_to(tmp_path / "study", parts, cut) == cut
    assert run_to(tmp_path / "study", parts) == STEPS
    assert_same(outcome(tmp_path / "study"), whole)


@pytest.mark.skipif(torch.accelerator.is_available(), reason="it cannot fork after its use")
@pytest.mark.parametrize("fatal", [1, 5, 9])
def test_killed_within_a_save_and_continued_the_log_and_the_state_are_equal(
    fatal, whole, parts, tmp_path
):
    passed = []

    def crash(point):
        if not point.startswith("wrote"):
            passed.append(point)
            if len(passed) == fatal:
                os._exit(9)

    root = tmp_path / "study"
    assert wait(fork(lambda: run_to(root, parts, crash=crash))) == 9
    assert ForgettingDirectory(root).log.stat().st_size > 0
    assert run_to(root, parts) == STEPS
    assert_same(outcome(root), whole)
    assert not list(root.glob("*.tmp"))


def test_a_stop_signal_makes_it_save_and_report(whole, parts, tmp_path):
    root = tmp_path / "study"
    steps = forget(SETTINGS, parts, root, "cpu")
    while next(steps).step < 4:
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    assert next(steps).step == 5  # where nothing is measured
    with pytest.raises(Interrupted, match="SIGTERM after step 5") as stop:
        next(steps)
    assert stop.value.exit_code == 143
    steps = forget(SETTINGS, parts, root, "cpu")
    assert next(steps).step == 6
    steps.close()
    run_to(root, parts)
    assert_same(outcome(root), whole)


def test_a_finished_run_does_nothing(parts, tmp_path):
    run_to(tmp_path, parts)
    before = outcome(tmp_path)
    assert run_to(tmp_path, parts) == -1
    assert_same(outcome(tmp_path), before)


def test_a_damaged_state_is_set_aside_and_the_run_starts_over(whole, parts, tmp_path, caplog):
    run_to(tmp_path, parts, 6)
    state = ForgettingDirectory(tmp_path).state
    data = bytearray(state.read_bytes())
    data[len(data) // 2] ^= 1
    state.write_bytes(data)
    with caplog.at_level(logging.WARNING, "ssgan"):
        run_to(tmp_path, parts)
    assert "starting over" in caplog.text
    assert (tmp_path / "forgetting.damaged").exists()
    assert_same(outcome(tmp_path), whole)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rotation": 0.5}, "rotation: 1.0 before, 0.5 now"),
        ({"seed": 3}, "seed: 0 before, 3 now"),
        ({"cycles": 2}, "cycles: 1 before, 2 now"),
        ({"loss": Hinge()}, "loss: "),
    ],
)
def test_other_settings_are_refused_by_name(changes, words, parts, tmp_path):
    run_to(tmp_path, parts, 2)
    before = outcome(tmp_path)
    with pytest.raises(UserError, match=f"holds a forgetting run with other settings: {words}"):
        run_to(tmp_path, parts, settings=replace(SETTINGS, **changes))
    assert outcome(tmp_path)[0] == before[0]


def test_other_images_are_refused(parts, tmp_path):
    run_to(tmp_path, parts, 2)
    with pytest.raises(UserError, match="other images to test on"):
        run_to(tmp_path, split(patches(24), patches(15, seed=9), 0))
    with pytest.raises(UserError, match="other images to train on"):
        run_to(tmp_path, split(patches(27), patches(15, seed=1), 0))


def test_the_state_of_another_run_is_refused(parts, tmp_path):
    run_to(tmp_path / "a", parts, 2)
    run_to(tmp_path / "b", parts, 2, replace(SETTINGS, seed=1))
    (tmp_path / "b" / "forgetting.ckpt").rename(tmp_path / "a" / "forgetting.ckpt")
    with pytest.raises(UserError, match="belongs to another forgetting run"):
        run_to(tmp_path / "a", parts)


def test_a_directory_with_other_files_and_a_file_are_refused(parts, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="holds other files and no forgetting run"):
        run_to(tmp_path, parts)
    with pytest.raises(UserError, match=r"letter\.txt is a file"):
        run_to(tmp_path / "letter.txt", parts)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("text", ["{}", '{"settings": {"kind": "ssgan.losses:Hinge"}}', "["])
def test_a_file_of_settings_that_is_none_is_refused(text, parts, tmp_path):
    (tmp_path / "forgetting.json").write_text(text)
    with pytest.raises(UserError, match=r"forgetting\.json"):
        run_to(tmp_path, parts)


def test_a_directory_in_use_is_refused(parts, tmp_path):
    steps = forget(SETTINGS, parts, tmp_path, "cpu")
    next(steps)
    with pytest.raises(UserError, match="in use by process"):
        run_to(tmp_path, parts)
    steps.close()


def test_automatic_precision_is_what_the_directory_has(parts, tmp_path):
    exact = replace(SETTINGS, precision="float64")
    run_to(tmp_path, parts, 0, exact)
    layout = ForgettingDirectory(tmp_path)
    assert (
        resolve_auto_precision(layout, replace(SETTINGS, precision="auto")).precision == "float64"
    )
    fresh = resolve_auto_precision(
        ForgettingDirectory(tmp_path / "new"), replace(SETTINGS, precision="auto")
    )
    assert fresh.precision in ("float32", "bfloat16")


def test_bfloat16_is_for_the_network_s_inside_alone(parts, tmp_path):
    settings = replace(SETTINGS, precision="bfloat16", iterations_per_task=1, cycles=1)
    assert run_to(tmp_path, parts, settings=settings) == 3
    learner = build_learner(settings, torch.device("cpu"))
    assert {weight.dtype for weight in learner.network.parameters()} == {torch.float32}


def test_the_default_settings_are_stored_and_read_back(tmp_path):
    assert (
        resolve_auto_precision(
            ForgettingDirectory(tmp_path), ForgettingSettings(source=SETTINGS.source)
        ).test_images
        == 1000
    )
