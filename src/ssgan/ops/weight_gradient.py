"""The weight gradient of a convolution with few output positions: one matrix product.

    dL/dW = sum over images and positions of dL/dY (patch of the images below)'

In bfloat16 on a CPU, PyTorch's own weight gradient is slow for maps of a few pixels. Copying the
patches side by side pays there: up to four times the speed for 2x2 positions, equal at 8x8.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

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
    return cpu and bfloat16 and positions <= _MAX_POSITIONS.get(stride, 0)


def weight_gradient_by_product(
    images: Float[Tensor, "B I H W"],
    gradient: Float[Tensor, "B O P Q"],
    kernel_size: int,
    stride: int,
    padding: int,
) -> Float[Tensor, "O I A A"]:
    """The gradient of F.conv2d's weight, from its images and its output's gradient.

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
