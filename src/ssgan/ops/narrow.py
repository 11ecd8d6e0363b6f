"""A 3x3 convolution from many channels to few: all nine taps of a pixel at once, then shifted sums.

    Y[i, j] = sum over taps (k, q) of  P_kq[i + k - 1, j + q - 1],      P = W X at every pixel

P is one matrix product with 9 times the outputs, which reads the images once; libraries read them
nine times and are slow for so few outputs. The last layer of a generator is such a convolution.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

_OUTPUTS, _INPUTS = 4, 128  # at most and at least: where it was measured to be faster
_TAPS = tuple((k, q) for k in range(3) for q in range(3))


def narrow(images: Float[Tensor, "B I H W"], weight: Float[Tensor, "O I R Q"]) -> bool:
    """Whether this is the fastest way: few outputs of many channels, on a CPU."""
    outer, inner, *kernel = weight.shape
    on_cpu = images.device.type == "cpu"
    return on_cpu and kernel == [3, 3] and outer <= _OUTPUTS and inner >= _INPUTS


def conv3x3_narrow(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I 3 3"],
    bias: Float[Tensor, " O"] | None,
) -> Float[Tensor, "B O H W"]:
    """A 3x3 convolution with padding 1. Differentiable twice."""
    taps = weight.permute(2, 3, 0, 1).reshape(-1, weight.shape[1], 1, 1)
    out: Tensor = _Summed.apply(F.conv2d(images, taps))  # type: ignore[no-untyped-call]
    return out if bias is None else out + bias.to(out.dtype)[:, None, None]


class _Summed(torch.autograd.Function):
    """[B, 9 * O, H, W], taps first, to [B, O, H, W]: the sum of the shifted taps."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        batch, channels, height, width = maps.shape
        framed = F.pad(maps.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
        taps = framed.view(batch, height + 2, width + 2, len(_TAPS), channels // len(_TAPS))
        shifted = [taps[:, k : k + height, q : q + width, tap] for tap, (k, q) in enumerate(_TAPS)]
        total = shifted[0].float() if maps.dtype is torch.bfloat16 else shifted[0].clone()
        for one in shifted[1:]:
            total += one
        return total.to(maps.dtype).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        maps: Tensor = _Shifted.apply(slope)  # type: ignore[no-untyped-call]
        return maps


class _Shifted(torch.autograd.Function):
    """The transpose: to every tap the map that its shift undoes."""

    @staticmethod
    def forward(ctx: Any, slope: Tensor) -> Tensor:
        height, width = slope.shape[2:]
        framed = F.pad(slope.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
        shifted = [framed[:, 2 - k : 2 - k + height, 2 - q : 2 - q + width] for k, q in _TAPS]
        return torch.cat(shifted, dim=3).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        maps: Tensor = _Summed.apply(slope)  # type: ignore[no-untyped-call]
        return maps
