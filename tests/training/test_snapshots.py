"""Snapshots stay, whole and complete, whatever happens to the run."""

import pytest
import torch

from ssgan.files.run_directory import RunDirectory, parse_step
from ssgan.runs import checkpoint
from ssgan.runs.checkpoint import find_state
from ssgan.runs.config import OutputConfig
from ssgan.runs.sampling import load_generator
from ssgan.training.cost import estimate_cost
from ssgan.training.loop import train
from ssgan.types import UserError
from tests.training import harness
from tests.training.test_plan import OUTLINE
from tests.training.tiny import STEPS, images, stop_after, tiny, to_the_end
from tests.training.tiny import with_output as writing

pytestmark = pytest.mark.slow

CONFIG = writing(tiny(), checkpoint_every=1, snapshot_every=2)


@pytest.fixture(scope="module")
def dataset():
    return images()


@pytest.fixture(scope="module")
def root(dataset, tmp_path_factory):
    root = tmp_path_factory.mktemp("kept") / "run"
    to_the_end(CONFIG, root, dataset)
    return root


def kept(root):
    return [parse_step(path) for path in RunDirectory(root).snapshot_files()]


def test_snapshots_are_not_pruned_and_checkpoints_are_still_two(root):
    assert kept(root) == [6, 4, 2]
    assert [parse_step(path) for path in RunDirectory(root).checkpoint_files()] == [6, 5]


def test_a_snapshot_is_d_and_the_averaged_g_of_that_step(dataset, root):
    for report in train(CONFIG, dataset):
        if report.step % 2:
            continue
        saved = find_state(RunDirectory(root).snapshot(report.step)).checkpoint
        assert saved.step == report.step
        assert set(saved.tensors) == {"discriminator", "generator_ema"}
        for name, table in saved.tensors.items():
            for key, value in getattr(report.state, name).state_dict().items():
                assert torch.equal(table[key], value), f"{name} {key}"
        load_generator(saved, torch.device("cpu"))


def test_keeping_changes_nothing_that_is_learnt(dataset, root, tmp_path):
    plain = to_the_end(writing(CONFIG, snapshot_every=0), tmp_path / "plain", dataset)
    assert checkpoint.load_newest(RunDirectory(root))[0].step == STEPS
    assert plain == to_the_end(CONFIG, root, dataset)
    assert kept(tmp_path / "plain") == []


def test_a_run_that_was_stopped_and_continued_has_all_of_them(dataset, root, tmp_path):
    stop_after(CONFIG, tmp_path / "run", dataset, 3)
    to_the_end(CONFIG, tmp_path / "run", dataset)
    assert kept(tmp_path / "run") == [6, 4, 2]
    for step in (2, 4, 6):
        ours, theirs = (RunDirectory(r).snapshot(step) for r in (tmp_path / "run", root))
        a, b = checkpoint.load_checkpoint(ours).tensors, checkpoint.load_checkpoint(theirs).tensors
        assert all(torch.equal(a[n][k], b[n][k]) for n in a for k in a[n])


def test_they_are_no_points_to_resume_from(dataset, tmp_path):
    """A run that has lost its checkpoints starts over, and does not take a kept state for one."""
    config = writing(tiny(total_steps=2), checkpoint_every=1, snapshot_every=1)
    expected = to_the_end(config, tmp_path, dataset)
    for path in RunDirectory(tmp_path).checkpoint_files():
        path.unlink()
    assert checkpoint.load_newest(RunDirectory(tmp_path)) == (None, [])
    assert to_the_end(config, tmp_path, dataset) == expected


@pytest.mark.skipif(torch.accelerator.is_available(), reason="an accelerator cannot be forked")
def test_killed_between_two_files_every_one_is_there_in_the_end(dataset, tmp_path):
    """A state is kept before the checkpoint past it: a resumed run never comes back to it."""
    config = writing(tiny(total_steps=2), checkpoint_every=1, snapshot_every=2)
    points = harness.points_of(config, tmp_path / "listed", dataset)
    starts = [number for number, point in enumerate(points) if point == "serialised"]
    assert len(starts) == 3  # checkpoint 1, kept 2, checkpoint 2
    chosen = [starts[1], starts[2] - 1, starts[2]]  # before, between and after the two renames
    tally = harness.kills_at_points(config, tmp_path, dataset, chosen, points)
    assert tally.landed == tally.equal == len(chosen)
    for number in chosen:
        assert kept(tmp_path / f"point-{number}") == [2]
        checkpoint.load_checkpoint(RunDirectory(tmp_path / f"point-{number}").snapshot(2))


def test_a_plan_counts_them():
    config = writing(tiny(total_steps=100), snapshot_every=30)
    few, none = (
        estimate_cost(config, OUTLINE),
        estimate_cost(writing(config, snapshot_every=0), OUTLINE),
    )
    networks = few.discriminator_weights + few.generator_weights
    assert none.disk.snapshots == 0
    assert few.disk.snapshots >= 3 * 4 * networks
    assert f"{(few.disk.peak + few.data_bytes) / 1e6:.1f} MB: images" in few.text()
    assert "snapshots" in few.text()


def test_a_negative_number_of_steps_is_refused():
    with pytest.raises(UserError, match="snapshot_every must be at least 0"):
        OutputConfig(snapshot_every=-1)
