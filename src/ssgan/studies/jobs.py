"""One command of a study: its result, what it needs, and whether the result exists."""

import shlex
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ssgan.config.merge import read_json
from ssgan.config.serialize import dump
from ssgan.data.base import AbstractSource, Preprocessing
from ssgan.data.prepare import prepare
from ssgan.files.run_directory import ForgettingDirectory, RunDirectory
from ssgan.runs import checkpoint
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import list_modules
from ssgan.runs.precision import resolve_device
from ssgan.studies.forgetting.settings import read_settings
from ssgan.training.history import read_log
from ssgan.training.resume import accept_directory
from ssgan.types import UserError


@dataclass(frozen=True, kw_only=True)
class Job(ABC):
    """A command line of `ssgan`."""

    label: str  # "SS-GAN, seed 0"
    words: tuple[str, ...]  # after `ssgan`
    log: Path  # receives what the command prints
    needs: tuple["Job", ...] = ()  # whose results it reads
    processes: int = 1  # that it starts

    @property
    def verb(self) -> str:
        """The verb: train, evaluate, probe, sample, forget."""
        return self.words[0]

    @property
    def name(self) -> str:
        """The verb and the label."""
        return f"{self.verb} {self.label}"

    @property
    def command(self) -> str:
        """The command line, quoted for a shell."""
        return shlex.join(("ssgan", *self.words))

    def read_log(self) -> list[str]:
        """The lines of its log; none if it is missing, as a shared file system may show it late."""
        try:
            return self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []

    @abstractmethod
    def is_done(self) -> bool:
        """Whether the whole result exists."""


@dataclass(frozen=True, kw_only=True)
class FileJob(Job):
    """A command that ends by writing a file, whole or not at all."""

    result: Path  # the last file that it writes

    def is_done(self) -> bool:
        """Whether that file exists."""
        return self.result.is_file()


@dataclass(frozen=True, kw_only=True)
class AbstractRunJob(Job):
    """A command that writes a run directory, whose name does not encode everything."""

    root: Path  # the directory

    @abstractmethod
    def check_directory(self) -> None:
        """Raise UserError when the directory holds a run that this one could not continue."""


@dataclass(frozen=True, kw_only=True)
class ForgettingJob(FileJob, AbstractRunJob):
    """`ssgan forget`."""

    source: AbstractSource  # training images
    held_out: AbstractSource | None  # test images; None: a part of `source`

    def check_directory(self) -> None:
        """Raise UserError when the directory holds a forgetting run on other images."""
        sources = [one for one in (self.source, self.held_out) if one is not None]
        trusted = [module for one in sources for module in list_modules(dump(one))]
        directory = ForgettingDirectory(self.root)
        if (stored := read_settings(directory, trusted)) is None:
            return
        facts = read_json(directory.study)
        for name, part in (("source", "train"), ("held_out", "test")):
            content = facts.get(part, {}).get("content_hash")
            if not _holds_same_images(
                *(getattr(stored, name), getattr(self, name), stored.preprocessing), content
            ):
                raise UserError(
                    f"{self.root} holds a forgetting run on other images ({name}): give each "
                    "data set a directory of its own (--out)"
                )


def _holds_same_images(
    stored: AbstractSource | None,
    source: AbstractSource | None,
    preprocessing: Preprocessing,
    content: object,
) -> bool:
    """Whether a run on a stored source is one on this source, which may have moved.

    Where the place differs the images are prepared, and compared with the run's content hash.
    """
    if stored is None or source is None or stored == source:
        return stored == source
    if stored.without_place() != source.without_place():
        return False
    return prepare(source, preprocessing).content_hash == content


class _Saved(NamedTuple):
    step: int
    data_hash: str
    config: RunConfig


@dataclass(frozen=True, kw_only=True)
class TrainingJob(AbstractRunJob):
    """`ssgan train`, whose result is the checkpoint of the last step."""

    config: RunConfig = field(compare=False)  # the recipe with the flags applied

    def is_done(self) -> bool:
        """Whether the newest whole checkpoint has the last step."""
        saved = self._newest()
        return saved is not None and saved.step == self.config.total_steps

    def check_directory(self) -> None:
        """Raise UserError for a run that this one could not continue, or a missing device."""
        directory, saved = RunDirectory(self.root), self._newest()
        resolve_device(self.config.device)
        if not directory.holds_run():
            return
        data = accept_directory(directory, self.config).data
        if saved is not None and not _holds_same_images(
            *(saved.config.data.source, data.source, data.preprocessing), saved.data_hash
        ):
            raise UserError(
                f"{self.root} was trained on other images ({saved.config.data.source.name()}): "
                "give each data set a directory of its own (--out)"
            )

    def read_pace(self) -> tuple[int, float]:
        """Steps done and their seconds, by the log's last line; (0, 0.0) without a log."""
        try:
            facts = RunDirectory(self.root).log.stat()
        except OSError:
            return 0, 0.0
        return _read_pace(self.root, facts.st_size, facts.st_mtime_ns)

    def _newest(self) -> _Saved | None:
        stamps = []
        for path in RunDirectory(self.root).checkpoint_files():
            try:
                facts = path.stat()
            except FileNotFoundError:  # a running command has just pruned it
                continue
            stamps.append((path, facts.st_ino, facts.st_size, facts.st_mtime_ns))
        return _read_newest(self.root, tuple(stamps), tuple(list_modules(dump(self.config))))


@lru_cache(maxsize=4096)
def _read_pace(root: Path, size: int, changed: int) -> tuple[int, float]:
    """Step and seconds of the log's last line; size and time of the log say whether it is new."""
    rows = read_log(RunDirectory(root))
    if not rows:
        return 0, 0.0
    step, seconds = rows[-1]["step"], rows[-1]["seconds"]
    assert isinstance(step, int)
    assert isinstance(seconds, int | float)
    return step, float(seconds)


@lru_cache(maxsize=4096)
def _read_newest(root: Path, stamps: Sequence[object], trusted: Sequence[str]) -> _Saved | None:
    """The newest whole checkpoint; `stamps` identify the files, each of which is read once."""
    if not stamps:
        return None
    saved, _ = checkpoint.load_newest(RunDirectory(root), trusted)
    return None if saved is None else _Saved(saved.step, saved.data_hash, saved.config)
