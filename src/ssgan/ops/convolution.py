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
    return F.conv2d(F.avg_pool2d(images, 2, stride=1, padding=1), weight, bias, stride=2)


def conv3x3_up_nearest(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I 3 3"],
    bias: Float[Tensor, " O"] | None,
) -> Float[Tensor, "B O 2*H 2*W"]:
    """A 3x3 convolution with padding 1 of images in which every pixel became a 2x2 square."""
    # the bias comes last: with it in the convolution oneDNN takes a slow path in bfloat16
    spread = F.conv_transpose2d(images, transposed(weight), stride=2)
    doubled = F.avg_pool2d(spread, 2, stride=1, divisor_override=1)
    return doubled if bias is None else doubled.add_(bias.to(doubled.dtype)[:, None, None])


def conv3x3_up_zero(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I 3 3"],
    bias: Float[Tensor, " O"] | None,
) -> Float[Tensor, "B O 2*H 2*W"]:
    """A 3x3 convolution with padding 1 of `insert_zeros(images)`."""
    kernel = transposed(weight)
    return F.conv_transpose2d(images, kernel, bias, stride=2, padding=1, output_padding=1)


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


def transposed(weight: Float[Tensor, "O I A A"]) -> Float[Tensor, "I O A A"]:
    """The kernel with which a transposed convolution does what a convolution does with `weight`."""
    return weight.transpose(0, 1).flip(2, 3)
