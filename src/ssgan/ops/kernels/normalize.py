"""Batch norm with a gain, a shift and ReLU as one operation, in bfloat16 on a CPU.

PyTorch's batch norm, modulation and ReLU read and write each map five times or more, and these maps
are larger than the caches. `maps.c` reads it two or three times and writes it once. All sums
and products are float32; the result is rounded once, where the plain operations round each time.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ssgan.ops.kernels.library import call, find_avx512

_CHANNELS = 16  # the number of channels is a multiple of it


def normalize(
    inputs: Float[Tensor, "B C H W"],
    running_mean: Float[Tensor, " C"],
    running_var: Float[Tensor, " C"],
    gain: Float[Tensor, "... C"],
    shift: Float[Tensor, "... C"],
    momentum: float,
    epsilon: float,
    *,
    relu: bool,
) -> Float[Tensor, "B C H W"]:
    """relu(batch_norm(inputs) * gain + shift), in training mode; without `relu` not rectified.

    Gain and shift are [C], or [B, C] for each image. Updates the running statistics in place.
    Differentiable twice. Raises RuntimeError for gains and shifts of other shapes.
    """
    batch, channels = inputs.shape[:2]
    shape = (channels,) if gain.ndim == shift.ndim == 1 else (batch, channels)
    gain, shift = gain.expand(shape), shift.expand(shape)
    out: Tensor = _Normalize.apply(  # type: ignore[no-untyped-call]
        inputs, gain, shift, running_mean, running_var, momentum, epsilon, relu
    )
    return out


def suits_normalize(inputs: Float[Tensor, "B C ..."], *running: Float[Tensor, "..."]) -> bool:
    """Whether `normalize` can: bfloat16 maps of 16, 32, ... channels on a CPU with AVX512-BF16.

    The running statistics are float32 and dense, as they are unless someone converted them.
    """
    shape = inputs.shape[1:2]
    return (
        all(r.dtype is torch.float32 and r.shape == shape and r.is_contiguous() for r in running)
        and inputs.dtype is torch.bfloat16
        and inputs.device.type == "cpu"
        and inputs.ndim == 4
        and inputs.shape[1] % _CHANNELS == 0
        and inputs[:, 0].numel() > 1  # of one value PyTorch says that it has no variance
        and not torch.compiler.is_compiling()
        and find_avx512() is not None
    )


class _Normalize(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        gain: Tensor,
        shift: Tensor,
        running_mean: Tensor,
        running_var: Tensor,
        momentum: float,
        epsilon: float,
        relu: bool,
    ) -> Tensor:
        maps = inputs.contiguous(memory_format=torch.channels_last)
        out = torch.empty_like(maps)
        mean, inverse = running_mean.new_empty(2, inputs.shape[1]).unbind()
        gains, shifts = (value.float().contiguous() for value in (gain, shift))
        call(
            find_avx512(),
            "normalize",
            *(maps, out, *_sizes(maps), gains, shifts, _stride(gain), mean, inverse),
            *(running_mean, running_var, float(momentum), float(epsilon), int(relu)),
        )
        ctx.save_for_backward(inputs, gain, shift, mean, inverse)
        ctx.epsilon, ctx.relu = epsilon, relu
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, gain, shift, mean, inverse = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is wanted
            return _differentiable_gradients(ctx, inputs, gain, shift, gradient)
        maps = inputs.contiguous(memory_format=torch.channels_last)
        gradient = gradient.to(maps.dtype).contiguous(memory_format=torch.channels_last)
        input_gradient = torch.empty_like(maps)
        each = mean.new_empty(2, *maps.shape[:2])
        gains, shifts = (value.float().contiguous() for value in (gain, shift))
        call(
            find_avx512(),
            "normalize_backward",
            *(gradient, maps, input_gradient, *_sizes(maps), gains, shifts, _stride(gain)),
            *(mean, inverse, each[0], each[1], int(ctx.relu)),
        )
        gain_gradient, shift_gradient = each if gain.ndim == 2 else each.sum(1)
        return input_gradient, gain_gradient, shift_gradient, *[None] * 5


def _differentiable_gradients(
    ctx: Any, inputs: Tensor, gain: Tensor, shift: Tensor, gradient: Tensor
) -> tuple[Tensor | None, ...]:
    """The same gradients by PyTorch's operations, which can be differentiated again."""
    normalized = F.batch_norm(inputs.float(), None, None, None, None, True, 0.0, ctx.epsilon)
    out = normalized * gain.float()[..., None, None] + shift.float()[..., None, None]
    out = (out.relu() if ctx.relu else out).to(inputs.dtype)
    given = (inputs, gain, shift)
    wanted = [value for value, needed in zip(given, ctx.needs_input_grad, strict=False) if needed]
    found = iter(torch.autograd.grad(out, wanted, gradient, create_graph=True))
    return tuple(next(found) if needed else None for needed in ctx.needs_input_grad)


def _sizes(inputs: Tensor) -> tuple[int, int, int]:
    batch, channels, height, width = inputs.shape
    return batch, height * width, channels


def _stride(gain: Tensor) -> int:
    return gain.shape[-1] if gain.ndim == 2 else 0
