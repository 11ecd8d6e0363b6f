"""The history of a search for settings, and the importance of each setting, as SVG."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ssgan.plots.figures import PALETTE, encode_figure, label_axes

_ROW = 0.28  # inches of a bar
_SPREAD = 4.0  # scores beyond so many interquartile ranges are drawn at the upper edge


class ScoredTrial(NamedTuple):
    """A trial of a search."""

    number: int
    score: float | None  # lower is better; None: it failed


def draw_history(trials: Sequence[ScoredTrial], recipe: float | None, quantity: str) -> bytes:
    """SVG: the score of every trial, the best so far, and the recipe's as a dashed line."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    scored = [(one.number, one.score) for one in trials if one.score is not None]
    if scored:
        numbers, scores = np.array(scored, dtype=np.float64).T
        top = _upper_edge(scores)
        axes.plot(numbers, np.minimum(scores, top), "o", color=PALETTE[0], ms=4, label="trials")
        best = np.minimum.accumulate(scores)
        axes.step(numbers, best, where="post", color=PALETTE[1], label="best so far")
        axes.set_ylim(top=top + 0.03 * (top - scores.min() or 1.0))
    failed = [one.number for one in trials if one.score is None]
    if failed:
        edge = axes.get_ylim()[1]
        axes.plot(
            failed,
            [edge] * len(failed),
            "x",
            color=PALETTE[5],
            clip_on=False,
            label="without score",
        )
    if recipe is not None:
        axes.axhline(recipe, color=PALETTE[5], linestyle="--", linewidth=0.9, label="the recipe")
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    label_axes(axes, "scores of a search, lower is better", "trial", quantity)
    if trials:
        axes.legend(fontsize=8, frameon=False)
    return encode_figure(figure, "svg")


def _upper_edge(scores: np.ndarray) -> float:
    """The largest score, unless it is far from all others."""
    low, high = np.quantile(scores, (0.25, 0.75))
    return float(min(scores.max(), high + _SPREAD * (high - low))) if high > low else scores.max()


def draw_importances(importances: Mapping[str, float]) -> bytes:
    """SVG: a bar for each setting, the most important one on top."""
    names = sorted(importances, key=lambda name: importances[name])
    figure = Figure(figsize=(6.4, 1.1 + _ROW * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.barh(names, [importances[name] for name in names], color=PALETTE[0])
    axes.tick_params(labelsize=8)
    label_axes(axes, "what decides whether a trial is among the best", "importance", "")
    return encode_figure(figure, "svg")
