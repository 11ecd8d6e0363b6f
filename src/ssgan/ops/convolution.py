"""Convolutions fused with resampling by two, with a fraction of the multiplications.

Each function equals its two plain operations exactly, not approximately. The mean over 2x2 and
nearest upsampling are both a convolution with a 2x2 kernel of ones. It commutes with the 3x3
convolution, so it is computed on the other side, as an average pooling with stride 1; the
convolution is then needed at half of the positions along each axis. All functions are
differentiable twice, for gradient penalties.

    3x3 convolution, then the mean over 2x2    pooling, then a 3x3 convolution with stride 2:
                                               9 multiplications per output instead of 36
    nearest x2, then 3x3 convolution           3x3 transposed convolution, stride 2, then pooling:
                                               2.25 multiplications per output instead of 9
    zero insertion, then 3x3 convolution       3x3 transposed convolution, stride 2:
                                               2.25 multiplications per output instead of 9

Spectral norm divides the 3x3 weight first. A 1x1 convolution needs no function of its own: it
commutes with the mean and with nearest upsampling, and with zero insertion if its bias is added
afterwards.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

from ssgan.ops.kernels.amx import convolution_weight_gradient, convolve_transposed, suits_amx
from ssgan.ops.kernels.maps import sum_pixels


def conv3x3_down(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I 3 3"],
    bias: Float[Tensor, " O"] | None,
) -> Float[Tensor, "B O H//2 W//2"]:
    """The mean over 2x2 of a 3x3 convolution with padding 1.

    An odd last row or column is dropped, as in average pooling.
    """
    return conv2d(pool2x2(images, 1), weight, bias, stride=2)


def conv3x3_up_nearest(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I 3 3"],
    bias: Float[Tensor, " O"] | None,
) -> Float[Tensor, "B O 2*H 2*W"]:
    """A 3x3 convolution with padding 1 of the images after nearest upsampling by two."""
    # the bias comes last: inside the convolution oneDNN takes a slow path in bfloat16
    spread = conv_transpose2d(images, transpose_kernel(weight), None)
    doubled = pool2x2(spread, 0, divisor=1)
    return doubled if bias is None else doubled.add_(bias.to(doubled.dtype)[:, None, None])


def conv3x3_up_zero(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I 3 3"],
    bias: Float[Tensor, " O"] | None,
) -> Float[Tensor, "B O 2*H 2*W"]:
    """A 3x3 convolution with padding 1 of `insert_zeros(images)`."""
    return conv_transpose2d(images, transpose_kernel(weight), bias, padding=1, output_padding=1)


def conv2d(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I A A"],
    bias: Float[Tensor, " O"] | None,
    stride: int = 1,
    padding: int = 0,
) -> Float[Tensor, "B O P Q"]:
    """F.conv2d, but its backward stores and computes less.

    It stores the images only if weight or bias requires a gradient: in G's update D is frozen, so
    the feature maps of D need not be stored. Few output positions make one matrix product.
    """
    learns = weight.requires_grad or (bias is not None and bias.requires_grad)
    height, width = (_output_side(side, weight, stride, padding) for side in images.shape[2:])
    few = suits_product(images, height * width, stride)
    if few or suits_amx(images, weight) if learns else images.requires_grad:
        out: Tensor = _Convolution.apply(images, weight, bias, stride, padding)  # type: ignore[no-untyped-call]
        return out
    return F.conv2d(images, weight, bias, stride, padding)


def _output_side(side: int, weight: Tensor, stride: int, padding: int) -> int:
    return (side + 2 * padding - weight.shape[-1]) // stride + 1


class _Convolution(torch.autograd.Function):
    """Gradients are in the type of the output, which autocast may have chosen."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int
    ) -> Tensor:
        out = F.conv2d(images, weight, bias, stride, padding)
        learns = ctx.needs_input_grad[1]
        rest = tuple((side + 2 * padding - weight.shape[-1]) % stride for side in images.shape[2:])
        frozen = weight if learns else weight.to(out.dtype)  # a copy would cut the second gradient
        ctx.save_for_backward(images if learns else None, frozen)
        ctx.geometry = (stride, padding, rest)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (images, weight), (stride, padding, rest) = ctx.saved_tensors, ctx.geometry
        image_gradient = weight_gradient = bias_gradient = None
        if ctx.needs_input_grad[0]:
            kernel = weight.to(gradient.dtype)
            image_gradient = _spread(gradient, kernel, None, stride, padding, rest)
        if ctx.needs_input_grad[1]:
            weight_gradient = _weight_gradient(images, gradient, weight, stride, padding)
        if ctx.needs_input_grad[2]:
            bias_gradient = sum_pixels(gradient)
        return image_gradient, weight_gradient, bias_gradient, None, None


