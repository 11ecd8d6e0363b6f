"""The residual blocks that the networks are made of.

Chen et al., CVPR 2019; layers after google/compare_gan. A block is

    output = shortcut + main
    shortcut = convolution of the raw input
    main = norm, ReLU, 3x3 convolution, norm, ReLU, 3x3 convolution

Going up, the doubling comes before the main path's first convolution and before the shortcut's;
going down, the mean over 2x2 comes after the main path's second and after the shortcut's. Blocks
that go down have no norm.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.models.layers import Conv2d, Resample
from ssgan.ops.activation_checkpointing import CheckpointedModule
from ssgan.types import Labels


class BlockForm(NamedTuple):
    """What all blocks of a network have in common."""

    resample: Resample  # of the blocks that change the size
    shortcut: Literal["3x3", "1x1"]  # the shortcut convolutions' size
    spectral: bool  # spectral norm on every convolution
    fused: bool  # False: convolutions as the operations they stand for, same results
    # the shortcut of a block that keeps its channels: as the others', the input itself (the mean
    # over 2x2 when halving), or none
    unchanged: Literal["convolution", "identity", "none"] = "convolution"


class UpBlock(CheckpointedModule):
    """A block of G: twice the size, or the same; `norm(channels)` builds its two norms."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        doubles: bool,
        form: BlockForm,
        norm: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        up = form.resample if doubles else Resample.NONE
        spectral, fused = form.spectral, form.fused
        self.norm1 = norm(in_channels)
        self.conv1 = Conv2d(in_channels, out_channels, resample=up, spectral=spectral, fused=fused)
        self.norm2 = norm(out_channels)
        self.conv2 = Conv2d(out_channels, out_channels, spectral=spectral, fused=fused)
        self.shortcut = _convolution(in_channels, out_channels, up, form)

    def compute(
        self, inputs: Float[Tensor, "B I S S"], latents: Float[Tensor, "B Z"], labels: Labels | None
    ) -> Float[Tensor, "B O S2 S2"]:
        """The sum of both paths; latents and labels are what the norms read."""
        hidden = F.relu(self.norm1(inputs, latents, labels), inplace=True)
        hidden = F.relu(self.norm2(self.conv1(hidden), latents, labels), inplace=True)
        total: Tensor = self.conv2(hidden) + self.shortcut(inputs)
        return total


class DownBlock(CheckpointedModule):
    """A block of D: half the size, or the same."""

    def __init__(self, in_channels: int, out_channels: int, halves: bool, form: BlockForm) -> None:
        super().__init__()
        down = form.resample if halves else Resample.NONE
        spectral, fused = form.spectral, form.fused
        self.conv1 = Conv2d(in_channels, out_channels, spectral=spectral, fused=fused)
        self.conv2 = Conv2d(
            out_channels, out_channels, resample=down, spectral=spectral, fused=fused
        )
        self.shortcut: nn.Module | None
        if in_channels != out_channels or form.unchanged == "convolution":
            self.shortcut = _convolution(in_channels, out_channels, down, form)
        elif form.unchanged == "identity":
            self.shortcut = nn.AvgPool2d(2) if halves else nn.Identity()
        else:
            self.shortcut = None

    def compute(self, inputs: Float[Tensor, "B I S S"]) -> Float[Tensor, "B O S2 S2"]:
        """The sum of both paths."""
        hidden = F.relu(self.conv1(F.relu(inputs)), inplace=True)
        total: Tensor = self.conv2(hidden)
        return total if self.shortcut is None else total + self.shortcut(inputs)


def _convolution(
    in_channels: int, out_channels: int, resample: Resample, form: BlockForm
) -> Conv2d:
    """The shortcut's convolution."""
    return Conv2d(
        in_channels,
        out_channels,
        kernel_size=int(form.shortcut[0]),
        resample=resample,
        spectral=form.spectral,
        fused=form.fused,
    )
