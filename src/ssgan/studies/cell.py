"""An arm at a seed, and which commands of a study have something to do."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ssgan.data.base import Outline
from ssgan.studies.arm import AbstractArm
from ssgan.studies.job import Job, Making, Training
from ssgan.training.misfits import refuse_misfits


class Cell(NamedTuple):
    """One arm at one seed: its run, and what is measured of it."""

    arm: AbstractArm
    seed: int
    training: Job
    measuring: tuple[Making, ...]

    def done(self) -> bool:
        """Whether all that the drawing reads is there."""
        return all(job.done() for job in self.measuring or (self.training,))


def jobs_of(cells: Sequence[Cell]) -> list[Job]:
    """All commands, a run's measurements right after it."""
    return [job for cell in cells for job in (cell.training, *cell.measuring)]


def open_jobs(cells: Sequence[Cell]) -> list[Job]:
    """The commands that have something to do. A run is trained only if something needs it."""
    return list(_open(cells))


def _open(cells: Sequence[Cell]) -> Iterator[Job]:
    for cell in cells:
        missing = [job for job in cell.measuring if not job.done()]
        if (missing or not cell.measuring) and not cell.training.done():
            yield cell.training
        yield from missing


def refuse_other_runs(cells: Sequence[Cell]) -> None:
    """Raise UserError when a directory holds a run with other settings, or of other images."""
    for cell in cells:
        cell.training.refuse()


def refuse_unfit_settings(cells: Sequence[Cell], outline: Outline) -> None:
    """Raise UserError for settings that do not fit the images, of which this is the outline.

    Nor the number of processes.
    """
    for cell in {cell.arm: cell for cell in cells}.values():
        if isinstance(cell.training, Training):
            config, processes = cell.training.config, cell.training.processes
            refuse_misfits(config, outline.survey.num_images, len(outline.classes), processes)
