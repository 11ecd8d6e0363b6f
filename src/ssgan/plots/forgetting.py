"""A plot of forgetting runs: balanced accuracy over iterations, one curve per variant."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssgan.plots.figures import PALETTE, label_axes

_MAX_NAMED = 24  # tasks, at most, with class names above the curves


class ForgettingCurve(NamedTuple):
    """The common measurements of a variant's runs, in order; a switch's step has two."""

    name: str
    steps: list[int]
    accuracy: Float[np.ndarray, "runs points"]


class TaskSchedule(NamedTuple):
    """Which class is learnt when."""

    classes: tuple[str, ...]
    per_task: int  # iterations
    cycles: int  # times through all classes

    @property
    def per_cycle(self) -> int:
        """Iterations of a cycle."""
        return self.per_task * len(self.classes)

    @property
    def total(self) -> int:
        """Iterations of the whole run."""
        return self.cycles * self.per_cycle


def draw_tasks(curves: Sequence[ForgettingCurve], schedule: TaskSchedule) -> Figure:
    """One curve per variant: several runs become their mean, with a band from low to high."""
    figure = Figure(figsize=(10.4, 4.0), layout="constrained")
    axes = figure.subplots()
    _mark_tasks(axes, schedule)
    lowest = 0.5
    for number, curve in enumerate(curves):
        colour, runs = PALETTE[number % len(PALETTE)], len(curve.accuracy)
        name = curve.name if runs == 1 else f"{curve.name}, mean of {runs} seeds"
        axes.plot(curve.steps, curve.accuracy.mean(axis=0), color=colour, linewidth=1, label=name)
        if runs > 1:
            low, high = curve.accuracy.min(axis=0), curve.accuracy.max(axis=0)
            axes.fill_between(curve.steps, low, high, color=colour, alpha=0.2, linewidth=0)
        lowest = min(lowest, float(curve.accuracy.min()))
    axes.set_ylim(max(0.0, lowest - 0.03), 1.0)
    label_axes(axes, "", "iteration", "balanced accuracy of the current task")
    figure.legend(fontsize=8, frameon=False, loc="outside upper center", ncols=3)
    return figure


def _mark_tasks(axes: Axes, schedule: TaskSchedule) -> None:
    """A faint line at every switch, a stronger one at every new cycle, and the class names."""
    classes, per_task = schedule.classes, schedule.per_task
    tasks = schedule.cycles * len(classes)
    for number in range(1, tasks):
        alpha = 0.7 if number % len(classes) == 0 else 0.2
        axes.axvline(number * per_task, color="grey", alpha=alpha, linewidth=0.8)
    axes.axhline(0.5, color="grey", linewidth=0.8, linestyle=":", label="chance")
    axes.set_xlim(0, schedule.total)
    for number in range(tasks if tasks <= _MAX_NAMED else 0):
        axes.text(
            (number + 0.5) * per_task,
            0.985,
            classes[number % len(classes)],
            transform=axes.get_xaxis_transform(),
            fontsize=7,
            color="dimgrey",
            rotation=90,
            ha="center",
            va="top",
        )
