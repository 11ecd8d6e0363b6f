"""The residual networks of SNGAN as torch-mimicry builds them, 32 to 128 pixels.

Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018. Against the
networks of `models.resnet`: G doubles the size by bilinear interpolation, and shortcuts are 1x1
convolutions. D reads images in [-1, 1], and its first block has no ReLU before its convolutions. In
every other block the first convolution keeps the channels, and the shortcut reads the input after
ReLU, too: torch-mimicry's ReLU overwrites the input of a block. A block that keeps channels and
size has no shortcut convolution. Features are summed over positions.

    32 pixels   G: a 4x4x256 map, three blocks of 256; D: four blocks of 128, two of them halve
    48 pixels   G: a 6x6x512 map, three blocks to 64; D: five blocks, 64 to 1024, four halve
    64 pixels   G: a 4x4x1024 map, four blocks to 64; D: five blocks, 64 to 1024, all halve
    128 pixels  G: a 4x4x1024 map, five blocks to 64; D: six blocks, 64 to 1024, five halve

Initial weights are drawn from normal(0, 0.02), not from Xavier's distribution as in torch-mimicry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from ssgan.models.base import AbstractConvolutionalDiscriminator, check_shape, scale_channels
from ssgan.models.heads import Heads
from ssgan.models.layers import Conv2d, Resample
from ssgan.models.residual import (
    AbstractResidualGenerator,
    DiscriminatorLayers,
    GeneratorLayers,
    ResidualGeneratorNetwork,
)
from ssgan.models.resnet import ResNetLayers
from ssgan.ops.activation_checkpointing import CheckpointedModule
from ssgan.ops.kernels.maps import relu
from ssgan.types import Images, ImageShape, Labels, Scores

SNGAN: Mapping[int, ResNetLayers] = {
    size: ResNetLayers(GeneratorLayers(start, g, len(g) - 1), DiscriminatorLayers(d, halving))
    for size, start, g, d, halving in (
        (32, 4, (256,) * 4, (128,) * 4, 2),
        (48, 6, (512, 256, 128, 64), (64, 128, 256, 512, 1024), 4),
        (64, 4, (1024, 512, 256, 128, 64), (64, 128, 256, 512, 1024), 5),
        (128, 4, (1024, 1024, 512, 256, 128, 64), (64, 128, 256, 512, 1024, 1024), 5),
    )
}


@dataclass(frozen=True, kw_only=True)
class SNGANGenerator(AbstractResidualGenerator):
    """The generator of SNGAN, for 32, 48, 64 or 128 pixels."""

    # upsampling before the convolutions of a block; torch-mimicry's is bilinear
    upsampling: Literal["zero", "nearest", "bilinear"] = "bilinear"
    shortcut: Literal["3x3", "1x1"] = "1x1"  # kernel of the shortcut convolutions; published: 1x1

    def build(self, shape: ImageShape, num_classes: int) -> ResidualGeneratorNetwork:
        """A new generator; raises UserError for a shape that is not in the table."""
        check_shape("sngan", shape, SNGAN)
        layers = SNGAN[shape.size].generator
        return ResidualGeneratorNetwork(self, layers, shape.channels, num_classes)


@dataclass(frozen=True, kw_only=True)
class SNGANDiscriminator(AbstractConvolutionalDiscriminator):
    """The discriminator of SNGAN, for 32, 48, 64 or 128 pixels."""

    fused: bool = True  # fuse convolution and resampling; False gives the same results, slower

    def build(
        self, shape: ImageShape, auxiliary_width: int, num_classes: int
    ) -> "SNGANDiscriminatorNetwork":
        """A new discriminator; raises UserError for a shape that is not in the table."""
        check_shape("sngan", shape, SNGAN)
        return SNGANDiscriminatorNetwork(self, shape, auxiliary_width, num_classes)


class SNGANDiscriminatorNetwork(nn.Module):
    """The network of an `SNGANDiscriminator`."""

    def __init__(
        self, config: SNGANDiscriminator, shape: ImageShape, auxiliary_width: int, num_classes: int
    ) -> None:
        super().__init__()
        channels, halving, _ = SNGAN[shape.size].discriminator
        scaled = [shape.channels, *(scale_channels(count, config.width) for count in channels)]
        self.blocks = nn.ModuleList(
            SNGANBlock(before, after, config, halves=number < halving, first=number == 0)
            for number, (before, after) in enumerate(pairwise(scaled))
        )
        self.heads = Heads(scaled[-1], auxiliary_width, num_classes, config.spectral)

    def forward(self, images: Images, labels: Labels | None = None) -> Scores:
        """Scores of images in [-1, 1]; only a projection head reads the labels."""
        last = self.block_outputs(images)[-1]
        scores: Scores = self.heads(relu(last).sum(dim=(2, 3)), labels)
        return scores

    def block_outputs(self, images: Images) -> list[Float[Tensor, "B _ _ _"]]:
        """The map after every block, before any ReLU, in order: the inputs of linear probes."""
        outputs = [images]
        for block in self.blocks:
            outputs.append(block(outputs[-1]))
        return outputs[1:]

    def block_modules(self) -> list[list[nn.Module]]:
        """The modules of every block, in the order of `block_outputs`."""
        return [[block] for block in self.blocks]


class SNGANBlock(CheckpointedModule):
    """A block of D that halves or keeps the size; the first one reads the image without ReLU."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        config: SNGANDiscriminator,
        *,
        halves: bool,
        first: bool,
    ) -> None:
        super().__init__()
        down = Resample.DOWN if halves else Resample.NONE
        spectral, fused = config.spectral, config.fused
        self.first, hidden = first, out_channels if first else in_channels
        self.conv1 = Conv2d(in_channels, hidden, spectral=spectral, fused=fused)
        self.conv2 = Conv2d(hidden, out_channels, resample=down, spectral=spectral, fused=fused)
        self.shortcut: nn.Module = nn.Identity()
        if halves or in_channels != out_channels:
            self.shortcut = Conv2d(
                in_channels, out_channels, 1, resample=down, spectral=spectral, fused=fused
            )

    def compute(self, inputs: Float[Tensor, "B I S S"]) -> Float[Tensor, "B O S2 S2"]:
        """The sum of both paths."""
        active = inputs if self.first else relu(inputs)
        hidden = relu(self.conv1(active), inplace=True)
        total: Tensor = self.conv2(hidden) + self.shortcut(active)
        return total
