"""Residual networks from a list of channels: what the ResNet families share.

G is a linear map to a small square, blocks that double its size, then norm, ReLU, 3x3 convolution,
sigmoid. D is blocks that halve the size, ReLU, the mean over space, and the heads; it has no norm.
Networks of the paper work on [0, 1]: D converts from [-1, 1] inside, G to it.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.models.attention import Attention
from ssgan.models.base import (
    AbstractDiscriminatorConfig,
    AbstractGeneratorConfig,
    check_width,
    scale_channels,
)
from ssgan.models.blocks import BlockForm, DownBlock, UpBlock
from ssgan.models.heads import Heads
from ssgan.models.layers import Conv2d, Linear, Resample
from ssgan.models.norms import AbstractNorm, BatchNorm
from ssgan.types import Images, Labels, Latents, Scores


class GeneratorPlan(NamedTuple):
    """The layers of a generator for one size."""

    start: int  # side of the first map
    channels: tuple[int, ...]  # of the first map and after each block, at width 1
    doubling: int  # so many blocks, from the first on, double the size
    plain_ends: bool = False  # whether the first and the last layer are never spectrally normed


class DiscriminatorPlan(NamedTuple):
    """The layers of a discriminator for one size."""

    channels: tuple[int, ...]  # after each block, at width 1; the last are the features
    halving: int  # so many blocks, from the first on, halve the size
    attention: int | None = None  # the block, from 0, that attention follows


@dataclass(frozen=True, kw_only=True)
class AbstractResidualGenerator(AbstractGeneratorConfig):
    """A family of residual generators."""

    width: float = 1.0  # multiplies all channels
    norm: AbstractNorm = BatchNorm()  # at every place with a norm
    spectral: bool = False  # spectral norm on every layer
    # before a block's convolutions: zero insertion is the published one
    upsampling: Literal["zero", "nearest", "bilinear"] = "zero"
    shortcut: Literal["3x3", "1x1"] = "3x3"  # the shortcut convolutions' size; 3x3 is published
    fused: bool = True  # False: convolutions as the operations they stand for, same results

    def __post_init__(self) -> None:
        check_width(self.width)

    @property
    def reads_labels(self) -> bool:
        """As its norm does."""
        return self.norm.reads_labels

    @property
    def form(self) -> BlockForm:
        """The form of the blocks."""
        return BlockForm(
            Resample(f"up_{self.upsampling}"), self.shortcut, self.spectral, self.fused
        )


@dataclass(frozen=True, kw_only=True)
class AbstractResidualDiscriminator(AbstractDiscriminatorConfig):
    """A family of residual discriminators."""

    width: float = 1.0  # multiplies all channels, and the features
    spectral: bool = True  # spectral norm on every layer, the heads included
    shortcut: Literal["3x3", "1x1"] = "3x3"  # the shortcut convolutions' size; 3x3 is published
    pooling: Literal["mean", "sum"] = "mean"  # features over places; mean is published, sum SNGAN's
    fused: bool = True  # False: convolutions as the operations they stand for, same results

    def __post_init__(self) -> None:
        check_width(self.width)

    @property
    def form(self) -> BlockForm:
        """The form of the blocks."""
        return BlockForm(Resample.DOWN, self.shortcut, self.spectral, self.fused)


class Generator(nn.Module):
    """The network of a residual generator."""

    def __init__(
        self,
        config: AbstractResidualGenerator,
        plan: GeneratorPlan,
        image_channels: int,
        num_classes: int,
    ) -> None:
        super().__init__()

        def norm(count: int) -> nn.Module:
            return config.norm.build(count, config.latent_size, num_classes, config.spectral)

        channels = [scale_channels(count, config.width) for count in plan.channels]
        ends_spectral = config.spectral and not plan.plain_ends
        self.start = plan.start
        flat = channels[0] * plan.start**2
        self.first = Linear(config.latent_size, flat, spectral=ends_spectral)
        self.blocks = nn.ModuleList(
            UpBlock(before, after, number < plan.doubling, config.form, norm)
            for number, (before, after) in enumerate(pairwise(channels))
        )
        self.norm = norm(channels[-1])
        self.last = Conv2d(channels[-1], image_channels, spectral=ends_spectral, fused=config.fused)

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        """Images in [-1, 1]; labels are read by a conditional norm alone."""
        hidden = to_maps(self.first(latents), self.start)
        for block in self.blocks:
            hidden = block(hidden, latents, labels)
        hidden = F.relu(self.norm(hidden, latents, labels), inplace=True)
        return torch.tanh(self.last(hidden) / 2)  # 2 sigmoid(x) - 1


class Discriminator(nn.Module):
    """The network of a residual discriminator."""

    def __init__(
        self,
        config: AbstractResidualDiscriminator,
        plan: DiscriminatorPlan,
        image_channels: int,
        auxiliary_width: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        channels = [image_channels] + [
            scale_channels(count, config.width) for count in plan.channels
        ]
        self.blocks = nn.ModuleList(
            DownBlock(before, after, number < plan.halving, config.form)
            for number, (before, after) in enumerate(pairwise(channels))
        )
        self.attended = plan.attention
        if plan.attention is not None:
            self.attention = Attention(channels[plan.attention + 1], config.spectral)
        self.pool = torch.mean if config.pooling == "mean" else torch.sum
        self.heads = Heads(channels[-1], auxiliary_width, num_classes, config.spectral)

    def forward(self, images: Images, labels: Labels | None = None) -> Scores:
        """Scores of images in [-1, 1]; labels are read by a projection head alone."""
        last = self.block_outputs(images)[-1]
        scores: Scores = self.heads(self.pool(F.relu(last), dim=(2, 3)), labels)
        return scores

    def block_outputs(self, images: Images) -> list[Float[Tensor, "B _ _ _"]]:
        """The map after every block, before any ReLU, in order: what a linear probe reads.

        Attention counts to the block before it.
        """
        outputs = []
        hidden = (images + 1) / 2
        for number, block in enumerate(self.blocks):
            hidden = block(hidden)
            if number == self.attended:
                hidden = self.attention(hidden)
            outputs.append(hidden)
        return outputs


def to_maps(rows: Float[Tensor, "B _"], side: int) -> Float[Tensor, "B C {side} {side}"]:
    """Flat rows as maps, channels last, without a copy."""
    return rows.reshape(len(rows), side, side, -1).permute(0, 3, 1, 2)
