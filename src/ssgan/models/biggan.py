"""The networks of BigGAN (`resnet_biggan` in the official code), 32 to 512 pixels.

Brock et al., "Large Scale GAN Training for High Fidelity Natural Image Synthesis", ICLR 2019;
layer lists after google/compare_gan, whose blocks (blocks.py) differ from those of its other
ResNets: 1x1 shortcuts, and in D no shortcut at all where a block keeps its channels.

    G: linear to a 4x4 map, blocks that double the size, plain batch norm, ReLU, 3x3 convolution,
       tanh
    D: blocks that halve the size, the last one not; ReLU, the sum over space

Latents are cut into equal chunks: the first makes the 4x4 map, the others go to the norms, one to
a block. With labels the norms' gains and shifts are linear maps of [chunk, embedding of the label].
Attention stands where the map is 64x64: at 128 pixels after G's fourth block and D's first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.config.schema import check_count
from ssgan.models.attention import Attention
from ssgan.models.base import check_shape, scale_channels
from ssgan.models.blocks import BlockForm, UpBlock
from ssgan.models.layers import (
    Conv2d,
    Embedding,
    Initial,
    Linear,
    Resample,
    initialize_orthogonal,
    restart_spectral_norm,
)
from ssgan.models.norms import AbstractNorm, BatchNorm, ConditionalBatchNorm, SelfModulatedBatchNorm
from ssgan.models.residual import (
    AbstractResidualDiscriminator,
    AbstractResidualGenerator,
    Discriminator,
    DiscriminatorPlan,
    to_maps,
)
from ssgan.types import Images, ImageShape, Labels, Latents, UserError

CHANNELS = 96
START = 4  # side of G's first map
GENERATOR_MULTIPLIERS = {
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
    512: (16, 16, 8, 8, 4, 2, 1, 1),
}
DISCRIMINATOR_MULTIPLIERS = {
    32: (2, 2, 2, 2),
    64: (2, 4, 8, 16, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
    512: (1, 1, 2, 4, 8, 8, 16, 16),
}


@dataclass(frozen=True, kw_only=True)
class BigGANGenerator(AbstractResidualGenerator):
    """The generator: linear to 4x4, blocks to 96 channels (at 32 pixels 384, at 64 192)."""

    latent_size: int = 120  # numbers in a latent vector; chunked: a multiple of the blocks + 1
    norm: AbstractNorm = SelfModulatedBatchNorm()  # in the blocks; the last norm is plain
    spectral: bool = True  # spectral norm on every layer but the labels' embedding
    shortcut: Literal["3x3", "1x1"] = "1x1"  # the shortcut convolutions' size; 1x1 is published
    chunked: bool = True  # a part of the latents for each block; False: all for each
    label_features: int = 128  # numbers that stand for a label, read by conditional norms
    attention: int = 64  # side of the map that attention follows; no such map, as 0: none
    initial: Initial = "orthogonal"  # the weights at the start; normal: of deviation 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("label_features", self.label_features, 1)
        check_count("attention", self.attention, 0)
        if self.chunked and self.norm.reads_nothing:
            raise UserError(
                "chunked latents need a norm that reads them, SelfModulatedBatchNorm or "
                f"ConditionalBatchNorm, not {type(self.norm).__name__}; or chunked false"
            )

    def build(self, shape: ImageShape, num_classes: int) -> "Generator":
        """A fresh generator.

        Raises UserError for a shape outside the table of sizes, for latents that cannot be cut,
        and for a conditional norm without labels.
        """
        check_shape("biggan", shape, GENERATOR_MULTIPLIERS)
        chunks = len(GENERATOR_MULTIPLIERS[shape.size])  # one a block, and the first
        if self.chunked and self.latent_size % chunks:
            below = self.latent_size // chunks * chunks
            nearest = ", ".join(str(size) for size in (below, below + chunks) if size)
            raise UserError(
                f"latent_size {self.latent_size} cannot be cut into {chunks} equal chunks, as "
                f"biggan networks for {shape.size} pixels do; nearest: {nearest}"
            )
        generator = Generator(self, shape, num_classes)
        if self.initial == "orthogonal":
            initialize_orthogonal(generator)
        return generator


@dataclass(frozen=True, kw_only=True)
class BigGANDiscriminator(AbstractResidualDiscriminator):
    """The discriminator: blocks up to 1536 channels (at 32 pixels 192), which are the features."""

    shortcut: Literal["3x3", "1x1"] = "1x1"  # the shortcut convolutions' size; 1x1 is published
    pooling: Literal["mean", "sum"] = "sum"  # features over places; sum is published
    # the shortcut where a block keeps its channels; none is the official code's, identity the
    # paper's (the mean over 2x2 when halving)
    unchanged: Literal["convolution", "identity", "none"] = "none"
    attention: int = 64  # side of the map that attention follows; no such map, as 0: none
    initial: Initial = "orthogonal"  # the weights at the start; normal: of deviation 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("attention", self.attention, 0)

    @property
    def form(self) -> BlockForm:
        """The form of the blocks."""
        return BlockForm(Resample.DOWN, self.shortcut, self.spectral, self.fused, self.unchanged)

    def build(self, shape: ImageShape, auxiliary_width: int, num_classes: int) -> Discriminator:
        """A fresh discriminator; raises UserError for a shape outside the table of sizes.

        The projection of labels starts from Glorot's normal distribution in any case.
        """
        check_shape("biggan", shape, DISCRIMINATOR_MULTIPLIERS)
        channels = tuple(CHANNELS * m for m in DISCRIMINATOR_MULTIPLIERS[shape.size])
        halving = len(channels) - 1
        sides = [shape.size // 2 ** (number + 1) for number in range(halving)]
        attention = sides.index(self.attention) if self.attention in sides else None
        plan = DiscriminatorPlan(channels, halving, attention)
        network = Discriminator(self, plan, shape.channels, auxiliary_width, num_classes)
        if self.initial == "orthogonal":
            initialize_orthogonal(network)
        projection = network.heads.projection
        if projection is not None:
            nn.init.xavier_normal_(projection.weight)
            restart_spectral_norm(projection)
        return network


class Generator(nn.Module):
    """The network of a `BigGANGenerator`."""

    def __init__(self, config: BigGANGenerator, shape: ImageShape, num_classes: int) -> None:
        super().__init__()
        multipliers = GENERATOR_MULTIPLIERS[shape.size]
        channels = [scale_channels(CHANNELS * m, config.width) for m in multipliers]
        self.chunks = len(channels) if config.chunked else 1
        code_size = config.latent_size // self.chunks
        self.embedding: Embedding | None = None
        if isinstance(config.norm, ConditionalBatchNorm) and num_classes:
            self.embedding = Embedding(num_classes, config.label_features)
        norm = _block_norm(config, code_size, num_classes)
        self.first = Linear(code_size, channels[0] * START**2, spectral=config.spectral)
        self.blocks = nn.ModuleList(
            UpBlock(before, after, True, config.form, norm) for before, after in pairwise(channels)
        )
        sides = [START * 2 ** (number + 1) for number in range(len(self.blocks))]
        self.attended: int | None = None
        if config.attention in sides:
            self.attended = sides.index(config.attention)
            self.attention = Attention(channels[self.attended + 1], config.spectral)
        self.norm = BatchNorm().build(channels[-1], code_size, num_classes)
        self.last = Conv2d(
            channels[-1], shape.channels, spectral=config.spectral, fused=config.fused
        )

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        """Images in [-1, 1]; labels are read with conditional norms alone."""
        start, codes = self._codes(latents, labels)
        hidden = to_maps(self.first(start), START)
        for number, (block, code) in enumerate(zip(self.blocks, codes, strict=True)):
            hidden = block(hidden, code, labels)
            if number == self.attended:
                hidden = self.attention(hidden)
        hidden = F.relu(self.norm(hidden, latents, labels), inplace=True)
        return torch.tanh(self.last(hidden))

    def _codes(self, latents: Latents, labels: Labels | None) -> tuple[Tensor, list[Tensor]]:
        """What the first layer reads, and what the norms of each block read."""
        if self.chunks > 1:
            start, *codes = latents.chunk(self.chunks, dim=1)
        else:
            start, codes = latents, [latents] * len(self.blocks)
        if self.embedding is None:
            return start, codes
        if labels is None:
            raise ValueError("a generator with conditional batch norm was called without labels")
        label_code = self.embedding(labels)
        if self.chunks == 1:
            return start, [label_code] * len(self.blocks)
        return start, [torch.cat([code, label_code.to(code.dtype)], dim=1) for code in codes]


def _block_norm(
    config: BigGANGenerator, code_size: int, num_classes: int
) -> Callable[[int], nn.Module]:
    """Builds a norm of the blocks for a number of channels."""
    norm, spectral = config.norm, config.spectral
    if not isinstance(norm, ConditionalBatchNorm):
        return lambda channels: norm.build(channels, code_size, num_classes, spectral)
    size = config.label_features + (code_size if config.chunked else 0)
    return lambda channels: norm.build_of_code(channels, size, num_classes, spectral)
