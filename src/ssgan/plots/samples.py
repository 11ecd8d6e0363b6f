"""Rows of images, each with a label at its left, as one picture."""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from ssgan.files.image_grid import image_grid


class SampleRow(NamedTuple):
    """One row."""

    label: str
    images: UInt8[np.ndarray, "N S S C"]


def draw_samples(rows: Sequence[SampleRow]) -> bytes:
    """PNG: a row a label; every pixel of an image is a square of equal pixels."""
    strips = [np.asarray(image_grid(row.images, len(row.images)).convert("RGB")) for row in rows]
    height, width, _ = strips[0].shape
    inches = 9.0
    figure = Figure(figsize=(inches + 2, len(rows) * (inches * height / width + 0.1)))
    grid = figure.subplots(
        len(rows), 1, squeeze=False, gridspec_kw={"hspace": 0.04, "left": 2 / (inches + 2)}
    )
    figure.subplots_adjust(right=0.995, top=0.995, bottom=0.005)
    for axes, strip, row in zip(grid[:, 0], strips, rows, strict=True):
        axes.imshow(strip, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_ylabel(row.label, rotation=0, ha="right", va="center", fontsize=10)
    encoded = io.BytesIO()
    figure.savefig(encoded, format="png", dpi=110)
    return encoded.getvalue()
