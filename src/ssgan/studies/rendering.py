"""What a study makes of its results: tables, facts for other programs, and a figure."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ssgan.studies.published import Published
from ssgan.studies.trial import Trial
from ssgan.studies.variants import AbstractVariant

T = TypeVar("T")
BySeed = dict[AbstractVariant, dict[int, T]]


@dataclass(frozen=True)
class Rendered:
    """The drawing of what is there."""

    tables: str  # Markdown: measured numbers alone
    facts: Mapping[str, object] = field(default_factory=dict)  # JSON: protocol, every number
    figure: bytes | None = None  # PNG


@dataclass(frozen=True)
class AbstractRenderer(ABC):
    """A way to draw; what is published stands beside it, apart."""

    published: tuple[Published, ...]

    @abstractmethod
    def draw(self, trials: Sequence[Trial]) -> Rendered:
        """Draw these, of which all are done; there is at least one.

        Raises UserError when their numbers are of more than one protocol.
        """


def group_by_variant(found: Iterable[tuple[Trial, T]]) -> BySeed[T]:
    """What was found of each cell, by arm and seed, arms in order of appearance."""
    variants: BySeed[T] = {}
    for trial, value in found:
        variants.setdefault(trial.variant, {})[trial.seed] = value
    return variants


def groups(variants: Iterable[AbstractVariant]) -> list[list[AbstractVariant]]:
    """The arms that are compared with each other; the first of each is what others are held to."""
    found: dict[str, list[AbstractVariant]] = {}
    for variant in variants:
        found.setdefault(variant.group, []).append(variant)
    return list(found.values())
