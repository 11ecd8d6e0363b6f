"""ReLU, sums over pixels and maxima of bfloat16 maps on a CPU, at the speed of its memory.

PyTorch's take about twice as long: they convert each number to float32 and back.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ssgan.ops.kernels.library import call, find_avx512


def relu(inputs: Float[Tensor, "B C *S"], *, inplace: bool = False) -> Float[Tensor, "B C *S"]:
    """F.relu; differentiable twice."""
    if not _suits(inputs) or inputs.numel() % 32:
        return F.relu(inputs, inplace=inplace)
    out: Tensor = _Relu.apply(inputs, inplace)  # type: ignore[no-untyped-call]
    return out


def sum_pixels(maps: Float[Tensor, "B C H W"]) -> Float[Tensor, " C"]:
    """The sum over images and pixels, as float32 where this module can, else in the maps' type."""
    if not _suits(maps) or maps.shape[1] % 16 or torch.is_grad_enabled():
        return maps.sum((0, 2, 3))
    batch, channels, height, width = maps.shape
    sums = torch.empty(channels, dtype=torch.float32, device=maps.device)
    call(find_avx512(), "sum_pixels", maps, sums, batch, height * width, channels)
    return sums


def maximum3x3(
    maps: Float[Tensor, "B C H W"], *, stride: int = 1, padding: int = 0
) -> Float[Tensor, "B C P Q"]:
    """F.max_pool2d over 3 x 3 pixels, of numbers that are no NaN."""
    batch, channels, height, width = maps.shape
    fits = channels % 32 == 0 and min(height, width) >= 3 and padding <= 1
    if not fits or not _suits(maps) or torch.is_grad_enabled():
        return F.max_pool2d(maps, 3, stride=stride, padding=padding)
    rows, columns = ((side + 2 * padding - 3) // stride + 1 for side in (height, width))
    out = maps.new_empty((batch, rows, columns, channels))
    sides = (height, width, channels, rows, columns)
    call(find_avx512(), "maximum3x3", maps, out, batch, *sides, stride, padding)
    return out.permute(0, 3, 1, 2)


class _Relu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, inplace: bool) -> Tensor:
        out = inputs if inplace else torch.empty_like(inputs)
        call(find_avx512(), "relu", inputs, out, inputs.numel())
        if inplace:
            ctx.mark_dirty(inputs)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (activated,) = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is wanted
            return gradient * (activated != 0), None
        if not gradient.is_contiguous(memory_format=torch.channels_last):  # as after a mean
            return torch.ops.aten.threshold_backward(gradient, activated, 0), None
        out = torch.empty_like(gradient)
        call(find_avx512(), "relu_backward", gradient, activated, out, out.numel())
        return out, None


def _suits(maps: Tensor) -> bool:
    """bfloat16 maps, channels last, on a CPU with AVX512-BF16."""
    return (
        maps.dtype is torch.bfloat16
        and maps.device.type == "cpu"
        and maps.ndim == 4
        and maps.is_contiguous(memory_format=torch.channels_last)
        and not torch.compiler.is_compiling()
        and find_avx512() is not None
    )
