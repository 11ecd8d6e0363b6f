"""A 3x3 convolution and a change of size by two, with a fraction of the multiplications.

Each function equals its two plain operations exactly, not approximately. Both the mean over 2x2
and the doubling to 2x2 squares are a box of 2x2 ones; it commutes with a convolution, so it is
taken as an average pooling with stride 1 on the other side, and the convolution needs to be
computed at half of the places alone. All are differentiable twice, for gradient penalties.

    3x3 convolution, then the mean over 2x2    box, then a 3x3 convolution with stride 2:
                                               9 multiplications an output instead of 36
    nearest x2, then 3x3 convolution           3x3 transposed convolution, stride 2, then the box:
                                               2.25 multiplications an output instead of 9
    zero insertion, then 3x3 convolution       3x3 transposed convolution, stride 2:
                                               2.25 multiplications an output instead of 9

A spectral norm divides the 3x3 weight first. A 1x1 convolution needs no function of its own: it
commutes with the mean and with nearest as it stands, and with zero insertion when its bias is
added afterwards.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def conv3x3_down(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I 3 3"],
    bias: Float[Tensor, " O"] | None,
) -> Float[Tensor, "B O H//2 W//2"]:
    """The mean over 2x2 of a 3x3 convolution with padding 1.

    An odd last row or column is dropped, as average pooling drops it.
    """
    return conv2d(box(images, 1), weight, bias, stride=2)


def conv3x3_up_nearest(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I 3 3"],
    bias: Float[Tensor, " O"] | None,
) -> Float[Tensor, "B O 2*H 2*W"]:
    """A 3x3 convolution with padding 1 of images in which every pixel became a 2x2 square."""
    # the bias comes last: with it in the convolution oneDNN takes a slow path in bfloat16
    spread = F.conv_transpose2d(images, transposed(weight), stride=2)
    doubled = box(spread, 0, divisor=1)
    return doubled if bias is None else doubled.add_(bias.to(doubled.dtype)[:, None, None])


def conv3x3_up_zero(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I 3 3"],
    bias: Float[Tensor, " O"] | None,
) -> Float[Tensor, "B O 2*H 2*W"]:
    """A 3x3 convolution with padding 1 of `insert_zeros(images)`."""
    kernel = transposed(weight)
    return F.conv_transpose2d(images, kernel, bias, stride=2, padding=1, output_padding=1)


def conv2d(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I A A"],
    bias: Float[Tensor, " O"] | None,
    stride: int = 1,
    padding: int = 0,
) -> Float[Tensor, "B O P Q"]:
    """PyTorch's convolution, which keeps the images only if a gradient of weight or bias is wanted.

    In G's update D is frozen, and its maps need not be kept.
    """
    learns = weight.requires_grad or (bias is not None and bias.requires_grad)
    if learns or not images.requires_grad:
        return F.conv2d(images, weight, bias, stride, padding)
    out: Tensor = _FrozenConvolution.apply(images, weight, bias, stride, padding)  # type: ignore[no-untyped-call]
    return out


class _FrozenConvolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int
    ) -> Tensor:
        out = F.conv2d(images, weight, bias, stride, padding)
        rest = tuple((side + 2 * padding - weight.shape[-1]) % stride for side in images.shape[2:])
        ctx.save_for_backward(weight.to(out.dtype))  # autocast may have chosen another
        ctx.form = (stride, padding, rest)
        return out

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        (weight,), (stride, padding, rest) = ctx.saved_tensors, ctx.form
        of_images = F.conv_transpose2d(slope, weight, None, stride, padding, rest)
        return of_images, None, None, None, None


def box(
    images: Float[Tensor, "B C H W"], padding: int, divisor: int = 4
) -> Float[Tensor, "B C P Q"]:
    """The sum over every 2x2 by the divisor: a row and a column more with padding 1, less with 0.

    Its gradient is a box again, and needs nothing kept; PyTorch's average pooling keeps its input.
    """
    out: Tensor = _Box.apply(images, padding, divisor)  # type: ignore[no-untyped-call]
    return out


class _Box(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, padding: int, divisor: int) -> Tensor:
        ctx.form = (1 - padding, divisor)
        return F.avg_pool2d(images, 2, stride=1, padding=padding, divisor_override=divisor)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        return box(slope, *ctx.form), None, None


def insert_zeros(images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C 2*H 2*W"]:
    """Every pixel becomes a 2x2 square with the value at its top left and zeros elsewhere.

    The "unpool" of the official SS-GAN code. The memory format of the input is kept.
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
    """Twice the size, by the four nearest pixels with 9, 3, 3 and 1 sixteenths."""
    return F.interpolate(images, scale_factor=2.0, mode="bilinear", align_corners=False)


def transposed(weight: Float[Tensor, "O I A A"]) -> Float[Tensor, "I O A A"]:
    """The kernel with which a transposed convolution does what a convolution does with `weight`."""
    return weight.transpose(0, 1).flip(2, 3)


_OUTPUTS, _INPUTS = 4, 128  # at most and at least: where it was measured to be faster
_TAPS = tuple((k, q) for k in range(3) for q in range(3))


def suits_few_outputs(images: Float[Tensor, "B I H W"], weight: Float[Tensor, "O I R Q"]) -> bool:
    """Whether this is the fastest way: few outputs of many channels, on a CPU."""
    outer, inner, *kernel = weight.shape
    on_cpu = images.device.type == "cpu"
    return on_cpu and kernel == [3, 3] and outer <= _OUTPUTS and inner >= _INPUTS


def conv3x3_few_outputs(
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
