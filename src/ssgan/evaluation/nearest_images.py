"""A sheet of random samples, each beside the real images nearest to it in feature distance."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from ssgan.evaluation.features import FeatureSet
from ssgan.evaluation.image_sets import ImageSet
from ssgan.files.image_grid import image_grid, save_png
from ssgan.metrics.knn import find_nearest
from ssgan.types import UserError

SAMPLES, NEIGHBOURS = 10, 5


def nearest_images_grid(
    images: ImageSet, fake: FeatureSet, reference: ImageSet, real: FeatureSet, seed: int
) -> UInt8[Tensor, "N K C S S"]:
    """Row by row: one of the first samples, then its nearest real images, the nearest first."""
    if fake.rows is None or real.rows is None:
        raise UserError("the nearest images are found by the features of single images")
    samples, count = min(SAMPLES, len(fake.rows)), min(NEIGHBOURS, len(real.rows))
    nearest = find_nearest(fake.rows[:samples], real.rows, count)
    generated = images.images(seed, torch.arange(samples))[:, None]
    reals = reference.images(0, nearest.flatten())
    return torch.cat([generated, reals.reshape(samples, count, *reals.shape[1:])], dim=1)


def save_nearest_images(path: Path, rows: UInt8[Tensor, "N K C S S"]) -> None:
    """Write the rows as PNG, whole or not at all."""
    pixels = np.ascontiguousarray(rows.flatten(0, 1).permute(0, 2, 3, 1).numpy())
    save_png(path, image_grid(pixels, columns=rows.shape[1]))
