"""Residual networks from a list of channels: what the ResNet families share.

G is a linear map to a small square, blocks that double its size, then norm, ReLU, 3x3 convolution
and sigmoid. D is blocks that halve the size, ReLU, the mean over positions, and the heads; it has
no norm. As in the official code the networks work on [0, 1]: they convert to and from [-1, 1].
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ssgan.models.attention import Attention
from ssgan.models.base import (
    AbstractConvolutionalDiscriminator,
    AbstractConvolutionalGenerator,
    scale_channels,
)
from ssgan.models.blocks import BlockConfig, DownBlock, UpBlock
from ssgan.models.heads import Heads
from ssgan.models.layers import Conv2d, Linear, Resample
from ssgan.ops.kernels.maps import relu
from ssgan.types import Images, Labels, Latents, Scores


class GeneratorLayers(NamedTuple):
    """The layers of a generator for one size."""

    start: int  # side of the first map
    channels: tuple[int, ...]  # of the first map and after each block, at width 1
    doubling: int  # number of blocks, from the first on, that double the size
    plain_ends: bool = False  # whether the first and the last layer never have spectral norm


class DiscriminatorLayers(NamedTuple):
    """The layers of a discriminator for one size."""

    channels: tuple[int, ...]  # after each block, at width 1; the last are the features
    halving: int  # number of blocks, from the first on, that halve the size
    attention: int | None = None  # number, from 0, of the block that attention follows


@dataclass(frozen=True, kw_only=True)
class AbstractResidualGenerator(AbstractConvolutionalGenerator):
    """A family of residual generators."""

    spectral: bool = False  # spectral norm on every layer
    # upsampling before the convolutions of a block; zero insertion is the published one
    upsampling: Literal["zero", "nearest", "bilinear"] = "zero"
    shortcut: Literal["3x3", "1x1"] = "3x3"  # kernel of the shortcut convolutions; published: 3x3
    fused: bool = True  # fuse convolution and resampling; False gives the same results, slower

    @property
    def block_config(self) -> BlockConfig:
        """What its blocks have in common."""
        return BlockConfig(
            Resample(f"up_{self.upsampling}"), self.shortcut, self.spectral, self.fused
        )


@dataclass(frozen=True, kw_only=True)
class AbstractResidualDiscriminator(AbstractConvolutionalDiscriminator):
    """A family of residual discriminators."""

    shortcut: Literal["3x3", "1x1"] = "3x3"  # kernel of the shortcut convolutions; published: 3x3
    pooling: Literal["mean", "sum"] = "mean"  # of features over positions; SNGAN uses the sum
    fused: bool = True  # fuse convolution and resampling; False gives the same results, slower

    @property
    def block_config(self) -> BlockConfig:
        """What its blocks have in common."""
        return BlockConfig(Resample.DOWN, self.shortcut, self.spectral, self.fused)


class ResidualGeneratorNetwork(nn.Module):
    """The network of a residual generator."""

    def __init__(
        self,
        config: AbstractResidualGenerator,
        layers: GeneratorLayers,
        image_channels: int,
        num_classes: int,
    ) -> None:
        super().__init__()

        def norm(count: int) -> nn.Module:
            return config.norm.build(count, config.latent_size, num_classes, config.spectral)

        channels = [scale_channels(count, config.width) for count in layers.channels]
        ends_spectral = config.spectral and not layers.plain_ends
        self.start = layers.start
        flat = channels[0] * layers.start**2
        self.first = Linear(config.latent_size, flat, spectral=ends_spectral)
        self.blocks = nn.ModuleList(
            UpBlock(before, after, number < layers.doubling, config.block_config, norm)
            for number, (before, after) in enumerate(pairwise(channels))
        )
        self.norm = norm(channels[-1])
        self.last = Conv2d(channels[-1], image_channels, spectral=ends_spectral, fused=config.fused)

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        """Images in [-1, 1]; only a conditional norm reads the labels."""
        hidden = to_maps(self.first(latents), self.start)
        for block in self.blocks:
            hidden = block(hidden, latents, labels)
        hidden = self.norm(hidden, latents, labels, relu=True)
        return torch.tanh(self.last(hidden) / 2)  # 2 sigmoid(x) - 1


class ResidualDiscriminatorNetwork(nn.Module):
    """The network of a residual discriminator."""

    def __init__(
        self,
        config: AbstractResidualDiscriminator,
        layers: DiscriminatorLayers,
        image_channels: int,
        auxiliary_width: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        scaled = [scale_channels(count, config.width) for count in layers.channels]
        channels = [image_channels, *scaled]
        self.blocks = nn.ModuleList(
            DownBlock(before, after, number < layers.halving, config.block_config)
            for number, (before, after) in enumerate(pairwise(channels))
        )
        self.attention_after = layers.attention
        if layers.attention is not None:
            self.attention = Attention(channels[layers.attention + 1], config.spectral)
        self.pool = torch.mean if config.pooling == "mean" else torch.sum
        self.heads = Heads(channels[-1], auxiliary_width, num_classes, config.spectral)

    def forward(self, images: Images, labels: Labels | None = None) -> Scores:
        """Scores of images in [-1, 1]; only a projection head reads the labels."""
        last = self.block_outputs(images)[-1]
        scores: Scores = self.heads(self.pool(relu(last), dim=(2, 3)), labels)
        return scores

    def block_outputs(self, images: Images) -> list[Float[Tensor, "B _ _ _"]]:
        """The map after every block, before any ReLU, in order: the inputs of linear probes.

        Attention belongs to the block before it.
        """
        outputs = []
        hidden = (images + 1) / 2
        for number, block in enumerate(self.blocks):
            hidden = block(hidden)
            if number == self.attention_after:
                hidden = self.attention(hidden)
            outputs.append(hidden)
        return outputs

    def block_modules(self) -> list[list[nn.Module]]:
        """The modules of every block, in the order of `block_outputs`."""
        attention = self.attention_after
        return [
            [block, *([self.attention] if number == attention else [])]
            for number, block in enumerate(self.blocks)
        ]


def to_maps(rows: Float[Tensor, "B _"], side: int) -> Float[Tensor, "B C {side} {side}"]:
    """Flat rows as maps in channels-last memory, without a copy."""
    return rows.reshape(rows.shape[0], side, side, -1).permute(0, 3, 1, 2)
