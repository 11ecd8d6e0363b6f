"""One command of a study: what it makes, what it waits for, whether that is there already."""

import shlex
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from ssgan.config.dump import dump
from ssgan.files.layout import RunLayout
from ssgan.training import checkpoint
from ssgan.training.config import RunConfig
from ssgan.training.logged import log_lines
from ssgan.training.resume import definite, modules_of, refuse_used_directory


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


@dataclass(frozen=True, kw_only=True)
class Making(Job):
    """A command that ends by writing a file, whole or not at all."""

    result: Path  # the last file that it writes

    def done(self) -> bool:
        """Whether that file is there."""
        return self.result.is_file()


@dataclass(frozen=True, kw_only=True)
class Training(Job):
    """`ssgan train`: its result is the checkpoint of the last step."""

    root: Path  # the run directory
    config: RunConfig = field(compare=False)  # what the command makes of recipe and flags

    def done(self) -> bool:
        """Whether the newest whole checkpoint is of the last step."""
        saved, _ = checkpoint.newest(RunLayout(self.root), modules_of(dump(self.config)))
        return saved is not None and saved.step == self.config.total_steps

    def refuse(self) -> None:
        """Raise UserError when the directory holds a run that this one could not continue."""
        layout = RunLayout(self.root)
        refuse_used_directory(layout, definite(layout, self.config))

    def pace(self) -> tuple[int, float]:
        """Steps done and the seconds they took, by the newest line of the log; (0, 0.0) if none."""
        rows = log_lines(RunLayout(self.root))
        if not rows:
            return 0, 0.0
        step, seconds = rows[-1].get("step"), rows[-1].get("seconds")
        assert isinstance(step, int)
        assert isinstance(seconds, int | float)
        return step, float(seconds)
