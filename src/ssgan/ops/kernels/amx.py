"""Convolutions on the matrix unit (AMX) of a CPU, where oneDNN is slow.

oneDNN does convolutions of stride 1 at the speed of the unit. Its transposed convolutions with
stride 2 and its weights' gradients reach a fraction of that; those of `amx.c` take 0.25 to 0.7 of
the time. Sums are float32: results differ in rounding only.
"""

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import BFloat16, Float, Float32
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from ssgan.ops.kernels.amx_tables import TILE, gradient_tables, spread_tables
from ssgan.ops.kernels.library import call, find_amx

_PANEL = 2**21  # bytes that a group of images may fill, about a core's L2 cache
_BLOCK = 64  # input channels whose pairs are filled at a time, with stride 2
_CHUNK = 33 * TILE  # positions that a product sums over: the rows of one map of 32 x 32
_CHANNELS = 32  # both numbers of channels are multiples of it


def suits_amx(images: Float[Tensor, "B C H W"], weight: Float[Tensor, "M N A A"]) -> bool:
    """Whether this module can compute with both: bfloat16, on a CPU, 32, 64, ... channels.

    Under autocast both may still be float32. Nothing here is differentiable, so `backward` asks
    only if no second derivative is wanted.
    """
    if images.device.type != "cpu" or any(size % _CHANNELS for size in weight.shape[:2]):
        return False
    if images.dtype is torch.float64 or images.numel() == 0:
        return False
    autocast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu")
    bfloat16 = torch.bfloat16 in (images.dtype, autocast)
    return bfloat16 and not torch.compiler.is_compiling() and find_amx() is not None


def convolve_transposed(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "I O A A"],
    bias: Float[Tensor, " O"] | None,
    stride: int,
    padding: int,
    output_padding: tuple[int, int],
) -> BFloat16[Tensor, "B O P Q"]:
    """F.conv_transpose2d in bfloat16."""
    out: Tensor = torch.ops.ssgan.convolve_transposed(
        images, weight, bias, stride, padding, output_padding
    )
    return out


def convolution_weight_gradient(
    images: Float[Tensor, "B I H W"],
    gradient: Float[Tensor, "B O P Q"],
    kernel: int,
    stride: int,
    padding: int,
) -> Float32[Tensor, "O I A A"]:
    """The gradient of F.conv2d's weight, from the images and the output's gradient in bfloat16."""
    out: Tensor = torch.ops.ssgan.convolution_weight_gradient(
        images, gradient, kernel, stride, padding
    )
    return out


def _convolve_transposed(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int,
    padding: int,
    output_padding: Sequence[int],
) -> Tensor:
    images, weight = _channels_last(images), weight.to(torch.bfloat16)
    more_rows, more_columns = output_padding
    batch, inner, height, width = images.shape
    outer, kernel = weight.shape[1], weight.shape[2]
    if weight.shape[0] != inner or (bias is not None and bias.shape != (outer,)):
        raise ValueError(f"{inner} channels do not fit a weight [I, O, A, A] {tuple(weight.shape)}")
    tables = spread_tables(height, width, kernel, stride, padding, (more_rows, more_columns))
    shape = (batch, outer, tables.out_height, tables.out_width)
    out = torch.empty(
        shape, dtype=torch.bfloat16, device=images.device, memory_format=torch.channels_last
    )
    bias = None if bias is None else bias.float().contiguous()
    row, column = weight.stride()[2:]
    taps = tables.order // kernel * row + tables.order % kernel * column
    call(
        find_amx(),
        "convolve_transposed",
        *(images, weight, bias, out, batch, height * width, out[0, 0].numel(), inner, outer),
        *(weight.stride(0), weight.stride(1), taps, tables.source, len(tables.source)),
        *(tables.origin, len(tables.targets), tables.first, tables.offsets, tables.targets),
        tables.targets.shape[1],
    )
    return out


def _weight_gradient(
    images: Tensor, gradient: Tensor, kernel: int, stride: int, padding: int
) -> Tensor:
    images, gradient = _channels_last(images), _channels_last(gradient)
    batch, inner, height, width = images.shape
    outer, pixels = gradient.shape[1], gradient[0, 0].numel()
    tables = gradient_tables(height, width, kernel, stride, padding)
    phases, wide = tables.sources.shape
    moves, step = tables.targets.shape
    block = inner if stride == 1 else _BLOCK if inner % _BLOCK == 0 else _CHANNELS
    panel = 2 * (phases * block * wide + moves * outer * step)  # bytes of one image
    group = max(1, min(_PANEL // panel, _CHUNK // step))
    shape = (outer, inner, kernel, kernel)
    out = torch.empty(
        shape, dtype=torch.float32, device=images.device, memory_format=torch.channels_last
    )
    call(
        find_amx(),
        "weight_gradient",
        *(images, gradient, out, batch, height * width, pixels, inner, outer),
        *(tables.sources, wide, phases, kernel * kernel, tables.tap_phase, tables.offsets),
        *(tables.targets, moves, step, block, group, _CHUNK, min(torch.get_num_threads(), batch)),
    )
    return out


# operations of torch, so that profilers and counters of operations see them
_OPERATIONS = torch.library.Library("ssgan", "DEF")  # type: ignore[no-untyped-call]
for _name, _function, _rest in (
    ("convolve_transposed", _convolve_transposed, "Tensor weight, Tensor? bias, int stride, int "
     "padding, int[2] output_padding"),
    ("convolution_weight_gradient", _weight_gradient, "Tensor gradient, int kernel, int stride, "
     "int padding"),
):  # fmt: skip
    _OPERATIONS.define(f"{_name}(Tensor images, {_rest}) -> Tensor")  # type: ignore[no-untyped-call]
    _OPERATIONS.impl(_name, _function, "CPU")  # type: ignore[no-untyped-call]


@register_flop_formula(torch.ops.ssgan.convolve_transposed)
def _flops_transposed(
    images: Sequence[int], weight: Sequence[int], *_: object, **__: object
) -> int:
    batch, channels, height, width = images
    return 2 * batch * height * width * channels * prod(weight[1:])


@register_flop_formula(torch.ops.ssgan.convolution_weight_gradient)
def _flops_gradient(
    images: Sequence[int], gradient: Sequence[int], kernel: int, *_: object, **__: object
) -> int:
    return 2 * prod(gradient) * images[1] * kernel * kernel


def _channels_last(maps: Tensor) -> Tensor:
    return maps.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
