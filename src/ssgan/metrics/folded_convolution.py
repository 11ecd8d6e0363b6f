"""Convolutions with their batch norm folded in: what a frozen extractor is made of."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


class RawConvolution(NamedTuple):
    """A convolution without bias and the batch norm after it (scale and statistics as stored)."""

    weight: Float[Tensor, "O I H W"]
    gamma: Float[Tensor, " O"]
    beta: Float[Tensor, " O"]
    mean: Float[Tensor, " O"]
    variance: Float[Tensor, " O"]


@dataclass(frozen=True)
class FoldedConvolution:
    """One convolution with bias that does the work of both; call it."""

    weight: Float[Tensor, "O I H W"]
    bias: Float[Tensor, " O"]
    stride: int
    padding: tuple[int, int]  # rows, columns
    groups: int

    def __call__(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B O P Q"]:
        """The convolution and the batch norm; no activation."""
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, groups=self.groups)


def fold(
    raw: RawConvolution,
    device: torch.device | str,
    *,
    epsilon: float = 1e-3,
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
    groups: int = 1,
) -> FoldedConvolution:
    """Fold in float64; weights end as float32, channels last, on the device."""
    scale = raw.gamma.double() / (raw.variance.double() + epsilon).sqrt()
    weight = (raw.weight.double() * scale[:, None, None, None]).float()
    bias = (raw.beta.double() - raw.mean.double() * scale).float()
    weight = weight.to(device).contiguous(memory_format=torch.channels_last)
    return FoldedConvolution(weight, bias.to(device), stride, padding, groups)
