"""Rows of images as one picture, each row with a label at its left."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from PIL import Image

from ssgan.files.image_grid import image_grid
from ssgan.plots.figures import encode_figure
from ssgan.types import UserError

_INCHES = 9.0  # width of a row


class SampleRow(NamedTuple):
    """One row."""

    label: str
    images: UInt8[np.ndarray, "N S S C"]

    @classmethod
    def read(cls, label: str, folder: Path) -> "SampleRow":
        """The images that `ssgan sample` wrote to a folder; UserError when there are none."""
        files = sorted(folder.glob("image-*.png"))
        if not files:
            raise UserError(f"{folder} holds no image-*.png: remove it, and sample again")
        pictures = [np.asarray(Image.open(file).convert("RGB")) for file in files]
        return cls(label, np.stack(pictures))


def draw_samples(rows: Sequence[SampleRow]) -> bytes:
    """PNG with one line per row; every pixel of an image is a square of equal pixels."""
    strips = [np.asarray(image_grid(row.images, len(row.images)).convert("RGB")) for row in rows]
    height, width, _ = strips[0].shape
    figure = Figure(figsize=(_INCHES + 2, len(rows) * (_INCHES * height / width + 0.1)))
    grid = figure.subplots(
        len(rows), 1, squeeze=False, gridspec_kw={"hspace": 0.04, "left": 2 / (_INCHES + 2)}
    )
    figure.subplots_adjust(right=0.995, top=0.995, bottom=0.005)
    for axes, strip, row in zip(grid[:, 0], strips, rows, strict=True):
        axes.imshow(strip, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_ylabel(row.label, rotation=0, ha="right", va="center", fontsize=10)
    return encode_figure(figure)
