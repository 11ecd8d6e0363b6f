"""One command of a study: what it makes, what it waits for, whether that is there already."""

import shlex
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from ssgan.config.merge import read_json
from ssgan.config.serialize import dump
from ssgan.data.base import AbstractSource
from ssgan.files.run_directory import ForgettingDirectory, RunDirectory
from ssgan.runs import checkpoint
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import first_form, list_modules
from ssgan.training.history import read_log
from ssgan.training.resume import accept_directory, refuse_newest
from ssgan.types import UserError


@dataclass(frozen=True, kw_only=True)
class Job(ABC):
    """A command line of `ssgan`."""

    label: str  # "SS-GAN, seed 0"
    words: tuple[str, ...]  # after `ssgan`
    log: Path  # where what the command prints goes
    needs: tuple["Job", ...] = ()  # whose results it reads
    processes: int = 1  # that it starts

    @property
    def verb(self) -> str:
        """What is done: train, evaluate, probe, sample, forget."""
        return self.words[0]

    @property
    def name(self) -> str:
        """What is shown: the verb and of what."""
        return f"{self.verb} {self.label}"

    @property
    def command(self) -> str:
        """The command as it can be typed."""
        return shlex.join(("ssgan", *self.words))

    @abstractmethod
    def done(self) -> bool:
        """Whether the result is there, whole."""

    @abstractmethod
    def refuse(self) -> None:
        """Raise UserError when what is there is of something else than this command's."""


@dataclass(frozen=True, kw_only=True)
class FileJob(Job):
    """A command that ends by writing a file, whole or not at all."""

    result: Path  # the last file that it writes

    def done(self) -> bool:
        """Whether that file is there."""
        return self.result.is_file()

    def refuse(self) -> None:
        """Nothing: its folder is named after all that decides what is in it."""


@dataclass(frozen=True, kw_only=True)
class ForgettingJob(FileJob):
    """`ssgan forget`, whose directory's name says nothing of the images."""

    source: AbstractSource  # to learn from
    held_out: AbstractSource | None  # to ask about; None: a part of `source`

    def refuse(self) -> None:
        """Raise UserError when the directory holds a study of other images."""
        file = ForgettingDirectory(self.result.parent).study
        settings = read_json(file).get("settings") if file.exists() else None
        if not isinstance(settings, dict):
            return
        for name in ("source", "held_out"):
            own = getattr(self, name)
            same = [None] if own is None else [dump(own), first_form(own)]
            if settings.get(name) not in same:
                raise UserError(
                    f"{file.parent} holds a study of other images ({name}): give each data set a "
                    "directory of its own (--out)"
                )


@dataclass(frozen=True, kw_only=True)
class TrainingJob(Job):
    """`ssgan train`: its result is the checkpoint of the last step."""

    root: Path  # the run directory
    config: RunConfig = field(compare=False)  # what the command makes of recipe and flags

    def done(self) -> bool:
        """Whether the newest whole checkpoint is of the last step."""
        saved, _ = checkpoint.load_newest(RunDirectory(self.root), list_modules(dump(self.config)))
        return saved is not None and saved.step == self.config.total_steps

    def refuse(self) -> None:
        """Raise UserError when the directory holds a run that this one could not continue."""
        layout = RunDirectory(self.root)
        refuse_newest(layout, accept_directory(layout, self.config))

    def pace(self) -> tuple[int, float]:
        """Steps done and the seconds they took, by the newest line of the log; (0, 0.0) if none."""
        rows = read_log(RunDirectory(self.root))
        if not rows:
            return 0, 0.0
        step, seconds = rows[-1].get("step"), rows[-1].get("seconds")
        assert isinstance(step, int)
        assert isinstance(seconds, int | float)
        return step, float(seconds)
