"""Charts as inline SVG: lines over steps and histograms, with their numbers as a table.

Colours come from the page's style (`--line-0`, ...), so a chart follows light and dark.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from markupsafe import Markup, escape
from numpy.typing import NDArray

from ssgan.pages.page import spell_number

_WIDTH, _HEIGHT = 400, 240  # of the view box
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 10, 10, 40  # margins
_MOST_POINTS = 240  # of a line; more are shown as means, with their range as a band
_MARKED_POINTS = 40  # at most so many points get a dot with its value
_TABLE_ROWS = 12
_COLOURS = 6


class ChartCurve(NamedTuple):
    """One line. Values that are not finite leave a gap."""

    label: str
    xs: Float[np.ndarray, " P"]  # ascending
    ys: Float[np.ndarray, " P"]
    colour: int | None = None  # --line-0 ... --line-5; None: by its place
    dashed: bool = False


class Guide(NamedTuple):
    """A straight line across the chart: horizontal at a value, or vertical at a step."""

    at: float
    label: str
    vertical: bool = False


class _Frame(NamedTuple):
    """The ranges of both axes and their way into the view box."""

    left: float
    right: float
    bottom: float
    top: float

    def x(self, value: float) -> float:
        share = (value - self.left) / (self.right - self.left)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        share = min(1.02, max(-0.02, (value - self.bottom) / (self.top - self.bottom)))
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)


def line_chart(
    curves: Sequence[ChartCurve],
    *,
    title: str,
    x_label: str = "step",
    limits: tuple[float, float] | None = None,
    guides: Sequence[Guide] = (),
) -> Markup:
    """A figure with one line for each curve, a legend, and the values as a table below.

    `limits` of the vertical axis: None fits it to the values. A curve without a finite value
    has an entry in the legend only.
    """
    frame = _fit_frame(curves, limits, guides)
    drawn = Markup("").join(
        _draw_curve(curve, _colour(curve, place), frame) for place, curve in enumerate(curves)
    )
    legend = Markup("").join(
        Markup('<li class="line-{}{}">{}</li>').format(
            _colour(curve, place), " dashed" if curve.dashed else "", curve.label
        )
        for place, curve in enumerate(curves)
    )
    words = f"{title}: " + "; ".join(_describe(curve) for curve in curves)
    svg = _draw_axes(frame, x_label) + _draw_guides(guides, frame) + drawn
    return _figure(title, legend, words, svg, _table(curves, x_label))


def histogram(values: NDArray[np.floating], *, title: str, x_label: str, bins: int = 24) -> Markup:
    """A figure with the number of finite values [N] in each of `bins` equal bins."""
    finite = values[np.isfinite(values)]
    counts, edges = np.histogram(finite, bins=bins)
    frame = _Frame(edges[0], edges[-1], 0.0, float(max(1, counts.max())))
    bars = Markup("").join(
        Markup(
            '<rect class="bar" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
        ).format(
            frame.x(low),
            frame.y(count),
            round(frame.x(high) - frame.x(low) - 1, 1),
            round(frame.y(0) - frame.y(count), 1),
            f"{spell_number(float(low))} to {spell_number(float(high))}: {count:,}",
        )
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
        if count
    )
    words = f"{title}: {len(finite):,} values"
    if len(finite):
        words += f", median {spell_number(float(np.median(finite)))}"
    return _figure(title, Markup(""), words, _draw_axes(frame, x_label) + bars, Markup(""))


def find_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers in [low, high], about `count` of them."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * k for k in (1, 2, 2.5, 5, 10) if power * k >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def _colour(curve: ChartCurve, place: int) -> int:
    return (place if curve.colour is None else curve.colour) % _COLOURS


def _fit_frame(
    curves: Sequence[ChartCurve], limits: tuple[float, float] | None, guides: Sequence[Guide]
) -> _Frame:
    xs = np.concatenate([np.asarray(c.xs, dtype=np.float64) for c in curves] or [np.empty(0)])
    ys = np.concatenate([np.asarray(c.ys, dtype=np.float64) for c in curves] or [np.empty(0)])
    level = [guide.at for guide in guides if not guide.vertical]
    ys = np.concatenate([ys[np.isfinite(ys)], np.array(level, dtype=np.float64)])
    left, right = (float(xs.min()), float(xs.max())) if len(xs) else (0.0, 1.0)
    low, high = limits or ((float(ys.min()), float(ys.max())) if len(ys) else (0.0, 1.0))
    if limits is None:
        low = 0.0 if 0 < low < 0.5 * high else low  # zero is shown where it costs little
        pad = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
        low, high = (low if low == 0 else low - pad), high + pad
    return _Frame(left, right if right > left else left + 1, low, high)


def _draw_axes(frame: _Frame, x_label: str) -> Markup:
    parts = []
    for value in find_ticks(frame.bottom, frame.top):
        y = frame.y(value)
        parts.append(
            Markup(
                '<line class="grid-line" x1="{}" x2="{}" y1="{}" y2="{}"/>'
                '<text x="{}" y="{}" text-anchor="end">{}</text>'
            ).format(_LEFT, _WIDTH - _RIGHT, y, y, _LEFT - 6, y + 4, _short(value))
        )
    for value in find_ticks(frame.left, frame.right, 4):
        x = frame.x(value)
        anchor = "end" if x > _WIDTH - 30 else "middle"
        parts.append(
            Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(
                x, _HEIGHT - _BOTTOM + 16, anchor, _short(value)
            )
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        Markup('<text class="axis" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            middle, _HEIGHT - 6, x_label
        )
    )
    return Markup("").join(parts)


def _short(value: float) -> str:
    if abs(value) >= 1e6 or 0 < abs(value) < 1e-3:
        return f"{value:.3g}"
    return spell_number(value)


def _draw_guides(guides: Sequence[Guide], frame: _Frame) -> Markup:
    lines = []
    for guide in guides:
        if guide.vertical and not frame.left <= guide.at <= frame.right:
            continue
        low, high = (_TOP, _HEIGHT - _BOTTOM), (_LEFT, _WIDTH - _RIGHT)
        (x1, x2) = (frame.x(guide.at),) * 2 if guide.vertical else high
        (y1, y2) = low if guide.vertical else (frame.y(guide.at),) * 2
        text_x, text_y = (x1 + 4, _TOP + 10) if guide.vertical else (x2 - 2, y1 - 4)
        anchor = "start" if guide.vertical and x1 < _WIDTH / 2 else "end"
        lines.append(
            Markup(
                '<line class="guide{}" x1="{}" x2="{}" y1="{}" y2="{}"/>'
                '<text class="guide{}" x="{}" y="{}" text-anchor="{}">{}</text>'
            ).format(
                *(" vertical" if guide.vertical else "", x1, x2, y1, y2),
                *(" vertical" if guide.vertical else "",),
                *(text_x if anchor == "start" else text_x - 8, text_y, anchor, guide.label),
            )
        )
    return Markup("").join(lines)


def _draw_curve(curve: ChartCurve, colour: int, frame: _Frame) -> Markup:
    xs, ys = np.asarray(curve.xs, dtype=np.float64), np.asarray(curve.ys, dtype=np.float64)
    kind = f"line-{colour}" + (" dashed" if curve.dashed else "")
    band = Markup("")
    if len(xs) > _MOST_POINTS:
        parts = np.array_split(np.arange(len(xs)), _MOST_POINTS)
        band = _draw_band([(xs[part], ys[part]) for part in parts], kind, frame)
        xs, ys = np.array([(xs[part].mean(), ys[part].mean()) for part in parts]).T
    pieces, piece = [], list[str]()
    for x, y in zip(xs, ys, strict=True):
        if np.isfinite(y):
            piece.append(f"{frame.x(x)},{frame.y(y)}")
        elif piece:
            pieces.append(piece)
            piece = []
    pieces.append(piece)
    lines = [
        Markup('<polyline class="{}" points="{}"/>').format(kind, " ".join(piece))
        for piece in pieces
        if piece
    ]
    return band + Markup("").join(lines) + _draw_dots(xs, ys, curve.label, kind, frame)


def _draw_band(
    parts: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], kind: str, frame: _Frame
) -> Markup:
    """The range of the values in each part, where all are finite."""
    finite = [(xs.mean(), ys.min(), ys.max()) for xs, ys in parts if np.isfinite(ys).all()]
    upper = [f"{frame.x(x)},{frame.y(high)}" for x, _, high in finite]
    lower = [f"{frame.x(x)},{frame.y(low)}" for x, low, _ in reversed(finite)]
    return Markup('<polygon class="band {}" points="{}"/>').format(kind, " ".join(upper + lower))


def _draw_dots(
    xs: NDArray[np.float64], ys: NDArray[np.float64], label: str, kind: str, frame: _Frame
) -> Markup:
    if len(xs) > _MARKED_POINTS:
        return Markup("")
    return Markup("").join(
        Markup('<circle class="{}" cx="{}" cy="{}" r="3"><title>{}</title></circle>').format(
            kind, frame.x(x), frame.y(y), f"{label}, {spell_number(x)}: {spell_number(y)}"
        )
        for x, y in zip(xs.tolist(), ys.tolist(), strict=True)
        if math.isfinite(y)
    )


def _describe(curve: ChartCurve) -> str:
    finite = np.asarray(curve.ys)[np.isfinite(curve.ys)]
    if not len(finite):
        return f"{curve.label} has no value"
    low, high, last = (spell_number(float(v)) for v in (finite.min(), finite.max(), finite[-1]))
    return f"{curve.label} from {low} to {high}, last {last}"


def _table(curves: Sequence[ChartCurve], x_label: str) -> Markup:
    """At most 12 rows: steps at equal distance, the first and the last among them."""
    steps = np.unique(np.concatenate([np.asarray(c.xs) for c in curves] or [np.empty(0)]))
    if not len(steps):
        return Markup("")
    if len(steps) > _TABLE_ROWS:
        steps = steps[np.linspace(0, len(steps) - 1, _TABLE_ROWS).round().astype(int)]
    values = [dict(zip(c.xs.tolist(), c.ys.tolist(), strict=True)) for c in curves]
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(c.label) for c in curves)
    rows = Markup("").join(
        Markup('<tr><th scope="row">{}</th>').format(spell_number(step))
        + Markup("").join(Markup("<td>{}</td>").format(spell_number(v.get(step))) for v in values)
        + Markup("</tr>")
        for step in steps.tolist()
    )
    return Markup(
        '<details><summary>Numbers</summary><div class="scroll" tabindex="0"><table>'
        '<thead><tr><th scope="col">{}</th>{}</tr></thead><tbody>{}</tbody></table></div></details>'
    ).format(x_label, head, rows)


def _figure(title: str, legend: Markup, words: str, svg: Markup, table: Markup) -> Markup:
    keys = Markup('<ul class="legend">{}</ul>').format(legend) if legend else Markup("")
    return Markup(
        '<figure class="chart"><figcaption>{}</figcaption>{}'
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>{}</figure>'
    ).format(title, keys, _WIDTH, _HEIGHT, escape(words), svg, table)
