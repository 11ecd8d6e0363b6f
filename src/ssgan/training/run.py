"""A run in its directory: whatever happens to the process, running it again continues it."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ssgan.data.dataset import Dataset
from ssgan.files.atomic import DiskFull, free_bytes
from ssgan.files.layout import RunLayout
from ssgan.files.lock import locked
from ssgan.training import checkpoint
from ssgan.training.config import RunConfig
from ssgan.training.loop import open_dataset, resolved, train
from ssgan.training.precision import resolve_device
from ssgan.training.records import Records
from ssgan.training.resume import open_directory, resume
from ssgan.training.signals import Interrupted, stop_requests
from ssgan.training.state import fresh_state
from ssgan.types import UserError


@dataclass(frozen=True)
class RunReport:
    """What one step of a run did."""

    step: int  # steps done, this one included
    terms: dict[str, float] | None  # the losses, on steps that are logged
    checkpoint: Path | None  # the newest checkpoint, once there is one
    score: float | None  # this process's newest quality score, once there is one


def run(
    config: RunConfig,
    directory: Path,
    dataset: Dataset | None = None,
    crash: Callable[[str], None] = checkpoint.no_crash,
) -> Iterator[RunReport]:
    """Train to total_steps in a directory, from where its newest whole checkpoint stands.

    Raises UserError for settings or data that do not fit, or that differ from the directory's;
    Interrupted after a signal; NonFinite for bad numbers; DiskFull when nothing more can be
    written. In all of these the newest checkpoint is whole.
    """
    config = resolved(config)
    dataset = open_dataset(config.data) if dataset is None else dataset
    state = fresh_state(config, dataset.num_classes, resolve_device(config.device))
    layout = RunLayout(directory)
    open_directory(layout)
    with file_errors_in_words(directory), locked(layout.lock), stop_requests() as stop:
        newest = resume(layout, config, dataset, state)
        facts = checkpoint.facts_of(config, dataset.content_hash, dataset.classes)
        with Records(layout, config, dataset, state) as records:
            for report in train(config, dataset, state):
                terms = records.record(report)
                if state.best_step == state.step:
                    checkpoint.save_best(layout, state, facts, crash)
                every = config.output.keep_every
                if every and state.step % every == 0:  # first: a resumed run never comes back here
                    checkpoint.save_kept(layout, state, facts, crash)
                last = state.step == config.total_steps
                leave = stop.received  # read once: asked for after this, it waits for a step
                if last or leave or state.step % config.output.checkpoint_every == 0:
                    newest = checkpoint.save(layout, state, facts, crash)
                yield RunReport(state.step, terms, newest, records.score)
                if leave and not last:
                    raise Interrupted(leave, state.step)


@contextmanager
def file_errors_in_words(directory: Path) -> Iterator[None]:
    """Within, an OSError becomes DiskFull, or a UserError naming the file and the reason."""
    try:
        yield
    except OSError as error:
        path = Path(error.filename or directory)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(path, None, free_bytes(directory)) from error
        raise UserError(f"{path} cannot be written or read: {error.strerror}") from error
