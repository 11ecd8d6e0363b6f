"""The trials of a study: every variant at every seed, and the commands that are still open."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from ssgan.data.base import DatasetInfo
from ssgan.runs.config import RunConfig
from ssgan.runs.state import fresh_state
from ssgan.studies.jobs import AbstractRunJob, FileJob, Job, TrainingJob
from ssgan.studies.measurements import AbstractMeasurement
from ssgan.studies.options import StudyOptions
from ssgan.studies.variants import AbstractVariant
from ssgan.training.cost import estimate_disk
from ssgan.training.validation import validate_info
from ssgan.types import UserError


class Trial(NamedTuple):
    """One variant at one seed: its run and the measurements of that run."""

    variant: AbstractVariant
    seed: int
    training: AbstractRunJob
    measuring: tuple[FileJob, ...]

    @property
    def config(self) -> RunConfig:
        """The settings of its `ssgan train`."""
        assert isinstance(self.training, TrainingJob)
        return self.training.config

    def is_done(self) -> bool:
        """Whether everything that the renderer reads exists."""
        return all(job.is_done() for job in self.measuring or (self.training,))


def build_trials(
    variants: Sequence[AbstractVariant],
    measurement: AbstractMeasurement,
    options: StudyOptions,
    info: DatasetInfo,
) -> list[Trial]:
    """Every variant at every seed, seed by seed, so that variants can be compared early.

    Raises UserError for settings that do not fit, or that make two variants the same run.
    """
    titles: dict[str, str] = {}
    for variant in variants:
        first = titles.setdefault(variant.slug(options), variant.title)
        if first != variant.title:
            raise UserError(
                f"with {' '.join(options.overrides)} {first!r} and {variant.title!r} are one run: "
                "omit the setting, or select one of them with --variants"
            )
    trials = []
    for seed in options.seeds:
        for variant in variants:
            training = variant.job(options, seed, info)
            measuring: tuple[FileJob, ...] = ()
            if isinstance(training, TrainingJob):
                folder = options.results_folder(variant.slug(options), seed)
                measuring = measurement.jobs(training, options, folder)
            trials.append(Trial(variant, seed, training, measuring))
    return trials


def list_jobs(trials: Sequence[Trial]) -> list[Job]:
    """All commands; the measurements of a run follow it."""
    return [job for trial in trials for job in (trial.training, *trial.measuring)]


def list_open_jobs(trials: Sequence[Trial]) -> list[Job]:
    """The commands whose result is missing. A run is trained only if a measurement needs it."""
    jobs: list[Job] = []
    for trial in trials:
        missing = [job for job in trial.measuring if not job.is_done()]
        if (missing or not trial.measuring) and not trial.training.is_done():
            jobs.append(trial.training)
        jobs += missing
    return jobs


def refuse_other_runs(trials: Sequence[Trial]) -> None:
    """Raise UserError when a directory holds a run with other settings or other images."""
    for trial in trials:
        trial.training.check_directory()


def refuse_unfit_settings(trials: Sequence[Trial], info: DatasetInfo) -> None:
    """Raise UserError for settings or a number of processes that do not fit the images."""
    for trial in {trial.variant: trial for trial in trials}.values():
        if isinstance(trial.training, TrainingJob):
            validate_info(trial.config, info, trial.training.processes)


class StudyDisk(NamedTuple):
    """Bytes on disk, without feature caches and temporary files of probes."""

    runs: int  # checkpoints, snapshots and best states of all finished runs
    images: int  # the prepared images, once


def estimate_study_disk(trials: Sequence[Trial], info: DatasetInfo) -> StudyDisk:
    """Disk usage of all runs and of the images. Builds networks and writes nothing."""
    runs, images = 0, 0
    sizes: dict[str, int] = {}
    for trial in trials:
        if isinstance(trial.training, TrainingJob):
            config, title = trial.config, trial.variant.title
            if title not in sizes:
                state = fresh_state(config, len(info.classes), torch.device("cpu"))
                sizes[title] = estimate_disk(config, state).done
            runs += sizes[title]
            size, channels = config.data.image_size, config.data.channels
            images = max(images, info.header_stats.num_images * size * size * channels)
    return StudyDisk(runs, images)
