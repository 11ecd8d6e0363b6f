"""Quarter turns of images, and their class numbers."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

NUM_ROTATIONS = 4  # 0, 90, 180 and 270 degrees counter-clockwise are classes 0, 1, 2, 3


def rotated_copies(images: Float[Tensor, "N C S S"]) -> Float[Tensor, "3*N C S S"]:
    """Every image turned by 90, 180 and 270 degrees counter-clockwise.

    Ordered turn by turn: first all images at 90 degrees, then all at 180, then all at 270.
    The upright images are not in it.
    """
    return torch.cat([images.rot90(r, dims=(2, 3)) for r in range(1, NUM_ROTATIONS)])


def rotation_labels(count: int, device: torch.device) -> Int[Tensor, " M"]:
    """The classes of `count` upright images and their `other_turns`: M = 4 `count` numbers."""
    return torch.arange(NUM_ROTATIONS, device=device).repeat_interleave(count)
