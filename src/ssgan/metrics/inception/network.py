"""The Inception network of 2015-12-05 as the FID uses it, up to pool3.

It is Inception-v3 with three differences from the later published one: average pooling in the
branches does not count the padding, the last block's pooling branch takes the maximum, and the
classifier has 1008 outputs. Layers carry torchvision's and pytorch-fid's names.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ssgan.metrics.pretrained import FoldedConvolution, RawConvolution, fold
from ssgan.ops.kernels.maps import maximum3x3


class _Layer(NamedTuple):
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


def _average(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    """3 x 3 average at stride 1 that does not count the padding."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _maximum(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    return maximum3x3(x, padding=1)


def _halve(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C P Q"]:
    return maximum3x3(x, stride=2)


class _Branch(NamedTuple):
    """Layers in a row, behind a pooling if there is one; the two of a fork are in parallel.

    An average, which is linear, comes after its 1x1 convolution instead: that has fewer channels.
    """

    layers: tuple[_Layer, ...] = ()
    fork: tuple[_Layer, ...] = ()
    pool: Callable[[Tensor], Tensor] | None = None


_STEM = (
    _Layer("Conv2d_1a_3x3", _THREE, 2, False),
    _Layer("Conv2d_2a_3x3", _THREE, 1, False),
    _Layer("Conv2d_2b_3x3", _THREE),
    _Layer("Conv2d_3b_1x1", _ONE),
    _Layer("Conv2d_4a_3x3", _THREE, 1, False),
)
_DOUBLE = (_Layer("branch3x3dbl_1", _ONE), _Layer("branch3x3dbl_2", _THREE))
_AVERAGED = _Branch((_Layer("branch_pool", _ONE),), pool=_average)
_HALVED = _Branch(pool=_halve)
_A = (
    _Branch((_Layer("branch1x1", _ONE),)),
    _Branch((_Layer("branch5x5_1", _ONE), _Layer("branch5x5_2", _FIVE))),
    _Branch((*_DOUBLE, _Layer("branch3x3dbl_3", _THREE))),
    _AVERAGED,
)
_B = (
    _Branch((_Layer("branch3x3", _THREE, 2, False),)),
    _Branch((*_DOUBLE, _Layer("branch3x3dbl_3", _THREE, 2, False))),
    _HALVED,
)
_C = (
    _Branch((_Layer("branch1x1", _ONE),)),
    _Branch(
        (
            _Layer("branch7x7_1", _ONE),
            _Layer("branch7x7_2", (1, 7)),
            _Layer("branch7x7_3", (7, 1)),
        )
    ),
    _Branch(
        (
            _Layer("branch7x7dbl_1", _ONE),
            _Layer("branch7x7dbl_2", (7, 1)),
            _Layer("branch7x7dbl_3", (1, 7)),
            _Layer("branch7x7dbl_4", (7, 1)),
            _Layer("branch7x7dbl_5", (1, 7)),
        )
    ),
    _AVERAGED,
)
_D = (
    _Branch((_Layer("branch3x3_1", _ONE), _Layer("branch3x3_2", _THREE, 2, False))),
    _Branch(
        (
            _Layer("branch7x7x3_1", _ONE),
            _Layer("branch7x7x3_2", (1, 7)),
            _Layer("branch7x7x3_3", (7, 1)),
            _Layer("branch7x7x3_4", _THREE, 2, False),
        )
    ),
    _HALVED,
)
_E = (
    _Branch((_Layer("branch1x1", _ONE),)),
    _Branch(
        (_Layer("branch3x3_1", _ONE),),
        fork=(_Layer("branch3x3_2a", (1, 3)), _Layer("branch3x3_2b", (3, 1))),
    ),
    _Branch(
        _DOUBLE,
        fork=(_Layer("branch3x3dbl_3a", (1, 3)), _Layer("branch3x3dbl_3b", (3, 1))),
    ),
    _AVERAGED,
)
_BLOCKS = {
    **dict.fromkeys(("Mixed_5b", "Mixed_5c", "Mixed_5d"), _A),
    "Mixed_6a": _B,
    **dict.fromkeys(("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"), _C),
    "Mixed_7a": _D,
    "Mixed_7b": _E,
    "Mixed_7c": (*_E[:-1], _AVERAGED._replace(pool=_maximum)),
}
LAYERS = _STEM + tuple(
    layer._replace(name=f"{block}.{layer.name}")
    for block, branches in _BLOCKS.items()
    for branch in branches
    for layer in branch.layers + branch.fork
)


class InceptionNetwork:
    """The network up to pool3, built from 94 convolutions; it computes in `dtype`."""

    def __init__(
        self,
        raw: Mapping[str, RawConvolution],
        device: torch.device | str,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._dtype = dtype
        self._convolutions: dict[str, FoldedConvolution] = {
            layer.name: fold(
                raw[layer.name], device, stride=layer.stride, padding=layer.padding, dtype=dtype
            )
            for layer in LAYERS
        }

    @torch.no_grad()
    def __call__(self, x: Float[Tensor, "B 3 299 299"]) -> Float[Tensor, "B F"]:
        """The 2048 means over positions of the last block, in float32; images in [-1, 1]."""
        x = x.to(self._dtype).contiguous(memory_format=torch.channels_last)
        x = _halve(self._chain(x, _STEM[:3]))
        x = _halve(self._chain(x, _STEM[3:]))
        for block, branches in _BLOCKS.items():
            x = torch.cat([part for b in branches for part in self._branch(x, b, block)], dim=1)
        return x.float().mean(dim=(2, 3))

    def _branch(self, x: Tensor, branch: _Branch, block: str) -> list[Tensor]:
        """The outputs of one branch: two of a fork."""
        if branch.pool is _average:
            (layer,) = branch.layers
            return [F.relu(_average(self._convolutions[f"{block}.{layer.name}"](x)), inplace=True)]
        if branch.pool is not None:
            x = branch.pool(x)
        x = self._chain(x, branch.layers, f"{block}.")
        return [self._chain(x, [layer], f"{block}.") for layer in branch.fork] or [x]

    def _chain(self, x: Tensor, layers: Sequence[_Layer], prefix: str = "") -> Tensor:
        for layer in layers:
            x = self._convolutions[prefix + layer.name].rectified(x)
        return x
