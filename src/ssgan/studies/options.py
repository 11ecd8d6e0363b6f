"""What a study is asked to do, and where everything of it lies.

OUT/runs/RUN/               run directories, shared by all studies; RUN.log beside each
OUT/measured/RUN/...        what `ssgan evaluate`, `probe`, `sample` found of a run, with logs
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
from ssgan.training.resume import NOT_LEARNT
from ssgan.types import UserError

Scale = Literal["laptop", "paper"]
_LONGEST = 60  # characters of overrides in a directory's name; more become a digest


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """The options of `ssgan study`, checked."""

    scale: Scale
    data: str  # the source, as given on the command line
    test: str | None  # real images to measure against; None: the source knows no others
    seeds: tuple[int, ...]  # of training
    out: Path
    features: str | None  # of `ssgan evaluate`; None: its own choice
    samples: int  # images made for a Frechet distance
    processes: int = 1  # of every `ssgan train`
    overrides: tuple[str, ...] = ()  # settings for every run, as flags: --total_steps 20

    def run(self, slug: str, seed: int) -> Path:
        """A run's directory."""
        return self.out / "runs" / f"{slug}-seed{seed}"

    def measured(self, slug: str, seed: int) -> Path:
        """The folder of what is measured of that run."""
        return self.out / "measured" / f"{slug}-seed{seed}"


def slug(recipe: str, overrides: Sequence[str]) -> str:
    """A directory's name for a recipe with flags: readable, and the same only for the same.

    Settings that do not change what is learnt are left out: such runs are one run.
    """
    changes, rest = from_flags(overrides)
    if rest:
        raise UserError(f"{rest[0]!r} is no setting; after -- give settings such as --batch_size 8")
    learnt = {name: value for name, value in changes.items() if name not in NOT_LEARNT}
    stem = re.sub(r"[^\w.-]", "-", recipe)
    words = [f"{path}={value}" for path, value in sorted(flatten(learnt).items())]
    text = "-".join(words)
    if not words:
        return stem
    readable = len(text) <= _LONGEST and re.fullmatch(r"[\w.=-]+", text)
    return f"{stem}-{text if readable else digest(words)}"


def digest(words: Sequence[object]) -> str:
    """Eight hexadecimal digits that are equal for equal words."""
    return hashlib.sha256(json.dumps(list(words)).encode()).hexdigest()[:8]
