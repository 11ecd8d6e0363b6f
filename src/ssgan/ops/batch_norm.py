"""Batch norm whose batch is split over several ranks.

PyTorch's SyncBatchNorm does not run on a CPU. Here every rank gathers the means and variances of
all ranks, which loses no digits as sums of squares would. Backward sums two numbers per channel
over the ranks. All parts of a batch have the same size.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ssgan.ops.collective import gather_from_ranks, num_ranks, sum_over_ranks


def batch_norm_over_ranks(
    inputs: Float[Tensor, "B C ..."],
    running_mean: Float[Tensor, " C"],
    running_var: Float[Tensor, " C"],
    gain: Float[Tensor, " C"] | None,
    shift: Float[Tensor, " C"] | None,
    momentum: float,
    epsilon: float,
) -> Float[Tensor, "B C ..."]:
    """F.batch_norm in training mode over the joined batches of all ranks.

    Updates the running statistics in place.
    """
    channels = inputs.shape[1]
    gain = running_var.new_ones(channels) if gain is None else gain
    shift = running_var.new_zeros(channels) if shift is None else shift
    with torch.no_grad():
        mean, variance = _statistics(inputs)
        count = inputs.numel() // channels * num_ranks()
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * (count / (count - 1)), momentum)
    outputs: Tensor = _Normalize.apply(inputs, gain, shift, mean, variance, epsilon)  # type: ignore[no-untyped-call]
    return outputs


def _statistics(inputs: Tensor) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """Mean and biased variance of each channel over all ranks, at least in float32."""
    mean, variance = _local_statistics(inputs)
    means, variances = gather_from_ranks(torch.stack([mean, variance])).unbind(1)
    mean = means.mean(0)
    return mean, variances.mean(0) + (means - mean).square().mean(0)


def _local_statistics(inputs: Tensor) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """Those of this rank's part. On a CPU var_mean takes 20 times as long as this kernel."""
    wide = torch.float64 if inputs.dtype == torch.float64 else torch.float32
    if inputs.device.type == "cpu":
        running = inputs.new_zeros(inputs.shape[1], dtype=wide)  # their type is that of the results
        mean, variance = torch.ops.aten.batch_norm_update_stats(inputs, running, running, 0.0)
        return mean, variance
    axes = [axis for axis in range(inputs.ndim) if axis != 1]
    variance, mean = torch.var_mean(inputs.to(wide), axes, correction=0)
    return mean, variance


class _Normalize(torch.autograd.Function):
    """(x - mean) / sqrt(variance + epsilon) * gain + shift; mean and variance depend on x."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        gain: Tensor,
        shift: Tensor,
        mean: Tensor,
        variance: Tensor,
        epsilon: float,
    ) -> Tensor:
        ctx.save_for_backward(inputs, gain, mean, variance)
        ctx.epsilon = epsilon
        return F.batch_norm(inputs, mean, variance, gain, shift, False, 0.0, epsilon)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, gain, mean, variance = ctx.saved_tensors
        scale = (variance + ctx.epsilon).rsqrt()
        _, gain_gradient, shift_gradient = torch.ops.aten.native_batch_norm_backward(
            gradient,
            inputs,
            gain,
            mean,
            variance,
            None,
            None,
            False,
            ctx.epsilon,
            [False, True, True],
        )
        # through mean and variance every rank's inputs affect every rank's outputs
        count = inputs.numel() // inputs.shape[1] * num_ranks()
        sums = sum_over_ranks(torch.stack([gain_gradient, shift_gradient])) / count
        direct = gain * scale
        through = direct * scale * sums[0]
        constant = direct * sums[1] - through * mean
        shape = (1, -1) + (1,) * (inputs.ndim - 2)
        direct, through, constant = (value.view(shape) for value in (direct, through, constant))
        # in the precision of the statistics, rounded once
        total = torch.addcmul(-constant, inputs.to(gain.dtype), -through)
        total = total.addcmul_(gradient.to(gain.dtype), direct).to(inputs.dtype)
        return total, gain_gradient, shift_gradient, None, None, None