def conv_transpose2d(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "I O A A"],
    bias: Float[Tensor, " O"] | None,
    padding: int = 0,
    output_padding: int = 0,
) -> Float[Tensor, "B O P Q"]:
    """F.conv_transpose2d with stride 2, but its backward computes less.

    On a CPU PyTorch's gradients of weight and bias together take twice as long as one after the
    other. Few input positions make one matrix product.
    """
    geometry = (padding, output_padding)
    out: Tensor = _TransposedConvolution.apply(images, weight, bias, *geometry)  # type: ignore[no-untyped-call]
    return out


class _TransposedConvolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        padding: int,
        output_padding: int,
    ) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.padding = padding
        return _spread(images, weight, bias, 2, padding, (output_padding, output_padding))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (images, weight), padding = ctx.saved_tensors, ctx.padding
        images, kernel = images.to(gradient.dtype), weight.to(gradient.dtype)
        image_gradient = weight_gradient = bias_gradient = None
        if ctx.needs_input_grad[0]:
            image_gradient = F.conv2d(gradient, kernel, None, 2, padding)
        if ctx.needs_input_grad[1]:
            weight_gradient = _weight_gradient(gradient, images, weight, 2, padding)
        if ctx.needs_input_grad[2]:
            bias_gradient = sum_pixels(gradient)
        return image_gradient, weight_gradient, bias_gradient, None, None


def _spread(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int,
    padding: int,
    output_padding: tuple[int, int],
) -> Tensor:
    """F.conv_transpose2d. In `backward` with a second derivative, PyTorch's own."""
    if stride > 1 and not torch.is_grad_enabled() and suits_amx(images, weight):
        out: Tensor = convolve_transposed(images, weight, bias, stride, padding, output_padding)
        return out
    return F.conv_transpose2d(images, weight, bias, stride, padding, output_padding)


def _weight_gradient(
    images: Tensor, gradient: Tensor, weight: Tensor, stride: int, padding: int
) -> Tensor:
    """The gradient of a weight [O, I, A, A] of F.conv2d, by the fastest way here."""
    kernel, shape = weight.shape[-1], weight.shape
    positions = gradient.shape[2] * gradient.shape[3]
    on_amx = not torch.is_grad_enabled() and suits_amx(gradient, weight)
    if on_amx and _AMX_POSITIONS * positions**2 > shape[0] * shape[1]:
        found: Tensor = convolution_weight_gradient(images, gradient, kernel, stride, padding)
    elif on_amx or suits_product(gradient, positions, stride):
        found = weight_gradient_by_product(images, gradient, kernel, stride, padding)
    else:
        found = conv2d_weight(images.to(gradient.dtype), shape, gradient, stride, padding)  # type: ignore[no-untyped-call]
    return found


_AMX_POSITIONS = 64  # measured: 16 positions and 128 x 128 channels, 64 and 512 x 512 take as long

_MAX_POSITIONS = {
    1: 16,
    2: 64,
}  # output positions for which it was measured to be faster, by stride


def suits_product(images: Float[Tensor, "B I H W"], positions: int, stride: int) -> bool:
    """Whether `weight_gradient_by_product` is faster: bfloat16 on a CPU, few output positions."""
    cpu = images.device.type == "cpu"
    bfloat16 = images.dtype is torch.bfloat16 or (
        torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is torch.bfloat16
    )
    few = positions <= _MAX_POSITIONS.get(stride, 0) and len(images) > 0
    return cpu and bfloat16 and few


def weight_gradient_by_product(
    images: Float[Tensor, "B I H W"],
    gradient: Float[Tensor, "B O P Q"],
    kernel_size: int,
    stride: int,
    padding: int,
) -> Float[Tensor, "O I A A"]:
    """The gradient of F.conv2d's weight, from its images and its output's gradient.

    One matrix product: the sum over images and positions of dL/dY (patch of the images below)'.
    PyTorch's own is slow for maps of a few pixels: this one is up to four times as fast for 2x2
    positions, and equal at 8x8.
    For a transposed convolution the two change places: its outputs' gradient are the images.
    Differentiable, in the type of the gradient.
    """
    outer, height, width = gradient.shape[1:]
    last = images.to(gradient.dtype).permute(0, 2, 3, 1)
    padded = F.pad(last, (0, 0, padding, padding, padding, padding)) if padding else last
    patches = padded.unfold(1, kernel_size, stride).unfold(2, kernel_size, stride)
    columns = patches[:, :height, :width].permute(0, 1, 2, 4, 5, 3)  # [B, P, Q, A, A, I]
    rows = gradient.permute(0, 2, 3, 1).reshape(-1, outer)
    product = rows.T @ columns.reshape(len(rows), -1)
    return product.view(outer, kernel_size, kernel_size, -1).permute(0, 3, 1, 2)


def pool2x2(
    images: Float[Tensor, "B C H W"], padding: int, divisor: int = 4
) -> Float[Tensor, "B C P Q"]:
    """The sum over every 2x2 window (stride 1) divided by the divisor.

    Padding 1 adds a row and a column, padding 0 removes one. The gradient is such a pooling too and
    stores nothing, whereas PyTorch's average pooling stores its input.
    """
    out: Tensor = _Pool2x2.apply(images, padding, divisor)  # type: ignore[no-untyped-call]
    return out


