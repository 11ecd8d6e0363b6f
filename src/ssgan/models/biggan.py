"""The networks of BigGAN (`resnet_biggan` in the official code), 32 to 512 pixels.

Brock et al., "Large Scale GAN Training for High Fidelity Natural Image Synthesis", ICLR 2019;
layer lists after google/compare_gan. Its BigGAN blocks differ from those of its other ResNets:
they have 1x1 shortcuts, and a block of D that keeps its channels has no shortcut.

    G: linear to a 4x4 map, blocks that double the size, plain batch norm, ReLU, 3x3 convolution,
       tanh
    D: blocks that halve the size, except the last; ReLU, the sum over positions

Latents are split into equal chunks: the first gives the 4x4 map, each of the others goes to the
norms of one block. With labels, gains and shifts are linear maps of [chunk, label embedding].
Attention follows the 64x64 map: at 128 pixels after G's fourth block and D's first.

The sizes 96 and 192 are ours: the networks for 64 and 128 pixels from a 6x6 map. They have maps of
48x48 for the attention.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from ssgan.config.schema import check_count
from ssgan.models.attention import Attention
from ssgan.models.base import check_shape, scale_channels
from ssgan.models.blocks import BlockConfig, UpBlock
from ssgan.models.layers import Conv2d, Embedding, Linear
from ssgan.models.norms import AbstractNorm, BatchNorm, ConditionalBatchNorm, SelfModulatedBatchNorm
from ssgan.models.residual import (
    AbstractResidualDiscriminator,
    AbstractResidualGenerator,
    DiscriminatorLayers,
    ResidualDiscriminatorNetwork,
    to_maps,
)
from ssgan.ops.spectral_norm import SpectralLayer
from ssgan.types import Images, ImageShape, Labels, Latents, UserError

Initial: TypeAlias = Literal["orthogonal", "normal"]

CHANNELS = 96
GENERATOR_MULTIPLIERS = {
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    96: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    192: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
    512: (16, 16, 8, 8, 4, 2, 1, 1),
}
DISCRIMINATOR_MULTIPLIERS = {
    32: (2, 2, 2, 2),
    64: (2, 4, 8, 16, 16),
    96: (2, 4, 8, 16, 16),
    128: (1, 2, 4, 8, 16, 16),
    192: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
    512: (1, 1, 2, 4, 8, 8, 16, 16),
}


@dataclass(frozen=True, kw_only=True)
class BigGANGenerator(AbstractResidualGenerator):
    """The generator: linear to 4x4, blocks to 96 channels (at 32 pixels 384, at 64 192)."""

    latent_size: int = 120  # size of a latent vector; if chunked, a multiple of the blocks + 1
    norm: AbstractNorm = SelfModulatedBatchNorm()  # in the blocks; the last norm is plain
    spectral: bool = True  # spectral norm on every layer except the label embedding
    shortcut: Literal["3x3", "1x1"] = "1x1"  # kernel of the shortcut convolutions; published: 1x1
    chunked: bool = True  # each block reads its own chunk of the latents; False: all of them
    label_features: int = 128  # size of the label embedding that conditional norms read
    attention: int = 64  # side of the map that attention follows; 0, or no such map: no attention
    initial: Initial = "orthogonal"  # initial weights; normal: normal(0, 0.02)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("label_features", self.label_features, 1)
        check_count("attention", self.attention, 0)
        if self.chunked and self.norm.reads_nothing:
            raise UserError(
                "chunked latents need SelfModulatedBatchNorm or ConditionalBatchNorm, not "
                f"{type(self.norm).__name__}; or set chunked to false"
            )

    def build(self, shape: ImageShape, num_classes: int) -> "BigGANGeneratorNetwork":
        """A new generator.

        Raises UserError for a shape that is not in the table, for latents that cannot be split,
        and for a conditional norm without labels.
        """
        check_shape("biggan", shape, GENERATOR_MULTIPLIERS)
        chunks = len(GENERATOR_MULTIPLIERS[shape.size])  # one per block, and the first map's
        if self.chunked and self.latent_size % chunks:
            below = self.latent_size // chunks * chunks
            nearest = ", ".join(str(size) for size in (below, below + chunks) if size)
            raise UserError(
                f"latent_size must be a multiple of {chunks} for biggan networks at {shape.size} "
                f"pixels, not {self.latent_size}; nearest: {nearest}"
            )
        generator = BigGANGeneratorNetwork(self, shape, num_classes)
        if self.initial == "orthogonal":
            _initialize_orthogonal(generator)
        return generator


@dataclass(frozen=True, kw_only=True)
class BigGANDiscriminator(AbstractResidualDiscriminator):
    """The discriminator: blocks up to 1536 channels (at 32 pixels 192), which are the features."""

    shortcut: Literal["3x3", "1x1"] = "1x1"  # kernel of the shortcut convolutions; published: 1x1
    pooling: Literal["mean", "sum"] = "sum"  # of features over positions; published: sum
    # shortcut of a block that keeps its channels: none in the official code, identity in the paper
    # (the mean over 2x2 when halving)
    unchanged: Literal["convolution", "identity", "none"] = "none"
    attention: int = 64  # side of the map that attention follows; 0, or no such map: no attention
    initial: Initial = "orthogonal"  # initial weights; normal: normal(0, 0.02)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("attention", self.attention, 0)

    @property
    def block_config(self) -> BlockConfig:
        """What its blocks have in common."""
        return super().block_config._replace(unchanged=self.unchanged)

    def build(
        self, shape: ImageShape, auxiliary_width: int, num_classes: int
    ) -> ResidualDiscriminatorNetwork:
        """A new discriminator; raises UserError for a shape that is not in the table.

        The initial weights of the label projection are always Glorot normal.
        """
        check_shape("biggan", shape, DISCRIMINATOR_MULTIPLIERS)
        channels = tuple(CHANNELS * m for m in DISCRIMINATOR_MULTIPLIERS[shape.size])
        halving = len(channels) - 1
        sides = [shape.size // 2 ** (number + 1) for number in range(halving)]
        attention = sides.index(self.attention) if self.attention in sides else None
        layers = DiscriminatorLayers(channels, halving, attention)
        network = ResidualDiscriminatorNetwork(
            self, layers, shape.channels, auxiliary_width, num_classes
        )
        if self.initial == "orthogonal":
            _initialize_orthogonal(network)
        projection = network.heads.projection
        if projection is not None:
            nn.init.xavier_normal_(projection.weight)
            _restart_spectral_norm(projection)
        return network


class BigGANGeneratorNetwork(nn.Module):
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
        norm = _norm_builder(config, code_size, num_classes)
        self.start = shape.size // 2 ** (len(channels) - 1)  # side of the first map: 4 or 6
        self.first = Linear(code_size, channels[0] * self.start**2, spectral=config.spectral)
        self.blocks = nn.ModuleList(
            UpBlock(before, after, True, config.block_config, norm)
            for before, after in pairwise(channels)
        )
        sides = [self.start * 2 ** (number + 1) for number in range(len(self.blocks))]
        self.attention_after: int | None = None
        if config.attention in sides:
            self.attention_after = sides.index(config.attention)
            self.attention = Attention(channels[self.attention_after + 1], config.spectral)
        self.norm = BatchNorm().build(channels[-1], code_size, num_classes)
        self.last = Conv2d(
            channels[-1], shape.channels, spectral=config.spectral, fused=config.fused
        )

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        """Images in [-1, 1]; only conditional norms read the labels."""
        start, codes = self._split_latents(latents, labels)
        hidden = to_maps(self.first(start), self.start)
        for number, (block, code) in enumerate(zip(self.blocks, codes, strict=True)):
            hidden = block(hidden, code, labels)
            if number == self.attention_after:
                hidden = self.attention(hidden)
        hidden = self.norm(hidden, latents, labels, relu=True)
        return torch.tanh(self.last(hidden))

    def _split_latents(
        self, latents: Latents, labels: Labels | None
    ) -> tuple[Tensor, list[Tensor]]:
        """The input of the first layer, and the one of each block's norms."""
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


def _norm_builder(
    config: BigGANGenerator, code_size: int, num_classes: int
) -> Callable[[int], nn.Module]:
    """The function that builds a norm for a number of channels."""
    norm, spectral = config.norm, config.spectral
    if not isinstance(norm, ConditionalBatchNorm):
        return lambda channels: norm.build(channels, code_size, num_classes, spectral)
    size = config.label_features + (code_size if config.chunked else 0)
    return lambda channels: norm.build_from_code(channels, size, num_classes, spectral)


def _initialize_orthogonal(network: nn.Module) -> None:
    """Draw every weight again, with orthonormal rows or columns; biases and norms do not change.

    Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks", ICLR 2014. A kernel counts as the matrix [outputs, all others].
    """
    for layer in network.modules():
        if isinstance(layer, SpectralLayer):
            nn.init.orthogonal_(layer.weight)
            _restart_spectral_norm(layer)


def _restart_spectral_norm(layer: SpectralLayer) -> None:
    layer.start_spectral_norm(layer.spectral_u is not None)
