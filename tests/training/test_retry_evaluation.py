"""A step whose samples or evaluation failed is evaluated again before the run continues."""

import errno
import os

import pytest

from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.training import logger
from ssgan.training.history import EvaluationRow
from ssgan.training.monitor import Monitor
from ssgan.training.run import run
from ssgan.types import UserError
from tests.training.tiny import (
    digest_of,
    evaluating,
    images,
    rows_of,
    tiny,
    to_the_end,
    with_output,
)

pytestmark = pytest.mark.slow

BEST, LAST = 5, 6  # steps: both are saved, and the first has the lowest score
CONFIG = evaluating(
    with_output(tiny(augment=True), checkpoint_every=BEST, sample_every=BEST, snapshot_every=BEST),
    every=1,
)
PLACES = {
    "sheet": (logger, "generate_pixels"),
    "measures": (logger.Evaluator, "evaluate"),
    "lines are written": (Monitor, "add_evaluation"),
}


@pytest.fixture(scope="module")
def dataset():
    return images()


@pytest.fixture(autouse=True, scope="module")
def told():
    """Which step is the best, and that all are healthy: so few steps would not tell."""
    measures = logger.Evaluator.evaluate

    def scored(self, state):
        return [
            *measures(self, state),
            EvaluationRow("score", float(abs(state.step - BEST)), "train"),
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logger.Evaluator, "evaluate", scored)
        patch.setattr(logger, "metric_name", lambda _: "score")
        patch.setattr(Monitor, "is_clear", True)
        yield


@pytest.fixture(scope="module")
def undisturbed(dataset, tmp_path_factory):
    root = tmp_path_factory.mktemp("undisturbed") / "run"
    to_the_end(CONFIG, root, dataset)
    assert checkpoint.load_checkpoint(RunDirectory(root).best_checkpoint()).step == BEST
    return left_by(root)


def left_by(root):
    """All that a run leaves behind of its steps."""
    layout = RunDirectory(root)
    states = [layout.best_checkpoint(), *layout.snapshot_files(), *layout.checkpoint_files()]
    logs = (layout.log, layout.metrics, layout.events)
    return {
        **{path.name: rows_of(path) for path in logs if path.exists()},
        **{
            str(path.relative_to(root)): digest_of(checkpoint.load_checkpoint(path))
            for path in states
        },
        **{path.name: path.read_bytes() for path in layout.samples.iterdir()},
        "evaluated": [
            checkpoint.load_checkpoint(path).evaluated for path in layout.checkpoint_files()
        ],
        "healthy": sorted(path.name for path in layout.healthy.glob("*")),
    }


def fail_at(step, where, error, monkeypatch, dataset, root):
    """Run until that fails in that step, which is saved nevertheless."""
    owner, name = PLACES[where]
    whole, look = getattr(owner, name), logger.RunLogger.sample_and_evaluate
    now = [0]

    def noted(self, state):
        now.append(state.step)
        look(self, state)

    def fails(*given):
        if now[-1] == step:
            raise error
        return whole(*given)

    with monkeypatch.context() as patch:
        patch.setattr(logger.RunLogger, "sample_and_evaluate", noted)
        patch.setattr(owner, name, fails)
        with pytest.raises(type(error)):
            to_the_end(CONFIG, root, dataset)
    assert checkpoint.load_newest(RunDirectory(root))[0].step == step


@pytest.mark.parametrize("step", [BEST, LAST])
@pytest.mark.parametrize("where", PLACES)
def test_continued_the_run_is_the_one_in_which_nothing_failed(
    where, step, undisturbed, dataset, tmp_path, monkeypatch
):
    """In its metrics, its sheets, its best and its kept states, each there once."""
    for _ in range(2):  # when it fails again, nothing is lost either
        fail_at(step, where, MemoryError(), monkeypatch, dataset, tmp_path)
    to_the_end(CONFIG, tmp_path, dataset)
    assert left_by(tmp_path) == undisturbed


def test_what_is_killed_while_it_looks_again_looks_once_more(
    undisturbed, dataset, tmp_path, monkeypatch
):
    """After its measures are written, before the checkpoint that says so."""
    fail_at(BEST, "measures", RuntimeError(), monkeypatch, dataset, tmp_path)

    def killed(point):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run(CONFIG, tmp_path, dataset, crash=killed))
    assert rows_of(tmp_path / "metrics.jsonl")[-1]["step"] == BEST
    to_the_end(CONFIG, tmp_path, dataset)
    assert left_by(tmp_path) == undisturbed


def test_images_that_cannot_be_read_cost_no_step(undisturbed, dataset, tmp_path, monkeypatch):
    error = OSError(errno.EIO, os.strerror(errno.EIO))
    with pytest.raises(UserError, match="Input/output error"):
        fail_at(BEST, "measures", error, monkeypatch, dataset, tmp_path)
    assert checkpoint.load_newest(RunDirectory(tmp_path))[0].step == BEST
    to_the_end(CONFIG, tmp_path, dataset)
    assert left_by(tmp_path) == undisturbed


def test_without_evaluations_the_run_goes_on_without_that_one(dataset, tmp_path, monkeypatch):
    fail_at(BEST, "measures", MemoryError(), monkeypatch, dataset, tmp_path)
    to_the_end(evaluating(CONFIG, every=0), tmp_path, dataset)
    assert {row["step"] for row in rows_of(tmp_path / "metrics.jsonl")} == {1, 2, 3, 4}
