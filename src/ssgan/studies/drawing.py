"""What a study makes of its results: tables, facts for other programs, and a figure."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ssgan.studies.arm import AbstractArm
from ssgan.studies.cell import Cell
from ssgan.studies.published import Published

T = TypeVar("T")
BySeed = dict[AbstractArm, dict[int, T]]


@dataclass(frozen=True)
class Drawn:
    """The drawing of what is there."""

    tables: str  # Markdown: measured numbers alone
    facts: Mapping[str, object] = field(default_factory=dict)  # JSON: protocol, every number
    figure: bytes | None = None  # PNG


@dataclass(frozen=True)
class AbstractDrawing(ABC):
    """A way to draw; what is published stands beside it, apart."""

    published: tuple[Published, ...]

    @abstractmethod
    def draw(self, cells: Sequence[Cell]) -> Drawn:
        """Draw these, of which all are done; there is at least one.

        Raises UserError when their numbers are of more than one protocol.
        """


def by_arm(found: Iterable[tuple[Cell, T]]) -> BySeed[T]:
    """What was found of each cell, by arm and seed, arms in order of appearance."""
    arms: BySeed[T] = {}
    for cell, value in found:
        arms.setdefault(cell.arm, {})[cell.seed] = value
    return arms


def groups(arms: Iterable[AbstractArm]) -> list[list[AbstractArm]]:
    """The arms that are compared with each other; the first of each is what others are held to."""
    found: dict[str, list[AbstractArm]] = {}
    for arm in arms:
        found.setdefault(arm.group, []).append(arm)
    return list(found.values())