class _Pool2x2(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, padding: int, divisor: int) -> Tensor:
        ctx.geometry = (1 - padding, divisor)
        if images.shape[1] <= _FEW_CHANNELS and images.device.type == "cpu":
            return _pool_by_sums(images, padding, divisor)
        if images.dtype is torch.bfloat16 and images.device.type == "cpu":  # faster there
            box = images.new_full((images.shape[1], 1, 2, 2), 1 / divisor)
            return F.conv2d(images, box, padding=padding, groups=len(box))
        return F.avg_pool2d(images, 2, stride=1, padding=padding, divisor_override=divisor)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return pool2x2(gradient, *ctx.geometry), None, None


_FEW_CHANNELS = 3  # for which PyTorch's pooling is slow where channels are last


def _pool_by_sums(images: Tensor, padding: int, divisor: int) -> Tensor:
    if padding:
        images = F.pad(images, (1, 1, 1, 1))
    rows = images[:, :, 1:] + images[:, :, :-1]
    return (rows[..., 1:] + rows[..., :-1]).div_(divisor)


def insert_zeros(images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C 2*H 2*W"]:
    """Every pixel becomes a 2x2 square with its value at the top left and zeros elsewhere.

    The "unpool" of the official SS-GAN code. Keeps the memory format of the input.
    """
    batch, channels, height, width = images.shape
    last = images.is_contiguous(memory_format=torch.channels_last)
    larger = torch.empty(
        (batch, channels, 2 * height, 2 * width),
        dtype=images.dtype,
        device=images.device,
        memory_format=torch.channels_last if last else torch.contiguous_format,
    ).zero_()
    larger[:, :, ::2, ::2] = images
    return larger


def double_bilinear(images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C 2*H 2*W"]:
    """Bilinear upsampling by two: the four nearest pixels weigh 9, 3, 3 and 1 sixteenths."""
    return F.interpolate(images, scale_factor=2.0, mode="bilinear", align_corners=False)


def transpose_kernel(weight: Float[Tensor, "O I A A"]) -> Float[Tensor, "I O A A"]:
    """The kernel whose transposed convolution is the convolution with `weight`."""
    return weight.transpose(0, 1).flip(2, 3)


_MAX_OUTPUTS, _MIN_INPUTS = 4, 128  # channels for which it was measured to be faster
_TAPS = tuple((k, q) for k in range(3) for q in range(3))


def suits_few_outputs(images: Float[Tensor, "B I H W"], weight: Float[Tensor, "O I R Q"]) -> bool:
    """Whether `conv3x3_few_outputs` is fastest: few outputs of many channels, on a CPU."""
    outer, inner, *kernel = weight.shape
    on_cpu = images.device.type == "cpu"
    return on_cpu and kernel == [3, 3] and outer <= _MAX_OUTPUTS and inner >= _MIN_INPUTS


def conv3x3_few_outputs(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I 3 3"],
    bias: Float[Tensor, " O"] | None,
) -> Float[Tensor, "B O H W"]:
    """A 3x3 convolution with padding 1: a 1x1 convolution to nine maps per output, then shifts.

    Differentiable twice.
    """
    taps = weight.permute(2, 3, 0, 1).reshape(-1, weight.shape[1], 1, 1)
    out: Tensor = _SumTaps.apply(F.conv2d(images, taps))  # type: ignore[no-untyped-call]
    return out if bias is None else out + bias.to(out.dtype)[:, None, None]


class _SumTaps(torch.autograd.Function):
    """[B, 9 * O, H, W], taps first, to [B, O, H, W]: the sum of the shifted taps."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        batch, channels, height, width = maps.shape
        padded = F.pad(maps.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
        taps = padded.view(batch, height + 2, width + 2, len(_TAPS), channels // len(_TAPS))
        if maps.dtype is torch.bfloat16:
            taps = taps.float()
        shifted = [taps[:, k : k + height, q : q + width, tap] for tap, (k, q) in enumerate(_TAPS)]
        total = shifted[0].clone()
        for one in shifted[1:]:
            total += one
        return total.to(maps.dtype).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        maps: Tensor = _SpreadTaps.apply(gradient)  # type: ignore[no-untyped-call]
        return maps


class _SpreadTaps(torch.autograd.Function):
    """The transpose of `_SumTaps`: to every tap the map shifted back."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        height, width = maps.shape[2:]
        padded = F.pad(maps.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
        shifted = [padded[:, 2 - k : 2 - k + height, 2 - q : 2 - q + width] for k, q in _TAPS]
        return torch.cat(shifted, dim=3).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        maps: Tensor = _SumTaps.apply(gradient)  # type: ignore[no-untyped-call]
        return maps
