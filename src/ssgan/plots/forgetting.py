"""Forgetting studies as a picture: balanced accuracy over iterations, a curve an arm."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssgan.files.atomic import write_atomic
from ssgan.plots.forgetting_tables import ForgettingRun, ForgettingVariant, group_variants
from ssgan.types import UserError

ENDINGS = (".png", ".svg")
_COLOURS = ("#1f5fa8", "#d1662b", "#3d8a4e", "#7a4fa3", "#8a6d1f", "#666666")
_NAMED = 24  # tasks whose classes are written above the curves, at most


class Curve(NamedTuple):
    """Measurements that all studies of an arm have, in order; two stand at a switch's step."""

    steps: list[int]
    accuracy: Float[np.ndarray, "studies points"]


def draw_forgetting(roots: Sequence[Path], target: Path) -> None:
    """Write the curves of study directories to a PNG or SVG file, by the target's ending.

    Seeds of one arm become their mean, with a band from the lowest to the highest. Raises
    UserError for another ending, for directories without a study, or that do not compare.
    """
    if target.suffix not in ENDINGS:
        raise UserError(f"{target}: curves are drawn to a file ending in {' or '.join(ENDINGS)}")
    variants = group_variants(roots)
    figure = Figure(figsize=(10.4, 4.0), layout="constrained")
    axes = figure.subplots()
    _draw_tasks(axes, variants[0].studies[0])
    lowest = 0.5
    for number, variant in enumerate(variants):
        curve, colour = curve_of(variant), _COLOURS[number % len(_COLOURS)]
        seeds = len(variant.studies)
        name = variant.name if seeds == 1 else f"{variant.name}, mean of {seeds} seeds"
        axes.plot(curve.steps, curve.accuracy.mean(axis=0), color=colour, linewidth=1, label=name)
        if seeds > 1:
            low, high = curve.accuracy.min(axis=0), curve.accuracy.max(axis=0)
            axes.fill_between(curve.steps, low, high, color=colour, alpha=0.2, linewidth=0)
        lowest = min(lowest, float(curve.accuracy.min()))
    axes.set_ylim(max(0.0, lowest - 0.03), 1.0)
    axes.set_xlabel("iteration", fontsize=9)
    axes.set_ylabel("balanced accuracy of the present task", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(fontsize=8, frameon=False, loc="outside upper center", ncols=3)
    target.parent.mkdir(parents=True, exist_ok=True)
    encoded = io.BytesIO()
    figure.savefig(encoded, format=target.suffix[1:], dpi=110)
    write_atomic(target, encoded.getvalue())


def curve_of(variant: ForgettingVariant) -> Curve:
    """The measurements that all studies of the arm have: of unfinished ones the common part.

    Raises UserError when there is none.
    """
    tables = [
        {(row["step"], row["after_switch"]): row["accuracy"] for row in study.rows}
        for study in variant.studies
    ]
    places = [place for place in tables[0] if all(place in table for table in tables)]
    if not places:
        roots = " and ".join(str(study.root) for study in variant.studies)
        raise UserError(f"{roots} have no measurement in common: there is nothing to draw")
    accuracy = np.array([[table[place] for place in places] for table in tables], np.float64)
    return Curve([step for step, _ in places], accuracy)


def _draw_tasks(axes: Axes, study: ForgettingRun) -> None:
    """A faint line at every switch, a stronger one at every new cycle, and the classes' names."""
    total, classes = study.total, study.classes
    for step in range(study.per_task, total, study.per_task):
        cycle = step % study.per_cycle == 0
        axes.axvline(step, color="grey", alpha=0.7 if cycle else 0.2, linewidth=0.8)
    axes.axhline(0.5, color="grey", linewidth=0.8, linestyle=":", label="chance")
    axes.set_xlim(0, total)
    if study.cycles * len(classes) > _NAMED:
        return
    for number in range(study.cycles * len(classes)):
        axes.text(
            (number + 0.5) * study.per_task,
            0.985,
            classes[number % len(classes)],
            transform=axes.get_xaxis_transform(),
            fontsize=7,
            color="dimgrey",
            rotation=90,
            ha="center",
            va="top",
        )
