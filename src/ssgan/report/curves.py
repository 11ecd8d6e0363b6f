"""The curves of a run, or of several over each other, as charts of a page."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from ssgan.pages.charts import ChartCurve, Guide, line_chart
from ssgan.training.history import CURVE_PANELS, Curve, CurvePanel

_MORE = (
    CurvePanel("largest spectral norm", {"D/spectral_norm": "D", "G/spectral_norm": "G"}),
    CurvePanel("norm of the gradient", {"D/gradient_norm": "D", "G/gradient_norm": "G"}),
)
_OUTLIERS = 15.0  # an axis ends so many interquartile ranges from the middle half of the values
_ALARMS = 6  # at most so many alarms are marked


def chart_run(curves: Mapping[str, Curve], alarms: Sequence[int]) -> list[Markup]:
    """A chart for each panel with a curve; alarms are vertical lines."""
    marks = [
        Guide(step, "alarm" if place == 0 else "", vertical=True)
        for place, step in enumerate(alarms[:_ALARMS])
    ]
    return [
        _chart(panel, lines, marks)
        for panel in (*CURVE_PANELS, *_MORE)
        if (lines := [
            ChartCurve(label, *curves[name])
            for name, label in panel.curves.items()
            if name in curves
        ])
    ]  # fmt: skip


def chart_runs(runs: Mapping[str, Mapping[str, Curve]]) -> list[Markup]:
    """As `chart_run`, with a colour for each run; the second curve of a panel is dashed."""
    charts = []
    for panel in (*CURVE_PANELS, *_MORE):
        several = len(panel.curves) > 1
        lines = [
            ChartCurve(
                f"{run}, {label}" if several else run, *curves[name], colour, dashed=place > 0
            )
            for colour, (run, curves) in enumerate(runs.items())
            for place, (name, label) in enumerate(panel.curves.items())
            if name in curves
        ]
        if lines:
            charts.append(_chart(panel, lines, []))
    return charts


def _chart(panel: CurvePanel, lines: Sequence[ChartCurve], marks: Sequence[Guide]) -> Markup:
    guides = list(marks)
    if panel.chance is not None:
        guides.append(Guide(panel.chance, "chance"))
    limits = (0.0, 1.02) if panel.share else _limit_outliers(lines)
    cut = limits is not None and not panel.share
    label = "step (values beyond the edge are drawn at it)" if cut else "step"
    return line_chart(lines, title=panel.title, x_label=label, limits=limits, guides=guides)


def _limit_outliers(lines: Sequence[ChartCurve]) -> tuple[float, float] | None:
    """The range of most values, where a few are so far away that they would flatten the rest."""
    values = np.concatenate([line.ys for line in lines])
    values = values[np.isfinite(values)]
    if len(values) < 10:
        return None
    low, high = np.quantile(values, (0.25, 0.75))
    room = _OUTLIERS * (high - low)
    if room <= 0 or (values.max() <= high + room and values.min() >= low - room):
        return None
    bottom, top = max(values.min(), low - room), min(values.max(), high + room)
    return float(min(0.0, bottom) if bottom < 0.5 * top else bottom), float(top)
