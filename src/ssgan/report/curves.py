"""The losses and rotation accuracies of a run over its steps, as one picture."""

import io
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ssgan.files import jsonlines
from ssgan.files.atomic import write_atomic
from ssgan.files.layout import RunLayout
from ssgan.types import UserError

_PANELS = (
    ("adversarial loss", ("D/adversarial", "G/adversarial")),
    ("rotation loss", ("D/rotation", "G/rotation")),
    ("rotation accuracy", ("D/rotation_accuracy", "G/rotation_accuracy")),
)
_LABELS = {"D": "discriminator, on reals", "G": "generator, on fakes"}
_COLOURS = {"D": "#1f5fa8", "G": "#d1662b"}
_ENDINGS = (".png", ".svg")

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def read_curves(root: Path) -> dict[str, Curve]:
    """Every logged number as (steps, values); raises UserError when nothing was logged."""
    points: dict[str, list[tuple[float, float]]] = {}
    for row in jsonlines.read(RunLayout(root).log):
        step = row.pop("step")
        for name, value in row.items():
            if isinstance(step, int) and isinstance(value, int | float):
                points.setdefault(name, []).append((step, value))
    if not points:
        raise UserError(f"{root} has no log yet: there is nothing to draw")
    arrays = {name: np.array(p, dtype=np.float64) for name, p in points.items()}
    return {name: (p[:, 0], p[:, 1]) for name, p in arrays.items()}


def smoothed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The mean over `window` neighbours, fewer at the ends."""
    kernel = np.ones(min(window, len(values)))
    return np.convolve(values, kernel, "same") / np.convolve(np.ones_like(values), kernel, "same")


def draw_curves(root: Path, target: Path) -> None:
    """Write the curves of a run to a PNG or SVG file, by the target's ending."""
    curves = read_curves(root)
    if target.suffix not in _ENDINGS:
        raise UserError(
            f"{target}: curves are drawn to a file that ends in {' or '.join(_ENDINGS)}"
        )
    panels = [panel for panel in _PANELS if any(name in curves for name in panel[1])]
    if not panels:
        raise UserError(f"{root} logs no adversarial or rotation loss: there is nothing to draw")
    figure = Figure(figsize=(4.2 * len(panels), 3.0), layout="constrained")
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, names) in zip(row, panels, strict=True):
        _panel(axes, title, {name: curves[name] for name in names if name in curves})
    target.parent.mkdir(parents=True, exist_ok=True)
    encoded = io.BytesIO()
    figure.savefig(encoded, format=target.suffix[1:], dpi=110)
    write_atomic(target, encoded.getvalue())


def _panel(axes: Axes, title: str, curves: dict[str, Curve]) -> None:
    for name, (steps, values) in curves.items():
        network = name[0]
        label = network if "adversarial" in name else _LABELS[network]
        axes.plot(steps, values, color=_COLOURS[network], alpha=0.2, linewidth=0.8)
        window = max(1, len(values) // 40)
        axes.plot(steps, smoothed(values, window), color=_COLOURS[network], label=label)
    if "accuracy" in title:
        axes.axhline(0.25, color="grey", linewidth=0.8, linestyle=":", label="chance")
        axes.set_ylim(0, 1.02)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("step", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
