"""The one resampler from images of any size to the size that an extractor reads.

Two resamplers on the same images give FIDs that differ by whole points, so the rule is part of
every protocol.
"""

from enum import Enum

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor


class ResizeRule(Enum):
    """How images reach the extractor's size; the value is the name in a protocol.

    TF1_BILINEAR is the default for the FID: the rule inside the 2015 graph, hence that of the
    original FID, the SS-GAN paper's code and torch-fidelity. It does not smooth when it shrinks,
    and samples at i * in / out without the half-pixel shift.
    HALF_PIXEL_BILINEAR is pytorch-fid's: PyTorch's bilinear, not smoothing either.
    CLEAN_BICUBIC is clean-fid's: bicubic, smoothing when it shrinks (Parmar et al. 2022); the
    right one where images are larger than the extractor's input.
    """

    TF1_BILINEAR = "tf1-bilinear"
    HALF_PIXEL_BILINEAR = "half-pixel-bilinear"
    CLEAN_BICUBIC = "clean-bicubic"


def resize(
    pixels: UInt8[Tensor, "B C S S"], side: int, rule: ResizeRule
) -> Float[Tensor, "B C side side"]:
    """The pixels as float32 in [0, 255] (not rounded), `side` x `side`."""
    x = pixels.float()
    if x.shape[-1] == side:
        return x
    if rule is ResizeRule.TF1_BILINEAR:
        across = _tf1_matrix(x.shape[-1], side).to(x.device)
        return across @ x @ across.T
    if rule is ResizeRule.HALF_PIXEL_BILINEAR:
        return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)
    x = F.interpolate(x, size=(side, side), mode="bicubic", align_corners=False, antialias=True)
    return x.clamp(0, 255)


def _tf1_matrix(before: int, after: int) -> Float[Tensor, "after before"]:
    """Row i mixes the pixels left and right of i * before / after; past the end, the last one."""
    place = torch.arange(after, dtype=torch.float64) * before / after
    left = place.floor().long()
    right = (left + 1).clamp(max=before - 1)
    share = place - left
    matrix = torch.zeros(after, before, dtype=torch.float64)
    rows = torch.arange(after)
    matrix[rows, left] += 1 - share
    matrix[rows, right] += share
    return matrix.float()
