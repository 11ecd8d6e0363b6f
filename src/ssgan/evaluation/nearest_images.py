"""A picture of random samples, each beside the real images nearest to it in feature distance."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ssgan.evaluation.features import FeatureSet
from ssgan.evaluation.image_sets import ImageSet
from ssgan.files.image_grid import image_grid, save_png
from ssgan.metrics.distances import distance_blocks
from ssgan.types import UserError

SAMPLES, NEIGHBOURS = 10, 5


def find_nearest(
    rows: Float[Tensor, "N F"], real: Float[Tensor, "M F"], count: int
) -> Int[Tensor, "N count"]:
    """The numbers of each row's `count` nearest real rows, the nearest first."""
    blocks = distance_blocks(rows.double(), real.double())
    return torch.cat([block.topk(count, largest=False).indices for _, block in blocks])


def nearest_images_grid(
    thing: ImageSet, fake: FeatureSet, real_side: ImageSet, real: FeatureSet, seed: int
) -> UInt8[Tensor, "N K C S S"]:
    """Row by row: one of the first samples, then its nearest real images, the nearest first."""
    if fake.rows is None or real.rows is None:
        raise UserError("the nearest images are found by the features of single images")
    samples, count = min(SAMPLES, fake.count), min(NEIGHBOURS, real.count)
    found = find_nearest(fake.rows[:samples], real.rows, count)
    made = thing.images(seed, torch.arange(samples))[:, None]
    reals = real_side.images(0, found.flatten())
    return torch.cat([made, reals.reshape(samples, count, *reals.shape[1:])], dim=1)


def save_nearest_images(path: Path, images: UInt8[Tensor, "N K C S S"]) -> None:
    """Write the rows as PNG, whole or not at all."""
    pixels = np.ascontiguousarray(images.flatten(0, 1).permute(0, 2, 3, 1).numpy())
    save_png(path, image_grid(pixels, columns=images.shape[1]))
