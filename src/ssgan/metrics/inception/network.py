"""The Inception network of 2015-12-05 as the FID uses it, up to pool3.

It is Inception-v3 with three differences from the later published one: average pooling in the
branches does not count the padding, the last block's pooling branch takes the maximum, and the
classifier has 1008 outputs. Layers carry torchvision's and pytorch-fid's names.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ssgan.metrics.pretrained import FoldedConvolution, RawConvolution, fold


class Layer(NamedTuple):
    """One convolution: its name, kernel (rows, columns), stride; padding keeps the size or is 0."""

    name: str
    kernel: tuple[int, int]
    stride: int = 1
    padded: bool = True

    @property
    def padding(self) -> tuple[int, int]:
        """Rows and columns of zeros on each side."""
        height, width = self.kernel
        return (height // 2, width // 2) if self.padded else (0, 0)


_ONE, _THREE, _FIVE = (1, 1), (3, 3), (5, 5)
_STEM = (
    Layer("Conv2d_1a_3x3", _THREE, 2, False),
    Layer("Conv2d_2a_3x3", _THREE, 1, False),
    Layer("Conv2d_2b_3x3", _THREE),
    Layer("Conv2d_3b_1x1", _ONE),
    Layer("Conv2d_4a_3x3", _THREE, 1, False),
)
_A = (
    Layer("branch1x1", _ONE),
    Layer("branch5x5_1", _ONE),
    Layer("branch5x5_2", _FIVE),
    Layer("branch3x3dbl_1", _ONE),
    Layer("branch3x3dbl_2", _THREE),
    Layer("branch3x3dbl_3", _THREE),
    Layer("branch_pool", _ONE),
)
_B = (
    Layer("branch3x3", _THREE, 2, False),
    Layer("branch3x3dbl_1", _ONE),
    Layer("branch3x3dbl_2", _THREE),
    Layer("branch3x3dbl_3", _THREE, 2, False),
)
_C = (
    Layer("branch1x1", _ONE),
    Layer("branch7x7_1", _ONE),
    Layer("branch7x7_2", (1, 7)),
    Layer("branch7x7_3", (7, 1)),
    Layer("branch7x7dbl_1", _ONE),
    Layer("branch7x7dbl_2", (7, 1)),
    Layer("branch7x7dbl_3", (1, 7)),
    Layer("branch7x7dbl_4", (7, 1)),
    Layer("branch7x7dbl_5", (1, 7)),
    Layer("branch_pool", _ONE),
)
_D = (
    Layer("branch3x3_1", _ONE),
    Layer("branch3x3_2", _THREE, 2, False),
    Layer("branch7x7x3_1", _ONE),
    Layer("branch7x7x3_2", (1, 7)),
    Layer("branch7x7x3_3", (7, 1)),
    Layer("branch7x7x3_4", _THREE, 2, False),
)
_E = (
    Layer("branch1x1", _ONE),
    Layer("branch3x3_1", _ONE),
    Layer("branch3x3_2a", (1, 3)),
    Layer("branch3x3_2b", (3, 1)),
    Layer("branch3x3dbl_1", _ONE),
    Layer("branch3x3dbl_2", _THREE),
    Layer("branch3x3dbl_3a", (1, 3)),
    Layer("branch3x3dbl_3b", (3, 1)),
    Layer("branch_pool", _ONE),
)
_BLOCKS = {
    "Mixed_5b": _A,
    "Mixed_5c": _A,
    "Mixed_5d": _A,
    "Mixed_6a": _B,
    "Mixed_6b": _C,
    "Mixed_6c": _C,
    "Mixed_6d": _C,
    "Mixed_6e": _C,
    "Mixed_7a": _D,
    "Mixed_7b": _E,
    "Mixed_7c": _E,
}
LAYERS = _STEM + tuple(
    layer._replace(name=f"{block}.{layer.name}")
    for block, layers in _BLOCKS.items()
    for layer in layers
)


class InceptionNetwork:
    """The network up to pool3, built from 94 convolutions."""

    def __init__(self, raw: Mapping[str, RawConvolution], device: torch.device | str) -> None:
        self._convolutions: dict[str, FoldedConvolution] = {
            layer.name: fold(raw[layer.name], device, stride=layer.stride, padding=layer.padding)
            for layer in LAYERS
        }

    @torch.no_grad()
    def __call__(self, x: Float[Tensor, "B 3 299 299"]) -> Float[Tensor, "B F"]:
        """The 2048 means over positions of the last block; images in [-1, 1]."""
        x = x.contiguous(memory_format=torch.channels_last)
        x = self._chain(x, "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3")
        x = F.max_pool2d(x, 3, stride=2)
        x = self._chain(x, "Conv2d_3b_1x1", "Conv2d_4a_3x3")
        x = F.max_pool2d(x, 3, stride=2)
        for block, layers in _BLOCKS.items():
            if layers is _A:
                x = self._a(x, block)
            elif layers is _B:
                x = self._b(x, block)
            elif layers is _C:
                x = self._c(x, block)
            elif layers is _D:
                x = self._d(x, block)
            else:
                x = self._e(x, block)
        return x.mean(dim=(2, 3))

    def _chain(self, x: Tensor, *names: str, block: str = "") -> Tensor:
        prefix = f"{block}." if block else ""
        for name in names:
            x = F.relu(self._convolutions[prefix + name](x), inplace=True)
        return x

    def _a(self, x: Tensor, block: str) -> Tensor:
        double = [f"branch3x3dbl_{i}" for i in (1, 2, 3)]
        return torch.cat(
            [
                self._chain(x, "branch1x1", block=block),
                self._chain(x, "branch5x5_1", "branch5x5_2", block=block),
                self._chain(x, *double, block=block),
                self._chain(_average(x), "branch_pool", block=block),
            ],
            dim=1,
        )

    def _b(self, x: Tensor, block: str) -> Tensor:
        double = [f"branch3x3dbl_{i}" for i in (1, 2, 3)]
        return torch.cat(
            [
                self._chain(x, "branch3x3", block=block),
                self._chain(x, *double, block=block),
                F.max_pool2d(x, 3, stride=2),
            ],
            dim=1,
        )

    def _c(self, x: Tensor, block: str) -> Tensor:
        single = [f"branch7x7_{i}" for i in (1, 2, 3)]
        double = [f"branch7x7dbl_{i}" for i in (1, 2, 3, 4, 5)]
        return torch.cat(
            [
                self._chain(x, "branch1x1", block=block),
                self._chain(x, *single, block=block),
                self._chain(x, *double, block=block),
                self._chain(_average(x), "branch_pool", block=block),
            ],
            dim=1,
        )

    def _d(self, x: Tensor, block: str) -> Tensor:
        mixed = [f"branch7x7x3_{i}" for i in (1, 2, 3, 4)]
        return torch.cat(
            [
                self._chain(x, "branch3x3_1", "branch3x3_2", block=block),
                self._chain(x, *mixed, block=block),
                F.max_pool2d(x, 3, stride=2),
            ],
            dim=1,
        )

    def _e(self, x: Tensor, block: str) -> Tensor:
        three = self._chain(x, "branch3x3_1", block=block)
        double = self._chain(x, "branch3x3dbl_1", "branch3x3dbl_2", block=block)
        last = block == "Mixed_7c"
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if last else _average(x)
        return torch.cat(
            [
                self._chain(x, "branch1x1", block=block),
                self._chain(three, "branch3x3_2a", block=block),
                self._chain(three, "branch3x3_2b", block=block),
                self._chain(double, "branch3x3dbl_3a", block=block),
                self._chain(double, "branch3x3dbl_3b", block=block),
                self._chain(pooled, "branch_pool", block=block),
            ],
            dim=1,
        )


def _average(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    """3 x 3 average at stride 1 that does not count the padding."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
