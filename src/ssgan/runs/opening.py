"""Finding the state that a path stands for: a run's newest, its best, or one file."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.runs.checkpoint import Checkpoint
from ssgan.types import UserError


class FoundState(NamedTuple):
    """A checkpoint, and a sentence for each newer file that was passed over."""

    checkpoint: Checkpoint
    passed_over: list[str]


def find_state(
    path: Path, *, best: bool = False, trusted_modules: Sequence[str] = ()
) -> FoundState:
    """The newest (or the best) state of a run directory, or the state in one checkpoint file.

    Settings of classes outside ssgan are read when their module is trusted. Raises UserError when
    there is no such state, or its file is damaged. The best state holds the averaged generator
    alone.
    """
    if path.is_file() or best:
        file = path if path.is_file() else RunDirectory(path).best_checkpoint()
        if not file.exists():
            raise UserError(f"{file} is not there: the run has no score yet (evaluate.every)")
        try:
            return FoundState(checkpoint.load_checkpoint(file, trusted_modules), [])
        except checkpoint.Damaged as damage:
            raise UserError(str(damage)) from None
    if not path.is_dir():
        raise UserError(f"{path} is not there; give a run directory or a checkpoint file")
    found, passed_over = checkpoint.load_newest(RunDirectory(path), trusted_modules)
    if found is None:
        reason = passed_over[0] if passed_over else "it has no checkpoint yet"
        raise UserError(f"no state to read in {path}: {reason}")
    return FoundState(found, passed_over)
