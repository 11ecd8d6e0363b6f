"""A 3x3 convolution with a quarter of the multiplications: Winograd's F(4x4, 3x3).

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. With d a tile of
6x6 pixels (neighbours overlap by two) and g a kernel,

    Y = A [ (G g G') * (B d B') ] A'        ' is the transpose, * elementwise,

is the 4x4 outputs of the tile: 36 multiplications for 16 outputs instead of 144. Summed over
channels, * is 36 matrix products. The algebra is exact; in float32 the rounding error is about
three times that of the plain sum. A few images are processed at a time, so that their tiles stay
in the cache. Only the inputs are stored for backward.
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ssgan.ops.convolution import transpose_kernel

STEP, TILE = 4, 6  # outputs and pixels along a side of a tile
_B = (
    (4.0, 0.0, -5.0, 0.0, 1.0, 0.0),
    (0.0, -4.0, -4.0, 1.0, 1.0, 0.0),
    (0.0, 4.0, -4.0, -1.0, 1.0, 0.0),
    (0.0, -2.0, -1.0, 2.0, 1.0, 0.0),
    (0.0, 2.0, -1.0, -2.0, 1.0, 0.0),
    (0.0, 4.0, 0.0, -5.0, 0.0, 1.0),
)
_G = (
    (1 / 4, 0.0, 0.0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0.0, 0.0, 1.0),
)
_A = (
    (1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
    (0.0, 1.0, -1.0, 2.0, -2.0, 0.0),
    (0.0, 1.0, 1.0, 4.0, 4.0, 0.0),
    (0.0, 1.0, -1.0, 8.0, -8.0, 1.0),
)
_MIN_CHANNELS = 128  # below this the transforms cost more than the products save
_PIXELS = 2048  # processed at a time, over all images


def suits_winograd(images: Float[Tensor, "B I H W"], weight: Float[Tensor, "O I R Q"]) -> bool:
    """Whether it is the fastest algorithm: wide float32 layers on a CPU, whole tiles.

    In bfloat16 the products are faster than the transforms, and the error is not small.
    """
    outer, inner, *kernel = weight.shape
    return (
        kernel == [3, 3]
        and images.device.type == "cpu"
        and images.dtype is torch.float32
        and not torch.is_autocast_enabled("cpu")
        and min(outer, inner) >= _MIN_CHANNELS
        and all(side % STEP == 0 for side in images.shape[2:])
    )


def conv3x3_winograd(
    images: Float[Tensor, "B I H W"],
    weight: Float[Tensor, "O I 3 3"],
    bias: Float[Tensor, " O"] | None,
) -> Float[Tensor, "B O H W"]:
    """A 3x3 convolution with padding 1; H and W are multiples of 4. Differentiable twice."""
    out: Tensor = _Convolution.apply(images, weight)  # type: ignore[no-untyped-call]
    return out if bias is None else out.add_(bias[:, None, None])


class _Convolution(torch.autograd.Function):
    """Stores the images and the weight; backward computes the tiles again."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(images, weight)
        return _convolve(images, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        images, weight = ctx.saved_tensors
        image_gradient = weight_gradient = None
        if ctx.needs_input_grad[0]:
            image_gradient = conv3x3_winograd(gradient, transpose_kernel(weight), None)
        if ctx.needs_input_grad[1]:
            weight_gradient = _weight_gradient(images, gradient)
        return image_gradient, weight_gradient


def _convolve(images: Tensor, weight: Tensor) -> Tensor:
    b, g, a = (images.new_tensor(matrix) for matrix in (_B, _G, _A))
    outer, inner = weight.shape[:2]
    kernels = _transform(g, weight.permute(2, 3, 1, 0).reshape(-1, inner, outer))
    batch, _, height, width = images.shape
    out = torch.empty(
        (batch, outer, height, width),
        dtype=images.dtype,
        device=images.device,
        memory_format=torch.channels_last,
    )
    parts = (_split_images(each.permute(0, 2, 3, 1)) for each in (out, images))
    for part, pixels in zip(*parts, strict=True):
        products = torch.bmm(_transform(b, _extract_tiles(_pad(pixels), TILE)), kernels)
        squares = _transform(a, products).view(
            STEP, STEP, len(part), height // STEP, width // STEP, outer
        )
        part.view(len(part), height // STEP, STEP, width // STEP, STEP, outer).copy_(
            squares.permute(2, 3, 0, 4, 1, 5)
        )
    return out


def _weight_gradient(images: Tensor, gradient: Tensor) -> Tensor:
    """dL/dg = G' [ sum over tiles of (B d B') (A' dL/dY A) ] G, in differentiable operations."""
    b, g, a = (images.new_tensor(matrix) for matrix in (_B, _G, _A))
    inner, outer = images.shape[1], gradient.shape[1]
    total = images.new_zeros(TILE**2, inner, outer)
    parts = (_split_images(each.permute(0, 2, 3, 1)) for each in (images, gradient))
    for pixels, gradients in zip(*parts, strict=True):
        tiles = _transform(b, _extract_tiles(_pad(pixels), TILE))
        squares = _transform(a.T, _extract_tiles(gradients, STEP))
        total.baddbmm_(tiles.transpose(1, 2), squares)
    return _transform(g.T, total).view(3, 3, inner, outer).permute(3, 2, 0, 1)


def _transform(
    matrix: Float[Tensor, "m n"], tiles: Float[Tensor, "n*n T C"]
) -> Float[Tensor, "m*m T C"]:
    """(matrix) t (matrix)' for every tile t of n x n numbers: first the columns, then the rows."""
    m, n = matrix.shape
    columns = (matrix @ tiles.reshape(n, -1)).view(m, n, -1)
    return torch.bmm(matrix.expand(m, m, n), columns).view(m * m, *tiles.shape[1:])


def _split_images(last: Float[Tensor, "B H W C"]) -> Iterator[Tensor]:
    """The images in parts of at most `_PIXELS` pixels, or of one image."""
    height, width = last.shape[1:3]
    return iter(torch.split(last, max(1, _PIXELS // (height * width))))


def _pad(last: Float[Tensor, "B H W C"]) -> Float[Tensor, "B H+2 W+2 C"]:
    return F.pad(last, (0, 0, 1, 1, 1, 1))


def _extract_tiles(last: Tensor, size: int) -> Tensor:
    """[size * size, tiles, C]: squares of that size, STEP pixels apart."""
    squares = last.unfold(1, size, STEP).unfold(2, size, STEP)  # [B, h, w, C, size, size]
    return squares.permute(4, 5, 0, 1, 2, 3).reshape(size * size, -1, last.shape[3])
