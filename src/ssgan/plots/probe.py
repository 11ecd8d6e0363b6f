"""Linear probes of D as a plot: accuracy by block or step, and by the number of labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssgan.evaluation.probe.tables import Row, best_block, distinct, row_state, row_title
from ssgan.plots.figures import label_axes, write_figure


def draw_probe(rows: Sequence[Row], target: Path) -> None:
    """Write the rows of a probe to a PNG file, one row of panels per pooling.

    With one state per run: bars by block with Wilson's interval, and accuracy by labels at the best
    block. With several: one curve per block over the steps.
    """
    poolings = distinct([row["pooling"] for row in rows])
    runs = distinct([row["run"] for row in rows])
    over_steps = len(distinct([row_state(row) for row in rows])) > len(runs)
    columns = len(runs) if over_steps else 2
    figure = Figure(figsize=(5.2 * columns, 3.4 * len(poolings)), layout="constrained")
    panels = figure.subplots(len(poolings), columns, squeeze=False)
    for line, pooling in zip(panels, poolings, strict=True):
        pooled = [row for row in rows if row["pooling"] == pooling]
        most = max(row["fraction"] for row in pooled)
        whole = [row for row in pooled if row["fraction"] == most]
        if over_steps:
            for axes, run in zip(line, runs, strict=True):
                _curves(axes, f"{run}, {pooling}", [row for row in whole if row["run"] == run])
            highest = max(axes.get_ylim()[1] for axes in line)
            for axes in line:  # one scale for all runs
                axes.set_ylim(0, highest)
        else:
            _bars(line[0], pooling, whole)
            _by_labels(line[1], pooling, pooled, whole)
    write_figure(figure, target)


def _bars(axes: Axes, pooling: str, rows: Sequence[Row]) -> None:
    """One group of bars per block, one bar per run; dots are the nearest neighbours."""
    states = distinct([row_state(row) for row in rows])
    wide = 0.8 / len(states)
    for number, state in enumerate(states):
        own = [row for row in rows if row_state(row) == state]
        places = [row["block"] + (number - (len(states) - 1) / 2) * wide for row in own]
        heights = [row["top1"] for row in own]
        axes.bar(
            places, heights, 0.94 * wide, yerr=_errors(own), capsize=2, label=row_title(own[0])
        )
        axes.scatter(places, [row["knn_top1"] for row in own], s=12, color="black", zorder=3)
    axes.set_xticks(sorted({row["block"] for row in rows}))
    _finish(axes, f"{pooling}, {rows[0]['labels']:,} labels (dots: kNN)", "block of D", rows)


def _curves(axes: Axes, title: str, rows: Sequence[Row]) -> None:
    """One curve per block over the steps."""
    for block in sorted({row["block"] for row in rows}):
        own = sorted((row for row in rows if row["block"] == block), key=lambda row: row["step"])
        steps, heights = [row["step"] for row in own], [row["top1"] for row in own]
        axes.errorbar(steps, heights, _errors(own), marker=".", capsize=2, label=f"block {block}")
    _finish(axes, title, "step", rows)


def _by_labels(axes: Axes, pooling: str, rows: Sequence[Row], whole: Sequence[Row]) -> None:
    """One curve per run over the number of labels, at its best block with all labels."""
    for state in distinct([row_state(row) for row in rows]):
        block = best_block([row for row in whole if row_state(row) == state])
        own = [row for row in rows if row_state(row) == state and row["block"] == block]
        own.sort(key=lambda row: row["labels"])
        labels, heights = [row["labels"] for row in own], [row["top1"] for row in own]
        name = f"{row_title(own[0])}, block {block}"
        axes.errorbar(labels, heights, _errors(own), marker=".", capsize=2, label=name)
    axes.set_xscale("log")
    counts = sorted({row["labels"] for row in rows})
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    _finish(axes, f"{pooling}, by labels", "labels", rows)


def _errors(rows: Sequence[Row]) -> list[list[float]]:
    """The extent of Wilson's interval below and above the value."""
    below = [row["top1"] - row["interval"][0] for row in rows]
    above = [row["interval"][1] - row["top1"] for row in rows]
    return [below, above]


def _finish(axes: Axes, title: str, x: str, rows: Sequence[Any]) -> None:
    axes.axhline(rows[0]["chance"], color="grey", linewidth=0.8, linestyle=":", label="chance")
    axes.set_ylim(0, min(1.0, 1.35 * max(row["interval"][1] for row in rows)))
    label_axes(axes, title, x, "top-1")
    axes.legend(fontsize=7, frameon=False)
