"""Pixels 0 to 255 and images in [-1, 1]: the one pair of functions between them.

image = pixel / 127.5 - 1          pixel = round((image + 1) 127.5), cut to 0 ... 255
"""

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from ssgan.types import UserError


def to_uint8(images: Float[Tensor, "B C S S"]) -> UInt8[Tensor, "B C S S"]:
    """Images in [-1, 1] as pixels: rounded half to even, then cut to 0 ... 255.

    It inverts `from_uint8`, bit for bit. The SS-GAN paper's code does not round; published data
    sets are rounded, so comparing with them unrounded favours neither side. Raises UserError for
    NaN or infinity.
    """
    if not images.isfinite().all():
        raise UserError("images hold NaN or infinity and cannot become pixels")
    return ((images.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def from_uint8(
    pixels: Shaped[Tensor, "B C S S"], dtype: torch.dtype = torch.float32
) -> Float[Tensor, "B C S S"]:
    """Pixels 0 to 255 as images in [-1, 1]: a new tensor, computed in `dtype`.

    Resized pixels, which are no longer whole numbers, are welcome too.
    """
    return pixels.to(dtype, copy=True).div_(127.5).sub_(1)
