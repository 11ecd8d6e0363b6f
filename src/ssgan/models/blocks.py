"""The residual blocks of the ResNet families.

Chen et al., CVPR 2019; layers after google/compare_gan. A block is

    output = shortcut + main
    shortcut = convolution of the raw input
    main = norm, ReLU, 3x3 convolution, norm, ReLU, 3x3 convolution

An upsampling block doubles the size before the first convolution of the main path and before the
shortcut's. A downsampling block takes the mean over 2x2 after the second convolution and after the
shortcut's, and has no norm.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from ssgan.models.layers import Conv2d, Resample
from ssgan.ops.activation_checkpointing import CheckpointedModule
from ssgan.ops.kernels.maps import relu
from ssgan.types import Labels


class BlockConfig(NamedTuple):
    """What all blocks of a network have in common."""

    resample: Resample  # in the blocks that change the size
    shortcut: Literal["3x3", "1x1"]  # kernel of the shortcut convolutions
    spectral: bool  # spectral norm on every convolution
    fused: bool  # False: convolution and resampling one after the other, with the same results
    # shortcut of a block that keeps its channels: a convolution as in the others, the input itself
    # (its mean over 2x2 when halving), or none
    unchanged: Literal["convolution", "identity", "none"] = "convolution"


class UpBlock(CheckpointedModule):
    """A block of G that doubles or keeps the size; `norm(channels)` builds its two norms."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        doubles: bool,
        config: BlockConfig,
        norm: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        up = config.resample if doubles else Resample.NONE
        spectral, fused = config.spectral, config.fused
        self.norm1 = norm(in_channels)
        self.conv1 = Conv2d(in_channels, out_channels, resample=up, spectral=spectral, fused=fused)
        self.norm2 = norm(out_channels)
        self.conv2 = Conv2d(out_channels, out_channels, spectral=spectral, fused=fused)
        self.shortcut = _build_shortcut(in_channels, out_channels, up, config)

    def compute(
        self, inputs: Float[Tensor, "B I S S"], latents: Float[Tensor, "B Z"], labels: Labels | None
    ) -> Float[Tensor, "B O S2 S2"]:
        """The sum of both paths; the norms read the latents and labels."""
        hidden = self.norm1(inputs, latents, labels, relu=True)
        hidden = self.norm2(self.conv1(hidden), latents, labels, relu=True)
        total: Tensor = self.conv2(hidden) + self.shortcut(inputs)
        return total


class DownBlock(CheckpointedModule):
    """A block of D that halves or keeps the size."""

    def __init__(
        self, in_channels: int, out_channels: int, halves: bool, config: BlockConfig
    ) -> None:
        super().__init__()
        down = config.resample if halves else Resample.NONE
        spectral, fused = config.spectral, config.fused
        self.conv1 = Conv2d(in_channels, out_channels, spectral=spectral, fused=fused)
        self.conv2 = Conv2d(
            out_channels, out_channels, resample=down, spectral=spectral, fused=fused
        )
        self.shortcut: nn.Module | None
        if in_channels != out_channels or config.unchanged == "convolution":
            self.shortcut = _build_shortcut(in_channels, out_channels, down, config)
        elif config.unchanged == "identity":
            self.shortcut = nn.AvgPool2d(2) if halves else nn.Identity()
        else:
            self.shortcut = None

    def compute(self, inputs: Float[Tensor, "B I S S"]) -> Float[Tensor, "B O S2 S2"]:
        """The sum of both paths."""
        hidden = relu(self.conv1(relu(inputs)), inplace=True)
        total: Tensor = self.conv2(hidden)
        return total if self.shortcut is None else total + self.shortcut(inputs)


def _build_shortcut(
    in_channels: int, out_channels: int, resample: Resample, config: BlockConfig
) -> Conv2d:
    return Conv2d(
        in_channels,
        out_channels,
        kernel_size=int(config.shortcut[0]),
        resample=resample,
        spectral=config.spectral,
        fused=config.fused,
    )
