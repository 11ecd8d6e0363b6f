"""Sheets of samples side by side on a white card, each under its name and its numbers.

Text and sheets are placed by pixels, so that no sample is resampled. The card is opaque and has a
border, so that it reads on light and on dark pages.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ssgan.plots.figures import DPI, PALETTE, write_figure

_SHEET_PIXELS = 800  # samples are enlarged by an integer factor up to this width
_MARGIN = 40  # pixels around the card, and between sheets
_TITLE, _LINE, _TEXT = 52, 36, 24  # pixels: height of the title, of a line, of its letters
_INK, _FAINT = "#1b1b1b", "#d8d8d8"


class CaptionedSheet(NamedTuple):
    """Samples of one run, with a title and lines of text."""

    title: str
    lines: Sequence[str]  # short: about 45 letters
    images: NDArray[np.uint8]  # [N, S, S, 3], drawn in a square; N is a square number


def draw_side_by_side(sheets: Sequence[CaptionedSheet], caption: str, target: Path) -> None:
    """Write the sheets, in order, and a caption below them to a PNG file."""
    pictures = [enlarge_sheet(sheet.images) for sheet in sheets]
    side = pictures[0].shape[0]
    header = _TITLE + _LINE * max(len(sheet.lines) for sheet in sheets) + _MARGIN // 4
    width = _MARGIN + len(sheets) * (side + _MARGIN)
    height = _MARGIN + header + side + _LINE * (1 + caption.count("\n")) + _MARGIN
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    edge = Rectangle((0, 0), 1, 1, transform=figure.transFigure, fill=False, edgecolor=_FAINT)
    edge.set_linewidth(3)
    figure.add_artist(edge)

    def write(x: int, y: int, text: str, size: int, colour: str = _INK) -> None:
        points = size * 72 / DPI
        figure.text(x / width, 1 - y / height, text, va="top", fontsize=points, color=colour)

    for number, (sheet, picture) in enumerate(zip(sheets, pictures, strict=True)):
        left = _MARGIN + number * (side + _MARGIN)
        colour = PALETTE[number % len(PALETTE)]
        write(left, _MARGIN, sheet.title, _TITLE * 3 // 4, colour)
        for line, text in enumerate(sheet.lines):
            write(left, _MARGIN + _TITLE + line * _LINE, text, _TEXT)
        figure.figimage(picture, left, height - _MARGIN - header - side)
    write(_MARGIN, _MARGIN + header + side + _MARGIN // 4, caption, _TEXT * 5 // 6, "#666666")
    write_figure(figure, target)


def enlarge_sheet(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images [N, S, S, 3] in a square with white lines between, each pixel an integer square."""
    count, size = images.shape[:2]
    columns = round(count**0.5)
    framed = np.pad(images, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=255)
    rows = framed.reshape(columns, columns, size + 1, size + 1, 3).swapaxes(1, 2)
    page = rows.reshape(columns * (size + 1), columns * (size + 1), 3)
    zoom = max(1, _SHEET_PIXELS // len(page))
    return page.repeat(zoom, axis=0).repeat(zoom, axis=1)
