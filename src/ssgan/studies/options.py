"""The options of `ssgan study`, and where its files are.

OUT/runs/RUN/               run directories, shared by all studies; RUN.log beside each
OUT/measured/RUN/...        results of `ssgan evaluate`, `probe` and `sample` for a run, with logs
OUT/STUDY/                  table.md, results.json, figure.png
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ssgan.config.merge import from_flags
from ssgan.config.serialize import flatten
from ssgan.runs.config_io import first_words
from ssgan.training.resume import NOT_LEARNT
from ssgan.types import UserError

Scale = Literal["laptop", "paper"]
_LONGEST = 60  # characters of overrides in a directory's name; longer ones become a digest


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """The options of `ssgan study`, checked."""

    scale: Scale
    data: str  # the image source, as on the command line
    test: str | None  # real images to compare with; None: the source has no test images
    seeds: tuple[int, ...]  # training seeds
    out: Path
    features: str | None  # feature network of `ssgan evaluate`; None: its default
    samples: int  # generated images for a Frechet distance
    processes: int = 1  # of every `ssgan train`
    overrides: tuple[str, ...] = ()  # settings for every run, as flags: --total_steps 20

    def run_directory(self, stem: str, seed: int) -> Path:
        """The directory of a run."""
        return self.out / "runs" / f"{stem}-seed{seed}"

    def results_folder(self, stem: str, seed: int) -> Path:
        """The folder of the measurements of that run."""
        return self.out / "measured" / f"{stem}-seed{seed}"


def slug(recipe: str, overrides: Sequence[str]) -> str:
    """The stem of a run's directory: readable, and equal only for equal recipes and flags.

    Settings that do not affect learning are left out. Raises UserError for words that are no flags.
    """
    changes, rest = from_flags(overrides)
    if rest:
        raise UserError(f"{rest[0]!r} is no setting; after -- give settings such as --batch_size 8")
    ignored = (*NOT_LEARNT, "recompute")  # the last is an old name
    learnt = {name: value for name, value in changes.items() if name not in ignored}
    words = sorted(first_words(path, value) for path, value in flatten(learnt).items())
    text = "-".join(words)
    if len(text) > _LONGEST or not re.fullmatch(r"[\w.=-]*", text):
        text = short_hash(words)
    stem = re.sub(r"[^\w.-]", "-", recipe)
    return f"{stem}-{text}" if text else stem


def short_hash(words: Sequence[object]) -> str:
    """Eight hexadecimal digits of the sha256 of the words as JSON."""
    return hashlib.sha256(json.dumps(list(words)).encode()).hexdigest()[:8]
