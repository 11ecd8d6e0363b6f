"""A 3x3 convolution and a change of size by two, as one convolution each.

Each function equals its two plain operations exactly, not approximately, and does a half to a
quarter of their multiplications. All are differentiable twice, for gradient penalties.

    3x3 convolution, then the mean over 2x2    4x4 convolution, stride 2, padding 1
    nearest x2, then 3x3 convolution           4x4 transposed convolution, stride 2, padding 1
    zero insertion, then 3x3 convolution       3x3 transposed convolution, stride 2, padding 1,
                                               output padding 1

The 4x4 kernels are sums over the four unit shifts of the 3x3 kernel. A spectral norm divides the
3x3 weight first. A 1x1 convolution needs no kernel of its own: it commutes with the mean and with
nearest as it stands, and with zero insertion when its bias is added afterwards.

On a CPU with AVX2 the transposed convolutions were faster, forward and backward in float32 with
channels last, than four sub-pixel convolutions or one convolution to four times the channels.
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
    return F.conv2d(images, summed_shifts(weight) / 4, bias, stride=2, padding=1)


def conv3x3_up_nearest(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I 3 3"],
    bias: Float[Tensor, " O"] | None,
) -> Float[Tensor, "B O 2*H 2*W"]:
    """A 3x3 convolution with padding 1 of images in which every pixel became a 2x2 square."""
    kernel = transposed(summed_shifts(weight))
    return F.conv_transpose2d(images, kernel, bias, stride=2, padding=1)


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


def summed_shifts(weight: Float[Tensor, "O I 3 3"]) -> Float[Tensor, "O I 4 4"]:
    """The sum of the kernel at the four places it can take in a 4x4 square."""
    return F.avg_pool2d(weight, 2, stride=1, padding=1, divisor_override=1)


def transposed(weight: Float[Tensor, "O I A A"]) -> Float[Tensor, "I O A A"]:
    """The kernel with which a transposed convolution does what a convolution does with `weight`."""
    return weight.transpose(0, 1).flip(2, 3)
