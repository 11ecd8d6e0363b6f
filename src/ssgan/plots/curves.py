"""The losses, accuracies and metrics of a run, or of several, over their steps, as one plot."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ssgan.evaluation.selection_metric import SELECTION_METRICS
from ssgan.files.run_directory import RunDirectory
from ssgan.plots.figures import PALETTE, check_plot_file, label_axes, write_figure
from ssgan.training.history import curve_name, read_events, read_log, read_metrics
from ssgan.types import UserError

_COLUMNS = 3  # panels in a row, at most
_STYLES = ("-", "--", ":")  # of the curves of a panel, where a colour is a run


class _Panel(NamedTuple):
    title: str
    curves: dict[str, str]  # name -> label; a colour each
    chance: float | None = None  # a dotted line
    share: bool = False  # whether the axis runs from 0 to 1


_ROTATION = {"D/rotation_accuracy": "on reals", "G/rotation_accuracy": "on fakes"}
_EVALUATED = {"rotation_accuracy": "on fixed reals", "rotation_accuracy/generated": "on fakes"}
_CLASSES = {"probe_accuracy": "ridge probe", "knn_accuracy": "nearest neighbours"}
_CKA = {"cka_previous": "to the previous evaluation", "cka_first": "to the first"}
_PANELS = (
    _Panel("adversarial loss", {"D/adversarial": "D", "G/adversarial": "G"}),
    _Panel("rotation loss", {"D/rotation": "D, on reals", "G/rotation": "G, on fakes"}),
    _Panel("rotation accuracy, in training", _ROTATION, chance=0.25, share=True),
    *(_Panel(name, {name: "lower is better"}) for name in SELECTION_METRICS.values()),
    _Panel("diversity of fakes, relative to reals", {"diversity": "1: as diverse as reals"}),
    _Panel("rotation accuracy, evaluated", _EVALUATED, chance=0.25, share=True),
    _Panel("class accuracy from D's features", _CLASSES, share=True),
    _Panel("similarity of D's features (CKA)", _CKA, share=True),
    _Panel("D's logits", {"logit": "on fixed reals", "logit/generated": "on fakes"}),
)

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def read_curves(root: Path) -> dict[str, Curve]:
    """Every logged term and metric as (steps, values), metrics by `history.curve_name`.

    Raises UserError when nothing was logged.
    """
    layout = RunDirectory(root)
    points: dict[str, list[tuple[float, float]]] = {}
    for row in read_log(layout):
        step = row.pop("step")
        for name, value in row.items():
            if isinstance(step, int) and isinstance(value, int | float):
                points.setdefault(name, []).append((step, value))
    if not points:
        raise UserError(f"{root} has no log yet: there is nothing to draw")
    for row in read_metrics(layout):
        step, value = row.get("step"), row.get("value")
        if isinstance(step, int) and isinstance(value, int | float) and "name" in row:
            points.setdefault(curve_name(row), []).append((step, value))
    arrays = {name: np.array(p, dtype=np.float64) for name, p in points.items()}
    return {name: (p[:, 0], p[:, 1]) for name, p in arrays.items()}


def read_alarms(root: Path) -> list[int]:
    """The steps at which the monitor raised an alarm with a verdict other than healthy."""
    rows = read_events(RunDirectory(root))
    raised = [row for row in rows if "alarm" in row and row.get("verdict") != "healthy"]
    return [step for row in raised if isinstance(step := row.get("step"), int)]


def smooth(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The mean over `window` neighbours, fewer at the ends."""
    kernel = np.ones(min(window, len(values)))
    return np.convolve(values, kernel, "same") / np.convolve(np.ones_like(values), kernel, "same")


def draw_curves(root: Path, target: Path) -> None:
    """Write the curves of a run to a PNG or SVG file, by the target's suffix."""
    check_plot_file(target)
    curves, alarms = read_curves(root), read_alarms(root)
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
) -> Iterator[tuple[Axes, _Panel]]:
    """Axes for every panel with a curve of any of the runs; UserError when there is none."""
    panels = [p for p in _PANELS if any(name in run for name in p.curves for run in runs)]
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


def _finish(axes: Axes, panel: _Panel) -> None:
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
