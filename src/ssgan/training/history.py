"""What a run has logged: its lines, read back, and the history of losses and evaluations."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssgan.evaluation.selection_metric import SELECTION_METRICS, metric_name
from ssgan.files.jsonl import NUMBER, NUMBER_OR_NULL, TEXT, WHOLE, read
from ssgan.files.run_directory import RunDirectory
from ssgan.losses import DiscriminatorLoss, Uninformed
from ssgan.methods.rotation_only import RotationOnly
from ssgan.runs.config import RunConfig

_RENAMED = {  # metrics in files of ssgan 0.1
    "logit_spread": "logit_std",
    "D/sigma": "D/spectral_norm",
    "D/sigma_raw": "D/spectral_norm_raw",
    "G/sigma": "G/spectral_norm",
}
BLOCK_LINES, BLOCK_STEPS = 20, 100  # the fewest lines and steps of a block of the log
# The newest lines, which rules read between blocks: a tenth of the run, within these steps.
FEWEST_STEPS, MOST_STEPS, FEWEST_LINES = 200, 1000, 10
_READINGS = 20  # of the newest lines, while as many steps pass as they span

Row = Mapping[str, object]
_Lines = list[tuple[int, dict[str, float]]]  # (step, terms)


@dataclass(frozen=True)
class EvaluationRow:
    """One metric of an evaluation, the images that it is about, and what else it depends on."""

    name: str
    value: float  # NaN and infinity are stored as null
    split: str | None = None  # held-out, train or generated; None: of a network's weights
    protocol: Mapping[str, object] = field(default_factory=dict)

    def as_json(self, step: int) -> dict[str, object]:
        """The line for metrics.jsonl."""
        value = self.value if math.isfinite(self.value) else None
        split = {} if self.split is None else {"split": self.split}
        return {"step": step, "name": self.name, "value": value, **split, **self.protocol}


def curve_name(row: Mapping[str, object]) -> str:
    """The curve that a row is a point of: its name, or NAME/generated on generated images."""
    generated = row.get("split") == "generated"
    return f"{row['name']}/generated" if generated else str(row["name"])


def read_log(layout: RunDirectory) -> list[dict[str, object]]:
    """The lines of log.jsonl: a step, images, seconds, and every loss term by its name."""
    columns = {"step": WHOLE, "images_seen": WHOLE, "seconds": NUMBER}
    return list(read(layout.log, columns, others=NUMBER))


def read_metrics(layout: RunDirectory) -> list[dict[str, object]]:
    """The lines of metrics.jsonl: a step, a name as of today, and a value or None."""
    rows = read(layout.metrics, {"step": WHOLE, "name": TEXT, "value": NUMBER_OR_NULL})
    return [{**row, "name": _RENAMED.get(str(row["name"]), row["name"])} for row in rows]


def read_events(layout: RunDirectory) -> list[dict[str, object]]:
    """The lines of events.jsonl: a step and a verdict."""
    return list(read(layout.events, {"step": WHOLE, "verdict": TEXT}))


class CurvePanel(NamedTuple):
    """Curves that are drawn together."""

    title: str
    curves: dict[str, str]  # name -> label; a colour each
    chance: float | None = None  # a dotted line
    share: bool = False  # whether the axis runs from 0 to 1


_ROTATION = {"D/rotation_accuracy": "on reals", "G/rotation_accuracy": "on fakes"}
_EVALUATED = {"rotation_accuracy": "on fixed reals", "rotation_accuracy/generated": "on fakes"}
_CLASSES = {"probe_accuracy": "ridge probe", "knn_accuracy": "nearest neighbours"}
_CKA = {"cka_previous": "to the previous evaluation", "cka_first": "to the first"}
CURVE_PANELS = (
    CurvePanel("adversarial loss", {"D/adversarial": "D", "G/adversarial": "G"}),
    CurvePanel("rotation loss", {"D/rotation": "D, on reals", "G/rotation": "G, on fakes"}),
    CurvePanel("rotation accuracy, in training", _ROTATION, chance=0.25, share=True),
    *(CurvePanel(name, {name: "lower is better"}) for name in SELECTION_METRICS.values()),
    CurvePanel("diversity of fakes, relative to reals", {"diversity": "1: as diverse as reals"}),
    CurvePanel("rotation accuracy, evaluated", _EVALUATED, chance=0.25, share=True),
    CurvePanel("class accuracy from D's features", _CLASSES, share=True),
    CurvePanel("similarity of D's features (CKA)", _CKA, share=True),
    CurvePanel("D's logits", {"logit": "on fixed reals", "logit/generated": "on fakes"}),
)

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def collect_curves(layout: RunDirectory) -> dict[str, Curve]:
    """Every logged term and metric as (steps, values), metrics by `curve_name`; maybe empty."""
    points: dict[str, list[tuple[float, float]]] = {}
    for row in read_log(layout):
        step = row.pop("step")
        for name, value in row.items():
            if isinstance(step, int) and isinstance(value, int | float):
                points.setdefault(name, []).append((step, value))
    for row in read_metrics(layout):
        step, value = row.get("step"), row.get("value")
        if isinstance(step, int) and isinstance(value, int | float) and "name" in row:
            points.setdefault(curve_name(row), []).append((step, value))
    arrays = {name: np.array(p, dtype=np.float64) for name, p in points.items()}
    return {name: (p[:, 0], p[:, 1]) for name, p in arrays.items()}


def read_alarms(layout: RunDirectory) -> list[int]:
    """The steps at which the monitor raised an alarm with a verdict other than healthy."""
    raised = [r for r in read_events(layout) if "alarm" in r and r.get("verdict") != "healthy"]
    return [step for row in raised if isinstance(step := row.get("step"), int)]


@dataclass(frozen=True)
class LogBlock:
    """Successive lines of the log: each term's values, over some steps."""

    first: int
    last: int
    terms: Mapping[str, tuple[float, ...]]

    def mean(self, name: str) -> float | None:
        """The mean of a term; None when it is not logged in every line."""
        values = self.terms.get(name, ())
        return sum(values) / len(values) if values else None


