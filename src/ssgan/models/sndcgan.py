"""The convolutional networks of SNGAN (`sndcgan` in the official code), 32 to 128 pixels.

Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018; layer lists
after google/compare_gan.

    G: linear to (S/8)^2 x 512, batch norm of the flat vector, ReLU; 4x4 transposed convolutions,
       stride 2, to 256, 128, 64, each with norm and ReLU; 3x3 convolution, tanh
    D: convolutions 3x3 64, 4x4 stride 2 128, 3x3 128, 4x4 stride 2 256, 3x3 256, 4x4 stride 2 512,
       3x3 512, leaky ReLU of slope 0.1 after each; (S/8)^2 x 512 features; no norm

G ends in a 3x3 convolution where the official code has a transposed one with stride 1: the same
functions and the same initial distribution.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from ssgan.models.base import (
    AbstractConvolutionalDiscriminator,
    AbstractConvolutionalGenerator,
    check_shape,
    scale_channels,
)
from ssgan.models.convolutional import IMAGE_SIZES, ConvolutionalDiscriminatorNetwork
from ssgan.models.heads import Heads
from ssgan.models.layers import Conv2d, ConvTranspose2d, Linear
from ssgan.models.norms import BatchNorm
from ssgan.models.residual import to_maps
from ssgan.types import Images, ImageShape, Labels, Latents

GENERATOR_CHANNELS = (512, 256, 128, 64)
# channels and kernel size; a 4x4 kernel has stride 2
DISCRIMINATOR_LAYERS = ((64, 3), (128, 4), (128, 3), (256, 4), (256, 3), (512, 4), (512, 3))
LEAK = 0.1


@dataclass(frozen=True, kw_only=True)
class SNDCGANGenerator(AbstractConvolutionalGenerator):
    """The generator: a linear layer, then three convolutions that double the size.

    `norm` is the one of the convolutions; the flat vector keeps batch norm.
    """

    def build(self, shape: ImageShape, num_classes: int) -> "SNDCGANGeneratorNetwork":
        """A new generator; raises UserError for a size that is not 32, 48, 64, 96 or 128."""
        check_shape("sndcgan", shape, IMAGE_SIZES)
        return SNDCGANGeneratorNetwork(self, shape, num_classes)


@dataclass(frozen=True, kw_only=True)
class SNDCGANDiscriminator(AbstractConvolutionalDiscriminator):
    """The discriminator: seven convolutions, three of them halve; (S/8)^2 x 512 features."""

    def build(
        self, shape: ImageShape, auxiliary_width: int, num_classes: int
    ) -> ConvolutionalDiscriminatorNetwork:
        """A new discriminator; raises UserError for a size that is not 32, 48, 64, 96 or 128."""
        check_shape("sndcgan", shape, IMAGE_SIZES)
        convs: list[nn.Module] = []
        channels = shape.channels
        for count, kernel in DISCRIMINATOR_LAYERS:
            inputs, channels = channels, scale_channels(count, self.width)
            stride = 2 if kernel == 4 else 1
            convs.append(Conv2d(inputs, channels, kernel, stride=stride, spectral=self.spectral))
        num_features = channels * (shape.size // 8) ** 2
        heads = Heads(num_features, auxiliary_width, num_classes, self.spectral)
        return ConvolutionalDiscriminatorNetwork(convs, heads, LEAK)


class SNDCGANGeneratorNetwork(nn.Module):
    """The network of an `SNDCGANGenerator`."""

    def __init__(self, config: SNDCGANGenerator, shape: ImageShape, num_classes: int) -> None:
        super().__init__()
        channels = [scale_channels(count, config.width) for count in GENERATOR_CHANNELS]
        latent_size, self.start = config.latent_size, shape.size // 8
        flat = channels[0] * self.start**2
        self.first = Linear(latent_size, flat)
        self.first_norm = BatchNorm().build(flat, latent_size, num_classes)
        self.convs = nn.ModuleList(ConvTranspose2d(*io) for io in pairwise(channels))
        self.norms = nn.ModuleList(
            config.norm.build(count, latent_size, num_classes) for count in channels[1:]
        )
        self.last = Conv2d(channels[-1], shape.channels)

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        """Images in [-1, 1]; only a conditional norm reads the labels."""
        rows = self.first_norm(self.first(latents), latents, labels, relu=True)
        hidden = to_maps(rows, self.start)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            hidden = norm(conv(hidden), latents, labels, relu=True)
        return torch.tanh(self.last(hidden))
