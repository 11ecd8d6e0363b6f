"""Convolution, linear map and embedding, with spectral norm and fused resampling.

Initial weights are drawn from normal(0, 0.02) and biases are 0, as in the official SS-GAN code.
"""

from collections.abc import Callable
from enum import Enum
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.ops.convolution import (
    conv2d,
    conv3x3_down,
    conv3x3_few_outputs,
    conv3x3_up_nearest,
    conv3x3_up_zero,
    conv_transpose2d,
    double_bilinear,
    insert_zeros,
    suits_few_outputs,
)
from ssgan.ops.spectral_norm import SpectralLayer
from ssgan.ops.winograd import conv3x3_winograd, suits_winograd

WEIGHT_STD = 0.02


class Resample(Enum):
    """The resampling by two that belongs to a convolution."""

    NONE = "none"
    DOWN = "down"  # the mean over 2x2, after the convolution
    UP_ZERO = "up_zero"  # zero insertion, before the convolution; the value is at the top left
    UP_NEAREST = "up_nearest"  # nearest neighbour, before the convolution
    UP_BILINEAR = "up_bilinear"  # bilinear interpolation, before the convolution


class Conv2d(SpectralLayer):
    """A convolution that keeps the size, or halves or doubles it by `resample`.

    Kernels are 1x1 (padding 0), 3x3 (padding 1) or 4x4 (padding 1; `stride` 2 halves the size).
    With `fused`, a 3x3 convolution and its resampling are one operation (except bilinear), a 1x1
    one is computed at the low resolution, and other 3x3 ones by the fastest algorithm. Without
    `fused` the plain operations run one after the other. The results are the same.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        stride: int = 1,
        resample: Resample = Resample.NONE,
        spectral: bool = False,
        fused: bool = True,
    ) -> None:
        super().__init__()
        if kernel_size not in (1, 3, 4):
            raise ValueError(f"kernel_size must be 1, 3 or 4, not {kernel_size}")
        if resample is not Resample.NONE and (stride != 1 or kernel_size == 4):
            raise ValueError("resample requires a 1x1 or 3x3 convolution with stride 1")
        self.stride, self.resample, self.fused = stride, resample, fused
        self.padding = (kernel_size - 1) // 2
        self.weight = initial_weight(out_channels, in_channels, kernel_size, kernel_size)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.start_spectral_norm(spectral)

    def forward(self, images: Float[Tensor, "B I H W"]) -> Float[Tensor, "B O H2 W2"]:
        """The convolved images; `resample` and `stride` determine the size."""
        weight, bias = self.effective_weight(), self.bias
        if not self.fused:
            return _convolve_plain(images, weight, bias, self.stride, self.padding, self.resample)
        if self.resample is not Resample.NONE and self.padding == 0:
            return _convolve_at_low_resolution(images, weight, bias, self.resample)
        if self.resample in _FUSED:
            return _FUSED[self.resample](images, weight, bias)
        if self.resample is Resample.UP_BILINEAR:  # has no fused form
            images = double_bilinear(images)
        if self.stride == 1 and suits_winograd(images, weight):
            return conv3x3_winograd(images, weight, bias)
        if self.stride == 1 and suits_few_outputs(images, weight):
            return conv3x3_few_outputs(images, weight, bias)
        return conv2d(images, weight, bias, self.stride, self.padding)

    def extra_repr(self) -> str:
        """The arguments shown when the module is printed."""
        outer, inner, size, _ = self.weight.shape
        form = "fused" if self.fused else "plain"
        return f"{inner}, {outer}, {size}x{size}, stride={self.stride}, {self.resample}, {form}"


_FUSED = {
    Resample.DOWN: conv3x3_down,
    Resample.UP_ZERO: conv3x3_up_zero,
    Resample.UP_NEAREST: conv3x3_up_nearest,
}


_UPSAMPLE: dict[Resample, Callable[[Tensor], Tensor]] = {
    Resample.UP_ZERO: insert_zeros,
    Resample.UP_NEAREST: partial(F.interpolate, scale_factor=2.0),
    Resample.UP_BILINEAR: double_bilinear,
}


def _convolve_plain(
    images: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int, resample: Resample
) -> Tensor:
    if resample in _UPSAMPLE:
        images = _UPSAMPLE[resample](images)
    out = F.conv2d(images, weight, bias, stride, padding)
    return F.avg_pool2d(out, 2) if resample is Resample.DOWN else out


def _convolve_at_low_resolution(
    images: Tensor, weight: Tensor, bias: Tensor, resample: Resample
) -> Tensor:
    """A 1x1 convolution: it commutes with resampling, except for the bias with zero insertion."""
    if resample is Resample.DOWN:
        return conv2d(F.avg_pool2d(images, 2), weight, bias)
    if resample is Resample.UP_ZERO:
        low = F.conv2d(images, weight)
        return insert_zeros(low) + bias.to(low.dtype)[:, None, None]
    return _UPSAMPLE[resample](F.conv2d(images, weight, bias))


class ConvTranspose2d(nn.Module):
    """A 4x4 or 5x5 transposed convolution with stride 2 and padding 1, which doubles the size.

    The 5x5 one drops the last row and column.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 4) -> None:
        super().__init__()
        self.weight = initial_weight(in_channels, out_channels, kernel_size, kernel_size)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, images: Float[Tensor, "B I H W"]) -> Float[Tensor, "B O 2*H 2*W"]:
        """The images at twice the size."""
        larger = conv_transpose2d(images, self.weight, self.bias, padding=1)
        return larger if self.weight.shape[2] == 4 else larger[:, :, :-1, :-1]


class Linear(SpectralLayer):
    """A linear map of rows, with bias."""

    def __init__(self, in_features: int, out_features: int, *, spectral: bool = False) -> None:
        super().__init__()
        self.weight = initial_weight(out_features, in_features)
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.start_spectral_norm(spectral)

    def forward(self, rows: Float[Tensor, "B I"]) -> Float[Tensor, "B O"]:
        """Each row times the weight, plus the bias."""
        return F.linear(rows, self.effective_weight(), self.bias)


class Embedding(SpectralLayer):
    """One row of features per class: a linear map of one-hot labels, without bias."""

    def __init__(self, num_classes: int, features: int, *, spectral: bool = False) -> None:
        super().__init__()
        self.weight = initial_weight(num_classes, features)
        self.start_spectral_norm(spectral)

    def forward(self, labels: Int[Tensor, " B"]) -> Float[Tensor, "B F"]:
        """The rows of these classes."""
        return F.embedding(labels, self.effective_weight())


class ChannelMap(SpectralLayer):
    """A linear map of channels without bias, of rows or at every position of maps."""

    def __init__(self, in_channels: int, out_channels: int, *, spectral: bool = False) -> None:
        super().__init__()
        self.weight = initial_weight(out_channels, in_channels)
        self.start_spectral_norm(spectral)

    def forward(self, inputs: Float[Tensor, "B I ..."]) -> Float[Tensor, "B O ..."]:
        """Each row times the weight; each map as a 1x1 convolution."""
        weight = self.effective_weight()
        if inputs.ndim == 2:
            return F.linear(inputs, weight)
        return F.conv2d(inputs, weight[:, :, None, None])


def initial_weight(*shape: int) -> nn.Parameter:
    """A weight of this shape, drawn from normal(0, 0.02)."""
    return nn.Parameter(nn.init.normal_(torch.empty(shape), std=WEIGHT_STD))
