"""Whatever bytes a checkpoint has become: it is read right, or refused in one line."""

import shutil
from pathlib import Path

import pytest

from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.runs.checkpoint import Damaged
from ssgan.types import UserError
from tests.files.mutants import FAULTS, MUTANTS, Bill, byte_mutants, require_one_line
from tests.training.tiny import digest_of, images, stop_after, tiny, to_the_end

OLDER, NEWER = 3, 4


@pytest.fixture(scope="module")
def dataset():
    return images()


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    return to_the_end(tiny(), tmp_path_factory.mktemp("finished") / "run", dataset)


@pytest.fixture(scope="module")
def stopped(dataset, tmp_path_factory):
    root = tmp_path_factory.mktemp("stopped") / "run"
    for step in (OLDER, NEWER):
        stop_after(tiny(), root, dataset, step)
    return root


@pytest.fixture
def layout(stopped, tmp_path):
    return RunDirectory(Path(shutil.copytree(stopped, tmp_path / "run")))


def test_every_kind_of_fault_is_among_the_mutants():
    kinds = [words.rpartition(" ")[2] for words, _ in byte_mutants(bytes(range(256)) * 64)]
    assert len(kinds) == MUTANTS
    assert min(kinds.count(kind) for kind in FAULTS) > MUTANTS / len(FAULTS) / 2


def test_a_damaged_checkpoint_is_refused_in_a_line_and_never_read_wrong(layout, record_property):
    path, bill = layout.checkpoint(NEWER), Bill()
    for _, data in byte_mutants(path.read_bytes()):
        path.write_bytes(data)
        with pytest.raises((Damaged, UserError), match=path.name) as refusal:
            bill.read(lambda: checkpoint.load_checkpoint(path))
        require_one_line(refusal.value)
        bill.count(type(refusal.value).__name__)
    bill.check(record_property, "checkpoints")


def swap(layout):
    """The two files under each other's name."""
    older, newer, free = layout.checkpoint(OLDER), layout.checkpoint(NEWER), layout.root / "free"
    older.rename(free)
    newer.rename(older)
    free.rename(newer)


def rename_older(layout):
    shutil.copy(layout.checkpoint(OLDER), layout.checkpoint(NEWER))


def append_trailer(layout):
    """A second trailer after the first."""
    path = layout.checkpoint(NEWER)
    path.write_bytes(path.read_bytes() + path.read_bytes()[-38:])


def join(layout):
    """The older payload with the newer trailer."""
    older, newer = layout.checkpoint(OLDER).read_bytes(), layout.checkpoint(NEWER).read_bytes()
    layout.checkpoint(NEWER).write_bytes(older[:-38] + newer[-38:])


@pytest.mark.parametrize("change", [rename_older, append_trailer, join])
def test_a_damaged_checkpoint_is_passed_over_and_the_run_ends_the_same(
    change, layout, dataset, finished
):
    change(layout)
    saved, passed_over = checkpoint.load_newest(layout)
    assert saved.step == OLDER
    assert len(passed_over) == 1
    assert to_the_end(tiny(), layout.root, dataset) == finished


def test_damaged_anyhow_the_older_one_is_used(layout, stopped, record_property):
    path, expected = (
        layout.checkpoint(NEWER),
        digest_of(checkpoint.load_checkpoint(layout.checkpoint(OLDER))),
    )
    for words, data in byte_mutants(path.read_bytes(), 60):
        path.write_bytes(data)
        saved, passed_over = checkpoint.load_newest(layout)
        assert (saved.step, digest_of(saved), len(passed_over)) == (OLDER, expected, 1), words
    record_property("fallbacks", 60)


def test_under_each_others_names_neither_is_used(layout, dataset):
    swap(layout)
    with pytest.raises(UserError, match=r"none is whole: .*holds step 3, against its name") as said:
        to_the_end(tiny(), layout.root, dataset)
    require_one_line(said.value)


@pytest.mark.parametrize("other", [tiny(seed=1), tiny("gan"), tiny(discriminator_updates=2)])
def test_a_checkpoint_of_another_config_is_refused_and_left_alone(other, layout, dataset, tmp_path):
    stop_after(other, tmp_path / "other", dataset, NEWER)
    shutil.copy(RunDirectory(tmp_path / "other").checkpoint(NEWER), layout.checkpoint(NEWER))
    before = layout.checkpoint(NEWER).read_bytes()
    with pytest.raises(UserError, match="holds a run with other settings") as refusal:
        to_the_end(tiny(), layout.root, dataset)
    require_one_line(refusal.value)
    assert layout.checkpoint(NEWER).read_bytes() == before
