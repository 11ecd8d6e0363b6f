"""Curves over steps, each the mean of several runs with a band, in panels side by side."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import NDArray

from ssgan.plots.figures import encode_figure, label_axes

COLOURS = {
    "GAN": "#d1662b",
    "conditional GAN": "#3d8a4e",
    "rotation only": "#7a4fa3",
    "SS-GAN": "#1f5fa8",
    "SS-GAN (sBN)": "#2aa1b3",
}  # a label has one colour in all figures; other labels get matplotlib's


class BandCurve(NamedTuple):
    """One curve."""

    label: str
    steps: NDArray[np.int64]  # [P], ascending
    values: Float[np.ndarray, "R P"]  # one row per run; NaN where there is no value


class Panel(NamedTuple):
    """Curves of one protocol, which may be compared."""

    title: str
    quantity: str  # of the vertical axis
    curves: Sequence[BandCurve]


def draw_bands(panels: Sequence[Panel]) -> bytes:
    """PNG: the mean of each curve; several runs get a band of one standard deviation (n - 1)."""
    figure = Figure(figsize=(5.4 * len(panels), 3.8), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for curve in panel.curves:
            runs, mean = len(curve.values), curve.values.mean(axis=0)
            label = curve.label if runs == 1 else f"{curve.label}, {runs} seeds"
            (line,) = axes.plot(
                curve.steps, mean, ".-", color=COLOURS.get(curve.label), label=label
            )
            if runs > 1:
                low, high = std_band(curve.values)
                axes.fill_between(
                    curve.steps, low, high, color=line.get_color(), alpha=0.18, linewidth=0
                )
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        label_axes(axes, panel.title, "step", panel.quantity)
        axes.legend(fontsize=8, frameon=False)
    return encode_figure(figure)


def std_band(
    values: Float[np.ndarray, "R P"],
) -> tuple[Float[np.ndarray, " P"], Float[np.ndarray, " P"]]:
    """The mean over at least two runs, minus and plus one standard deviation (n - 1)."""
    mean, std = values.mean(axis=0), values.std(axis=0, ddof=1)
    return mean - std, mean + std
