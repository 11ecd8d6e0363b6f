"""Killed before or after any update within a step, a run ends with the same bits and whole logs."""

import os
import signal

import pytest
import torch

from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.training import step
from ssgan.training.logger import RunLogger
from tests.training import harness
from tests.training.harness import fork, train_in, wait
from tests.training.tiny import STEPS, evaluating, images, tiny
from tests.training.tiny import with_output as writing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        torch.accelerator.is_available(), reason="a process that has used it cannot fork"
    ),
]

CONFIG = writing(tiny(discriminator_updates=2), checkpoint_every=1)
EVALUATED = evaluating(writing(tiny("rotation-only"), checkpoint_every=1), every=2)
UPDATES = 3 * STEPS  # D's two and G's, of each step


@pytest.fixture(scope="module")
def dataset():
    return images()


def dying_at(number):
    """`train_in` that ends, as by kill -9, before the update of that number, from 0."""
    real, passed = step.descend, []

    def descend(*arguments):
        if len(passed) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        passed.append(None)
        return real(*arguments)

    return descend


@pytest.mark.long
def test_killed_between_any_two_updates_it_ends_with_the_same_bits_and_each_step_once(
    dataset, tmp_path, monkeypatch, record_property
):
    """Before the first update, between those of D, between D's and G's, and at the epoch's end."""
    expected, _ = harness.reference(CONFIG, tmp_path / "reference", dataset)
    for number in range(UPDATES):
        root = tmp_path / f"killed-{number}"
        with monkeypatch.context() as patch:
            patch.setattr(step, "descend", dying_at(number))
            assert wait(fork(lambda root=root: train_in(CONFIG, root, dataset))) == -signal.SIGKILL
        assert len(list(RunDirectory(root).checkpoints.glob("*.ckpt"))) == min(2, number // 3)
        assert harness.finished(CONFIG, root, dataset) == expected  # looks at every log line
    record_property("kills", UPDATES)


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1])
def test_ended_within_an_evaluation_it_is_made_again_or_finished(
    ending, dataset, tmp_path, monkeypatch
):
    """A kill loses the step and its evaluation; a signal waits for both and saves."""
    expected, _ = harness.reference(EVALUATED, tmp_path / "reference", dataset)
    real, root = RunLogger.sample_and_evaluate, tmp_path / "run"

    def evaluate(logger, state):
        if state.step == 4:
            os.kill(os.getpid(), ending)
        real(logger, state)

    with monkeypatch.context() as patch:
        patch.setattr(RunLogger, "sample_and_evaluate", evaluate)
        code = wait(fork(lambda: train_in(EVALUATED, root, dataset)))
    assert code == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGUSR1: 0}[ending]
    saved, _ = checkpoint.load_newest(RunDirectory(root))
    assert saved.step == (3 if ending == signal.SIGKILL else 4)
    assert harness.finished(EVALUATED, root, dataset) == expected
    logs = [tmp_path / name / "metrics.jsonl" for name in ("run", "reference")]
    rows = [harness.rows_of(path) for path in logs]
    assert rows[0] == rows[1] != []
