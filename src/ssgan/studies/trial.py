"""An arm at a seed, and which commands of a study have something to do."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ssgan.data.base import DatasetInfo
from ssgan.studies.jobs import FileJob, Job, TrainingJob
from ssgan.studies.variants import AbstractVariant
from ssgan.training.validation import validate_run


class Trial(NamedTuple):
    """One arm at one seed: its run, and what is measured of it."""

    variant: AbstractVariant
    seed: int
    training: Job
    measuring: tuple[FileJob, ...]

    def done(self) -> bool:
        """Whether all that the drawing reads is there."""
        return all(job.done() for job in self.measuring or (self.training,))


def list_jobs(trials: Sequence[Trial]) -> list[Job]:
    """All commands, a run's measurements right after it."""
    return [job for trial in trials for job in (trial.training, *trial.measuring)]


def list_open_jobs(trials: Sequence[Trial]) -> list[Job]:
    """The commands that have something to do. A run is trained only if something needs it."""
    return list(_open(trials))


def _open(trials: Sequence[Trial]) -> Iterator[Job]:
    for trial in trials:
        missing = [job for job in trial.measuring if not job.done()]
        if (missing or not trial.measuring) and not trial.training.done():
            yield trial.training
        yield from missing


def refuse_other_runs(trials: Sequence[Trial]) -> None:
    """Raise UserError when a directory holds a run with other settings, or of other images."""
    for trial in trials:
        trial.training.refuse()


def refuse_unfit_settings(trials: Sequence[Trial], info: DatasetInfo) -> None:
    """Raise UserError for settings that do not fit the images, of which this is the outline.

    Nor the number of processes.
    """
    for trial in {trial.variant: trial for trial in trials}.values():
        if isinstance(trial.training, TrainingJob):
            config, processes = trial.training.config, trial.training.processes
            validate_run(config, info.header_stats.num_images, len(info.classes), ranks=processes)
