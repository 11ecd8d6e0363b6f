"""Rotations of images by multiples of 90 degrees, and their class labels."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

NUM_ROTATIONS = 4  # classes 0, 1, 2, 3 are 0, 90, 180 and 270 degrees counter-clockwise


def rotated_copies(images: Float[Tensor, "N C S S"]) -> Float[Tensor, "3*N C S S"]:
    """Every image rotated by 90, 180 and 270 degrees counter-clockwise.

    Ordered by rotation: first all images at 90 degrees, then all at 180, then all at 270. The
    upright images are not included.
    """
    return torch.cat([images.rot90(r, dims=(2, 3)) for r in range(1, NUM_ROTATIONS)])


def rotation_labels(count: int, device: torch.device) -> Int[Tensor, " M"]:
    """The classes of `count` upright images followed by their `rotated_copies`: M = 4 `count`."""
    return torch.arange(NUM_ROTATIONS, device=device).repeat_interleave(count)
