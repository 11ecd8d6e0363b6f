"""The losses, accuracies and metrics of a run, or of several, over their steps, as one plot."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ssgan.files.run_directory import RunDirectory
from ssgan.plots.figures import PALETTE, check_plot_file, label_axes, write_figure
from ssgan.training.history import (
    CURVE_PANELS,
    Curve,
    CurvePanel,
    collect_curves,
    read_alarms,
    read_log,
)
from ssgan.types import UserError

_COLUMNS = 3  # panels in a row, at most
_STYLES = ("-", "--", ":")  # of the curves of a panel, where a colour is a run


def read_curves(root: Path) -> dict[str, Curve]:
    """Every logged term and metric as (steps, values); UserError when nothing was logged."""
    layout = RunDirectory(root)
    if not read_log(layout):
        raise UserError(f"{root} has no log yet: there is nothing to draw")
    return collect_curves(layout)


def smooth(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The mean over `window` neighbours, fewer at the ends."""
    kernel = np.ones(min(window, len(values)))
    return np.convolve(values, kernel, "same") / np.convolve(np.ones_like(values), kernel, "same")


def draw_curves(root: Path, target: Path) -> None:
    """Write the curves of a run to a PNG or SVG file, by the target's suffix."""
    check_plot_file(target)
    curves, alarms = read_curves(root), read_alarms(RunDirectory(root))
    figure = Figure(layout="constrained")
    for axes, panel in _place_panels(figure, [curves], str(root)):
        for step in alarms:
            axes.axvline(step, color="crimson", linewidth=0.9, linestyle="--", label="alarm")
        for (name, label), colour in zip(panel.curves.items(), PALETTE, strict=False):
            if name in curves:
                _plot(axes, curves[name], label, colour)
        _finish(axes, panel)
    write_figure(figure, target)


def draw_comparison(roots: Mapping[str, Path], target: Path) -> None:
    """Write the curves of several runs over each other: a colour a run, a line style a curve."""
    check_plot_file(target)
    runs = {name: read_curves(root) for name, root in roots.items()}
    figure = Figure(layout="constrained")
    for axes, panel in _place_panels(figure, list(runs.values()), ", ".join(roots)):
        for (name, curves), colour in zip(runs.items(), cycle(PALETTE), strict=False):
            for (curve, label), style in zip(panel.curves.items(), _STYLES, strict=False):
                if curve in curves:
                    words = f"{name}, {label}" if len(panel.curves) > 1 else name
                    _plot(axes, curves[curve], words, colour, style)
        _finish(axes, panel)
    write_figure(figure, target)


def _place_panels(
    figure: Figure, runs: Sequence[Mapping[str, Curve]], names: str
) -> Iterator[tuple[Axes, CurvePanel]]:
    """Axes for every panel with a curve of any of the runs; UserError when there is none."""
    panels = [p for p in CURVE_PANELS if any(name in run for name in p.curves for run in runs)]
    if not panels:
        raise UserError(f"{names} logs no adversarial or rotation loss: there is nothing to draw")
    columns = min(len(panels), _COLUMNS)
    rows = -(-len(panels) // columns)
    figure.set_size_inches(4.2 * columns, 3.0 * rows)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    return zip(places, panels, strict=False)


def _plot(axes: Axes, curve: Curve, label: str, colour: str, style: str = "-") -> None:
    steps, values = curve
    if len(values) < 40:  # of evaluations
        axes.plot(steps, values, color=colour, linestyle=style, marker=".", label=label)
        return
    axes.plot(steps, values, color=colour, alpha=0.2, linewidth=0.8)
    smoothed = smooth(values, len(values) // 40)
    axes.plot(steps, smoothed, color=colour, linestyle=style, label=label)


def _finish(axes: Axes, panel: CurvePanel) -> None:
    """Chance, limits, title and legend."""
    if panel.chance is not None:
        axes.axhline(panel.chance, color="grey", linewidth=0.8, linestyle=":", label="chance")
    if panel.share:
        axes.set_ylim(0, 1.02)
    else:
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    label_axes(axes, panel.title, "step", "")
    axes.xaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))  # one entry for all alarms
    axes.legend(once.values(), once.keys(), fontsize=8, frameon=False)
