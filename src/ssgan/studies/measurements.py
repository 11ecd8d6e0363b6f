"""What a study measures of finished runs, as commands of `ssgan evaluate`, `probe` and `sample`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from ssgan.data.sources import parse_source
from ssgan.files.run_directory import RunDirectory
from ssgan.runs.config import RunConfig
from ssgan.studies.jobs import FileJob, TrainingJob
from ssgan.studies.options import StudyOptions, short_hash
from ssgan.types import UserError

REFRESH = 204_800  # samples of the official code's "accumulators", set by its BigGAN config
SHEET_IMAGES = 10  # of each run, in a row

States = Literal["last", "all"]  # the state of the last step, or every stored state


@dataclass(frozen=True)
class AbstractMeasurement(ABC):
    """What is measured of a run, and how."""

    reads_labels: ClassVar[bool] = False  # whether the images must have classes

    @abstractmethod
    def jobs(self, run: TrainingJob, options: StudyOptions, folder: Path) -> tuple[FileJob, ...]:
        """The commands for one run. Equal measurements have the same result path in `folder`."""


def stored_steps(config: RunConfig) -> list[int]:
    """The steps of a finished run with a stored D and averaged G, including the last one."""
    every, total = config.output.snapshot_every, config.total_steps
    return [*(range(every, total, every) if every else ()), total]


@dataclass(frozen=True)
class DistanceMeasurement(AbstractMeasurement):
    """Frechet distance between samples and test images: FID with Inception features."""

    states: States = "last"
    refresh: int = 0  # samples that recompute G's batch statistics; 0: as trained

    def jobs(self, run: TrainingJob, options: StudyOptions, folder: Path) -> tuple[FileJob, ...]:
        """One `ssgan evaluate` per state, in the order of the steps."""
        last = self._job(run, options, folder, run.root)
        if self.states == "last":
            return (last,)
        directory, jobs = RunDirectory(run.root), []
        for step in stored_steps(run.config)[:-1]:
            state = directory.snapshot(step)
            job = self._job(run, options, folder, state, f"-{state.stem}")
            jobs.append(replace(job, label=f"{job.label}, step {step}"))
        return (*jobs, last)

    def _job(
        self, run: TrainingJob, options: StudyOptions, folder: Path, state: Path, suffix: str = ""
    ) -> FileJob:
        if options.test is None:
            raise UserError(f"{options.data} has no test images of its own: give --test SOURCE")
        flags = ["--against", options.test, "--n", str(options.samples), "--seeds", "1"]
        flags += ["--metrics", "fd"]
        if self.refresh:
            flags += ["--refresh", str(self.refresh)]
        if options.features is not None:
            flags += ["--features", options.features]
        key = short_hash([parse_source(options.test).name(), *flags[2:]])
        stem = f"fd-n{options.samples}-{key}{suffix}"
        result = folder / f"{stem}.jsonl"
        return FileJob(
            label=run.label,
            words=("evaluate", str(state), *flags, "--out", str(result)),
            log=folder / f"{stem}.log",
            needs=(run,),
            result=result,
        )


@dataclass(frozen=True)
class ProbeMeasurement(AbstractMeasurement):
    """Linear probes of D, block by block."""

    states: States  # "all" includes D before training
    flags: tuple[str, ...]  # of `ssgan probe`
    reads_labels: ClassVar[bool] = True

    def jobs(self, run: TrainingJob, options: StudyOptions, folder: Path) -> tuple[FileJob, ...]:
        """One `ssgan probe` per run, whose last file is the plot."""
        flags, test = list(self.flags), options.test
        if self.states == "all":
            steps = ",".join(map(str, (0, *stored_steps(run.config))))
            flags = ["--steps", steps, *flags]
        names = [parse_source(options.data).name(), test and parse_source(test).name()]
        out = folder / f"probe-{self.states}-{short_hash([*names, *flags])}"
        images = ("--data", options.data, *(() if test is None else ("--test", test)))
        words = ("probe", str(run.root), *images, *flags)
        return (_folder_job(run, words, out, "probe.png"),)


@dataclass(frozen=True)
class SampleMeasurement(AbstractMeasurement):
    """Samples from the same latents for every run."""

    def jobs(self, run: TrainingJob, options: StudyOptions, folder: Path) -> tuple[FileJob, ...]:
        """One `ssgan sample` per run."""
        words = ("sample", str(run.root), "--n", str(SHEET_IMAGES), "--seed", "0")
        out = folder / f"samples-n{SHEET_IMAGES}"
        return (_folder_job(run, words, out, "interpolation.png"),)


@dataclass(frozen=True)
class NoMeasurement(AbstractMeasurement):
    """Nothing: the renderer reads the run's own files."""

    def jobs(self, run: TrainingJob, options: StudyOptions, folder: Path) -> tuple[FileJob, ...]:
        """No commands."""
        return ()


def _folder_job(run: TrainingJob, words: tuple[str, ...], out: Path, last_file: str) -> FileJob:
    return FileJob(
        label=run.label,
        words=(*words, "--out", str(out)),
        log=out.with_name(f"{out.name}.log"),
        needs=(run,),
        result=out / last_file,
    )
