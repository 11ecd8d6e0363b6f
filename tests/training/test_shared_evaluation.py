"""Ranks share an evaluation within a run, and its numbers are those of one process to the bit."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from ssgan.cli.main import LOST
from ssgan.evaluation import feature_networks, selection_metric
from ssgan.files.run_directory import RunDirectory
from ssgan.ops.collective import num_ranks, rank
from ssgan.runs import checkpoint
from ssgan.training import evaluator
from ssgan.training.evaluator import Evaluator
from ssgan.training.run import run
from tests.training import ranks
from tests.training.ranks import fresh, together
from tests.training.test_selection_metric import Bands
from tests.training.tiny import evaluating, images, rows_of, tiny, with_output

pytestmark = pytest.mark.slow

BATCH = 8  # images at once, here
CONDITIONAL = evaluating(tiny("conditional"), every=1, images=50, num_images_d=13, features="lite0")
SHORT = evaluating(
    with_output(tiny(batch_size=8, total_steps=2, precision="float64"), checkpoint_every=1),
    every=1,
    images=20,
    num_images_d=10,
)
FAILS = OSError(5, "this is the first error")


def evaluate_fresh(folder: Path) -> None:
    """Evaluate a fresh state twice; rank 0 writes what it found, and all how much each made."""
    made, generate = [], evaluator.generate_images
    real, held_out = images(), images(seed=1)

    def noted(generator, latents, labels):
        made.append(len(latents))
        return generate(generator, latents, labels)

    features = Bands()
    with (
        patch.object(evaluator, "BATCH", BATCH),
        patch.object(selection_metric, "_AT_ONCE", BATCH),
        patch.object(selection_metric, "has_efficientnet_lite0", lambda: True),
        patch.object(feature_networks, "load_efficientnet_lite0", lambda device, rule: features),
        patch.object(evaluator, "generate_images", noted),
    ):
        root = RunDirectory(folder / f"run-{num_ranks()}")
        root.root.mkdir(exist_ok=True)
        found = []
        for step in (0, 1):
            state = fresh(CONDITIONAL)
            state.step = step
            shared = Evaluator(root, CONDITIONAL, real, held_out)
            found.append([row.as_json(step) for row in shared.evaluate(state)])
    assert (found == [[], []]) == (rank() > 0)
    if rank() == 0:
        (folder / f"rows-{num_ranks()}.json").write_text(json.dumps(found))
    print(made, features.seen)


def test_ranks_share_the_batches_and_give_the_numbers_of_one_process(tmp_path, monkeypatch):
    """50 images in batches of 8 are 7 parts, of which D reads those of 13; 20 real images are 3."""
    monkeypatch.setitem(ranks.ALL, "evaluate fresh", evaluate_fresh)
    for count in (1, 3):
        found = together("evaluate fresh", tmp_path, count)
        assert [code for code, _ in found] == [0] * count, found
        every = [8] * 6 + [2]
        for number, (_, printed) in enumerate(found):
            ours, real = every[number::count], [8, 8, 4][number::count]
            line = f"{ours * 2} {2 * sum(ours) + sum(real)}"
            assert line in printed.split("\n")  # others are torch's and the run's own
        rows = json.loads((tmp_path / f"rows-{count}.json").read_text())
        assert {row["name"] for row in rows[1]} >= {"FD-EfficientNetLite0", "probe_accuracy"}
        assert rows == json.loads((tmp_path / "rows-1.json").read_text())


def evaluate_again(folder: Path) -> None:
    """Continue a run whose last evaluation failed."""
    with patch.object(evaluator, "BATCH", BATCH):
        for _ in run(SHORT, folder / "run", images()):
            pass


def evaluate_shards(folder: Path) -> None:
    """A short run whose state is sharded, with samples and evaluations."""
    with patch.object(evaluator, "BATCH", BATCH):
        for report in run(replace(SHORT, shard_state=True), folder / "run", images()):
            print(report.score)


def fail(which: int):
    """A run in which a rank fails in its second evaluation."""

    def case(folder: Path) -> None:
        compute = evaluator.compute_outputs

        def failing(*given):
            if rank() == which and (folder / "run/checkpoints/step-00000001.ckpt").exists():
                raise FAILS
            return compute(*given)

        with patch.object(evaluator, "compute_outputs", failing):
            evaluate_again(folder)

    return case


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A run of one process, and one that failed in its last evaluation."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "failed").mkdir()
    evaluate_again(folder)
    with pytest.raises(Exception, match="this is the first error"):
        fail(0)(folder / "failed")
    return folder


def test_an_evaluation_that_failed_is_shared_at_the_next_start_and_equal_to_the_bit(
    alone, tmp_path, monkeypatch
):
    monkeypatch.setitem(ranks.ALL, "evaluate again", evaluate_again)
    shutil.copytree(alone / "failed/run", tmp_path / "run")
    assert not checkpoint.load_newest(RunDirectory(tmp_path / "run"))[0].evaluated
    found = together("evaluate again", tmp_path, 2, seconds=240)
    assert [code for code, _ in found] == [0, 0], found
    assert rows_of(tmp_path / "run/metrics.jsonl") == rows_of(alone / "run/metrics.jsonl")
    assert checkpoint.load_newest(RunDirectory(tmp_path / "run"))[0].evaluated


def test_ranks_with_a_part_of_the_state_each_evaluate_the_whole(alone, tmp_path, monkeypatch):
    monkeypatch.setitem(ranks.ALL, "evaluate shards", evaluate_shards)
    found = together("evaluate shards", tmp_path, 2)
    assert [code for code, _ in found] == [0, 0], found
    ours, theirs = (rows_of(root / "run/metrics.jsonl") for root in (tmp_path, alone))
    assert [row["name"] for row in ours] == [row["name"] for row in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one["value"] == pytest.approx(other["value"], rel=1e-6, abs=1e-6), one


@pytest.mark.parametrize("which", [0, 1])
def test_a_rank_that_fails_in_an_evaluation_ends_all_and_its_step_is_saved(
    which, tmp_path, monkeypatch
):
    monkeypatch.setitem(ranks.ALL, "fail", fail(which))
    found = together("fail", tmp_path, 2, seconds=240)  # below the time-out
    assert found[which][0] not in (0, LOST)
    assert "this is the first error" in found[which][1]
    assert found[1 - which][0] == LOST, found
    saved, _ = checkpoint.load_newest(RunDirectory(tmp_path / "run"))
    assert (saved.step, saved.evaluated) == (2, False)
