"""What is measured of a finished run, as commands of `ssgan evaluate`, `probe` and `sample`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from ssgan.data.sources import parse_source
from ssgan.files.run_directory import RunDirectory
from ssgan.runs.config import RunConfig
from ssgan.studies.jobs import FileJob, TrainingJob
from ssgan.studies.options import StudyOptions, digest
from ssgan.types import UserError

REFRESH = 204_800  # samples of the official code's "accumulators", which its BigGAN config asks for
SHEET_IMAGES = 10  # of each run, in a row

States = Literal["last", "all"]  # that of the last step, or all that a run keeps


@dataclass(frozen=True)
class AbstractMeasurement(ABC):
    """What is measured, and how."""

    reads_labels: ClassVar[bool] = False  # whether the images must have classes

    @abstractmethod
    def jobs(self, training: TrainingJob, asked: StudyOptions, folder: Path) -> tuple[FileJob, ...]:
        """The commands for one run; their results lie in `folder`, equal ones under one name."""


def kept_steps(config: RunConfig) -> list[int]:
    """The steps whose D and averaged G are there when a run is done, the last one included."""
    every, total = config.output.keep_every, config.total_steps
    return [*(range(every, total, every) if every else ()), total]


@dataclass(frozen=True)
class Distance(AbstractMeasurement):
    """Frechet distance of samples to the test images: FID, where Inception is there."""

    states: States = "last"
    refresh: int = 0  # samples of which G's batch statistics are made anew; 0: as trained

    def jobs(self, training: TrainingJob, asked: StudyOptions, folder: Path) -> tuple[FileJob, ...]:
        """One `ssgan evaluate` a state, in the order of the steps."""
        last = self._job(training, asked, folder, training.root, "")
        if self.states == "last":
            return (last,)
        layout, found = RunDirectory(training.root), []
        for step in kept_steps(training.config)[:-1]:
            state = layout.snapshot(step)
            job = self._job(training, asked, folder, state, f"-{state.stem}")
            found.append(replace(job, label=f"{job.label}, step {step}"))
        return (*found, last)

    def _job(
        self, training: TrainingJob, asked: StudyOptions, folder: Path, state: Path, suffix: str
    ) -> FileJob:
        if asked.test is None:
            raise UserError(f"{asked.data} has no test images of its own: give --test SOURCE")
        how = ["--against", asked.test, "--n", str(asked.samples), "--seeds", "1"]
        how += ["--metrics", "fd"]
        if self.refresh:
            how += ["--refresh", str(self.refresh)]
        if asked.features is not None:
            how += ["--features", asked.features]
        key = digest([parse_source(asked.test).name(), *how[2:]])
        stem = f"fd-n{asked.samples}-{key}{suffix}"
        result = folder / f"{stem}.jsonl"
        return FileJob(
            label=training.label,
            words=("evaluate", str(state), *how, "--out", str(result)),
            log=folder / f"{stem}.log",
            needs=(training,),
            result=result,
        )


@dataclass(frozen=True)
class Probe(AbstractMeasurement):
    """Linear probes of D, block by block."""

    states: States  # with "all", D before training is one of them
    how: tuple[str, ...]  # flags of `ssgan probe`
    reads_labels: ClassVar[bool] = True

    def jobs(self, training: TrainingJob, asked: StudyOptions, folder: Path) -> tuple[FileJob, ...]:
        """One `ssgan probe` a run; the picture is the last file that it writes."""
        how = list(self.how)
        if self.states == "all":
            steps = ",".join(map(str, (0, *kept_steps(training.config))))
            how = ["--steps", steps, *how]
        named = [parse_source(asked.data).name(), asked.test and parse_source(asked.test).name()]
        out = folder / f"probe-{self.states}-{digest([*named, *how])}"
        test = () if asked.test is None else ("--test", asked.test)
        return (
            FileJob(
                label=training.label,
                words=(
                    *("probe", str(training.root), "--data", asked.data, *test),
                    *(*how, "--out", str(out)),
                ),
                log=out.with_name(f"{out.name}.log"),
                needs=(training,),
                result=out / "probe.png",
            ),
        )


@dataclass(frozen=True)
class Samples(AbstractMeasurement):
    """Images of the same latents."""

    def jobs(self, training: TrainingJob, asked: StudyOptions, folder: Path) -> tuple[FileJob, ...]:
        """One `ssgan sample` a run."""
        out = folder / f"samples-n{SHEET_IMAGES}"
        return (
            FileJob(
                label=training.label,
                words=(
                    *("sample", str(training.root), "--n", str(SHEET_IMAGES), "--seed", "0"),
                    *("--out", str(out)),
                ),
                log=out.with_name(f"{out.name}.log"),
                needs=(training,),
                result=out / "interpolation.png",
            ),
        )


@dataclass(frozen=True)
class Nothing(AbstractMeasurement):
    """The run's own files say it."""

    def jobs(self, training: TrainingJob, asked: StudyOptions, folder: Path) -> tuple[FileJob, ...]:
        """None."""
        return ()
