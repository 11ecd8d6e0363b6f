"""The convolutional networks of DCGAN (`dcgan` in the official code), 32 to 128 pixels.

Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks", ICLR 2016; layer lists after google/compare_gan.

    G: linear to (S/16)^2 x 512; 5x5 transposed convolutions, stride 2, to 256, 128, 64 channels
       and to the image's; norm and ReLU before each, tanh after the last
    D: 5x5 convolutions, stride 2, to 64, 128, 256, 512 channels, leaky ReLU of slope 0.2 after
       each; (S/16)^2 x 512 features

D converts images to [0, 1] inside. It has no batch norm: the official code has it as an option, and
here it would mix the statistics of real, fake and rotated images.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.models.base import (
    AbstractConvolutionalDiscriminator,
    AbstractConvolutionalGenerator,
    check_shape,
    scale_channels,
)
from ssgan.models.convolutional import IMAGE_SIZES, ConvolutionalDiscriminatorNetwork
from ssgan.models.heads import Heads
from ssgan.models.layers import ConvTranspose2d, Linear, initial_weight
from ssgan.models.residual import to_maps
from ssgan.ops.spectral_norm import SpectralLayer
from ssgan.types import Images, ImageShape, Labels, Latents

GENERATOR_CHANNELS = (512, 256, 128, 64)
DISCRIMINATOR_CHANNELS = (64, 128, 256, 512)
LEAK = 0.2
KERNEL = 5  # side of every convolution


@dataclass(frozen=True, kw_only=True)
class DCGANGenerator(AbstractConvolutionalGenerator):
    """The generator: a linear layer, then four convolutions that double the size."""

    def build(self, shape: ImageShape, num_classes: int) -> "DCGANGeneratorNetwork":
        """A new generator; raises UserError for a size that is not 32, 48, 64, 96 or 128."""
        check_shape("dcgan", shape, IMAGE_SIZES)
        return DCGANGeneratorNetwork(self, shape, num_classes)


@dataclass(frozen=True, kw_only=True)
class DCGANDiscriminator(AbstractConvolutionalDiscriminator):
    """The discriminator: four convolutions that halve the size; (S/16)^2 x 512 features."""

    def build(
        self, shape: ImageShape, auxiliary_width: int, num_classes: int
    ) -> ConvolutionalDiscriminatorNetwork:
        """A new discriminator; raises UserError for a size that is not 32, 48, 64, 96 or 128."""
        check_shape("dcgan", shape, IMAGE_SIZES)
        channels = [scale_channels(count, self.width) for count in DISCRIMINATOR_CHANNELS]
        convs: list[nn.Module] = [
            HalvingConv(*io, spectral=self.spectral) for io in pairwise([shape.channels, *channels])
        ]
        num_features = channels[-1] * (shape.size // 16) ** 2
        heads = Heads(num_features, auxiliary_width, num_classes, self.spectral)
        return ConvolutionalDiscriminatorNetwork(convs, heads, LEAK, unit_range=True)


class DCGANGeneratorNetwork(nn.Module):
    """The network of a `DCGANGenerator`."""

    def __init__(self, config: DCGANGenerator, shape: ImageShape, num_classes: int) -> None:
        super().__init__()
        channels = [scale_channels(count, config.width) for count in GENERATOR_CHANNELS]
        self.start = shape.size // 16
        self.first = Linear(config.latent_size, channels[0] * self.start**2)
        self.norms = nn.ModuleList(
            config.norm.build(count, config.latent_size, num_classes) for count in channels
        )
        self.convs = nn.ModuleList(
            ConvTranspose2d(*io, KERNEL) for io in pairwise([*channels, shape.channels])
        )

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        """Images in [-1, 1]; only a conditional norm reads the labels."""
        hidden = to_maps(self.first(latents), self.start)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            hidden = conv(norm(hidden, latents, labels, relu=True))
        return torch.tanh(hidden)


class HalvingConv(SpectralLayer):
    """A 5x5 convolution with stride 2, padded by one pixel before and two after: half the size."""

    def __init__(self, in_channels: int, out_channels: int, *, spectral: bool) -> None:
        super().__init__()
        self.weight = initial_weight(out_channels, in_channels, KERNEL, KERNEL)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.start_spectral_norm(spectral)

    def forward(self, images: Float[Tensor, "B I S S"]) -> Float[Tensor, "B O S//2 S//2"]:
        """The images at half the size; S must be even."""
        return F.conv2d(F.pad(images, (1, 2, 1, 2)), self.effective_weight(), self.bias, stride=2)
