"""What is known of a run so far, from its logs, as the rules of the watch read it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ssgan.training.measure import key_of

BLOCK_LINES, BLOCK_STEPS = 20, 100  # a block of the log has at least so many lines and steps

# All that the rotation task alone logs: no term asks G for images like real ones.
TASK_ALONE = {f"{net}/{name}" for net in "DG" for name in ("rotation", "rotation_accuracy")}

Row = Mapping[str, object]


@dataclass(frozen=True)
class Block:
    """Successive lines of the log: each term's values, over some steps."""

    first: int
    last: int
    terms: Mapping[str, tuple[float, ...]]

    def mean(self, name: str) -> float | None:
        """The mean of a term; None when it is not logged in every line."""
        values = self.terms.get(name, ())
        return sum(values) / len(values) if values else None


@dataclass(frozen=True)
class Look:
    """One evaluation: what was measured after a step. None stands for NaN or infinity."""

    step: int
    values: Mapping[str, float | None]
    chance: Mapping[str, float]  # of an accuracy: what guessing would reach
    counts: Mapping[str, float]  # images that a value is of


@dataclass
class Trace:
    """The log in blocks, and the evaluations, in order."""

    blocks: list[Block] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    _lines: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def add_line(self, row: Row) -> bool:
        """A line of log.jsonl; whether it completes a block."""
        terms = {name: v for name in row if "/" in name and (v := _number(row[name])) is not None}
        self._lines.append((_step(row), terms))
        first, last = self._lines[0][0], self._lines[-1][0]
        if len(self._lines) < BLOCK_LINES or last - first < BLOCK_STEPS:
            return False
        names = set.intersection(*(set(line) for _, line in self._lines))
        terms_of = {name: tuple(line[name] for _, line in self._lines) for name in names}
        self.blocks.append(Block(first, last, terms_of))
        self._lines = []
        return True

    def add_look(self, rows: Sequence[Row]) -> None:
        """The lines of metrics.jsonl of one step."""
        values = {key_of(row): _number(row["value"]) for row in rows}
        chance, counts = _given(rows, "chance"), _given(rows, "num_images")
        self.looks.append(Look(_step(rows[0]), values, chance, counts))

    @property
    def is_game(self) -> bool:
        """Whether G is to make images like real ones: not where the rotation task is all."""
        terms = self._lines[-1][1] if self._lines else self.blocks[-1].terms if self.blocks else {}
        return not terms or not set(terms) <= TASK_ALONE

    def points(self, name: str) -> list[tuple[int, float]]:
        """(step, value) of every evaluation in which it was measured and finite."""
        found = ((look.step, look.values.get(name)) for look in self.looks)
        return [(step, value) for step, value in found if value is not None]

    def means(self, name: str) -> list[tuple[int, float]]:
        """(last step, mean) of every block of the log with that term."""
        found = ((block.last, block.mean(name)) for block in self.blocks)
        return [(step, value) for step, value in found if value is not None]


def in_order(log: Sequence[Row], metrics: Sequence[Row]) -> Iterator[tuple[Row | None, list[Row]]]:
    """For every step in either file: its line of the log or None, and its measures."""
    lines = {_step(row): row for row in log}
    measured: dict[int, list[Row]] = {}
    for row in metrics:
        measured.setdefault(_step(row), []).append(row)
    for step in sorted({*lines, *measured}):
        yield lines.get(step), measured.get(step, [])


def _given(rows: Sequence[Row], what: str) -> dict[str, float]:
    found = {key_of(row): _number(row.get(what)) for row in rows}
    return {name: value for name, value in found.items() if value is not None}


def _step(row: Row) -> int:
    step = row["step"]
    assert isinstance(step, int)
    return step


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) else None