@dataclass(frozen=True)
class EvaluationPoint:
    """The metrics after one step. None stands for NaN or infinity."""

    step: int
    values: Mapping[str, float | None]
    chance: Mapping[str, float]  # of an accuracy: that of guessing
    counts: Mapping[str, float]  # number of images of a metric


@dataclass
class History:
    """The log in blocks, its newest lines, and the evaluations, by step."""

    config: RunConfig
    blocks: list[LogBlock] = field(default_factory=list)
    evaluations: list[EvaluationPoint] = field(default_factory=list)
    _lines: _Lines = field(default_factory=list)  # of the next block
    _newest: _Lines = field(default_factory=list)
    _read_at: int = 0  # the step at which the newest lines were last due to be read

    @property
    def window(self) -> int:
        """How many steps the newest lines span."""
        return min(MOST_STEPS, max(FEWEST_STEPS, self.config.total_steps // 10))

    @property
    def step(self) -> int:
        """The step of the newest line; 0 before the first."""
        return self._newest[-1][0] if self._newest else 0

    @property
    def score(self) -> str:
        """The metric whose lowest value marks the best state."""
        return metric_name(self.config.evaluate)

    @cached_property
    def uninformed(self) -> Uninformed | None:
        """The adversarial loss of a D that separates nothing; None without such a loss."""
        method = self.config.method
        for value in (getattr(method, one.name) for one in fields(method)):
            if isinstance(value, DiscriminatorLoss):
                return value.uninformed()
        return None

    def is_newest_due(self) -> bool:
        """Whether the newest lines span the window, and are to be read after this line."""
        if not self._span_window(self._newest) or self.step < self._read_at:
            return False
        self._read_at = self.step + self.window // _READINGS
        return True

    def newest(self, name: str, steps: int | None = None) -> list[float]:
        """The values of a term in the newest lines, of the window or of fewer steps.

        Empty while they do not span so many steps, or when a line lacks the term.
        """
        if not self._span_window(self._newest):
            return []
        since = self.step - (self.window if steps is None else steps)
        lines = [terms for step, terms in self._newest if step > since]
        lines = lines if len(lines) >= FEWEST_LINES else [t for _, t in self._newest]
        values = [line[name] for line in lines if name in line]
        return values if len(values) == len(lines) else []

    def _span_window(self, lines: _Lines) -> bool:
        """Whether lines span the window. Each is about the steps since the one before it."""
        if len(lines) < FEWEST_LINES:
            return False
        (first, _), (second, _) = lines[:2]
        return lines[-1][0] - first + second - first >= self.window

    def add_line(self, row: Row) -> bool:
        """Add a line of log.jsonl; returns whether it completes a block."""
        terms = {name: v for name in row if "/" in name and (v := _number(row[name])) is not None}
        self._lines.append((step_of(row), terms))
        self._newest.append(self._lines[-1])
        while self._span_window(self._newest[1:]):
            del self._newest[0]
        first, last = self._lines[0][0], self._lines[-1][0]
        if len(self._lines) < BLOCK_LINES or last - first < BLOCK_STEPS:
            return False
        names = set.intersection(*(set(line) for _, line in self._lines))
        terms_of = {name: tuple(line[name] for _, line in self._lines) for name in names}
        self.blocks.append(LogBlock(first, last, terms_of))
        self._lines = []
        return True

    def add_evaluation(self, rows: Sequence[Row]) -> None:
        """Add the lines of metrics.jsonl of one step."""
        values = {curve_name(row): _number(row["value"]) for row in rows}
        chance, counts = _collect(rows, "chance"), _collect(rows, "num_images")
        self.evaluations.append(EvaluationPoint(step_of(rows[0]), values, chance, counts))

    @property
    def is_adversarial(self) -> bool:
        """Whether there is an adversarial loss: not in training on the rotation task alone."""
        if isinstance(self.config.method, RotationOnly):
            return False
        terms = self._newest[-1][1] if self._newest else {}
        names = {name.partition("/")[2] for name in terms} - {"gradient_norm"}  # every run has it
        return not names or not names <= {"rotation", "rotation_accuracy"}

    def points(self, name: str) -> list[tuple[int, float]]:
        """(step, value) of every evaluation with a finite value of that metric."""
        found = ((point.step, point.values.get(name)) for point in self.evaluations)
        return [(step, value) for step, value in found if value is not None]

    def means(self, name: str) -> list[tuple[int, float]]:
        """(last step, mean) of every block of the log with that term."""
        found = ((block.last, block.mean(name)) for block in self.blocks)
        return [(step, value) for step, value in found if value is not None]


def _collect(rows: Sequence[Row], what: str) -> dict[str, float]:
    found = {curve_name(row): _number(row.get(what)) for row in rows}
    return {name: value for name, value in found.items() if value is not None}


def step_of(row: Row) -> int:
    """The step of a line."""
    step = row["step"]
    assert isinstance(step, int)
    return step


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) else None
