"""What all plots share: panel style, and figures as PNG or SVG files."""

import io
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssgan.files.atomic import write_atomic
from ssgan.files.own_outputs import SHEET
from ssgan.types import UserError

PALETTE = ("#1f5fa8", "#d1662b", "#3d8a4e", "#7a4fa3", "#8a6d1f", "#666666")
DPI = 110  # pixels an inch of PNG files
_ENDINGS = (".png", ".svg")


def check_plot_file(target: Path) -> None:
    """Raise UserError for a file that is neither PNG nor SVG, by its suffix."""
    if target.suffix not in _ENDINGS:
        raise UserError(
            f"{target}: curves are drawn to a file that ends in {' or '.join(_ENDINGS)}"
        )


def encode_figure(figure: Figure, kind: str = "png") -> bytes:
    """The figure as PNG, marked as a figure of ssgan (`own_outputs`), or SVG."""
    encoded = io.BytesIO()
    metadata = {"Software": SHEET} if kind == "png" else None
    figure.savefig(encoded, format=kind, dpi=DPI, metadata=metadata)
    return encoded.getvalue()


def write_figure(figure: Figure, target: Path) -> None:
    """Write the figure to a PNG or SVG file, by the target's suffix; folders are created."""
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, encode_figure(figure, target.suffix[1:]))


def label_axes(axes: Axes, title: str, x: str, y: str) -> None:
    """Set title and labels, and hide the frame's top and right."""
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
