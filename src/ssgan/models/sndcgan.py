"""The convolutional networks of SNGAN (`sndcgan` in the official code), 32 to 128 pixels.

Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018; layer lists
after google/compare_gan.

    G: linear to (S/8)^2 x 512, batch norm of the flat vector, ReLU; 4x4 transposed convolutions,
       stride 2, to 256, 128, 64, each with norm and ReLU; 3x3 convolution, tanh
    D: convolutions 3x3 64, 4x4 stride 2 128, 3x3 128, 4x4 stride 2 256, 3x3 256, 4x4 stride 2 512,
       3x3 512, leaky ReLU of slope 0.1 after each; (S/8)^2 x 512 features; no norm

G ends in a plain 3x3 convolution where the official code has a transposed one with stride 1: the
same family of functions and the same initial distribution.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.models.base import (
    AbstractDiscriminatorConfig,
    AbstractGeneratorConfig,
    check_shape,
    check_width,
    scale_channels,
)
from ssgan.models.heads import Heads
from ssgan.models.layers import Conv2d, ConvTranspose2d, Linear
from ssgan.models.norms import AbstractNorm, BatchNorm
from ssgan.types import Images, ImageShape, Labels, Latents, Scores

SIZES = (32, 48, 64, 128)
GENERATOR_CHANNELS = (512, 256, 128, 64)
DISCRIMINATOR_LAYERS = ((64, 3), (128, 4), (128, 3), (256, 4), (256, 3), (512, 4), (512, 3))
LEAK = 0.1


@dataclass(frozen=True, kw_only=True)
class SNDCGANGenerator(AbstractGeneratorConfig):
    """The generator: a linear layer, three doublings from 512 channels to 64. No spectral norm."""

    width: float = 1.0  # multiplies all channels
    norm: AbstractNorm = BatchNorm()  # on the three maps; the flat vector has plain batch norm

    def __post_init__(self) -> None:
        check_width(self.width)

    @property
    def reads_labels(self) -> bool:
        """As its norm does."""
        return self.norm.reads_labels

    def build(self, shape: ImageShape, num_classes: int) -> "Generator":
        """A fresh generator; raises UserError for a size that is not 32, 48, 64 or 128."""
        check_shape("sndcgan", shape, SIZES)
        return Generator(self, shape, num_classes)


@dataclass(frozen=True, kw_only=True)
class SNDCGANDiscriminator(AbstractDiscriminatorConfig):
    """The discriminator: seven convolutions, three of them halving; (S/8)^2 x 512 features."""

    width: float = 1.0  # multiplies all channels, and so the features
    spectral: bool = True  # spectral norm on every layer, the heads included

    def __post_init__(self) -> None:
        check_width(self.width)

    def build(self, shape: ImageShape, auxiliary_width: int, num_classes: int) -> "Discriminator":
        """A fresh discriminator; raises UserError for a size that is not 32, 48, 64 or 128."""
        check_shape("sndcgan", shape, SIZES)
        return Discriminator(self, shape, auxiliary_width, num_classes)


class Generator(nn.Module):
    """The network of an `SNDCGANGenerator`."""

    def __init__(self, config: SNDCGANGenerator, shape: ImageShape, num_classes: int) -> None:
        super().__init__()
        channels = [scale_channels(count, config.width) for count in GENERATOR_CHANNELS]
        latent_size, self.start = config.latent_size, shape.size // 8
        flat = channels[0] * self.start**2
        self.first = Linear(latent_size, flat)
        self.first_norm = BatchNorm().build(flat, latent_size, num_classes)
        self.convs = nn.ModuleList(ConvTranspose2d(i, o) for i, o in pairwise(channels))
        self.norms = nn.ModuleList(
            config.norm.build(count, latent_size, num_classes) for count in channels[1:]
        )
        self.last = Conv2d(channels[-1], shape.channels)

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        """Images in [-1, 1]; labels are read by a conditional norm alone."""
        rows = F.relu(self.first_norm(self.first(latents), latents, labels), inplace=True)
        maps = rows.reshape(len(rows), self.start, self.start, -1)
        hidden = maps.permute(0, 3, 1, 2)  # channels last, without a copy
        for conv, norm in zip(self.convs, self.norms, strict=True):
            hidden = F.relu(norm(conv(hidden), latents, labels), inplace=True)
        return torch.tanh(self.last(hidden))


class Discriminator(nn.Module):
    """The network of an `SNDCGANDiscriminator`."""

    def __init__(
        self,
        config: SNDCGANDiscriminator,
        shape: ImageShape,
        auxiliary_width: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        inputs = shape.channels
        self.convs = nn.ModuleList()
        for count, size in DISCRIMINATOR_LAYERS:
            outputs, stride = scale_channels(count, config.width), 2 if size == 4 else 1
            self.convs.append(
                Conv2d(inputs, outputs, size, stride=stride, spectral=config.spectral)
            )
            inputs = outputs
        features = inputs * (shape.size // 8) ** 2
        self.heads = Heads(features, auxiliary_width, num_classes, config.spectral)

    def forward(self, images: Images, labels: Labels | None = None) -> Scores:
        """Scores of images in [-1, 1]; labels are read by a projection head alone."""
        last = self.block_outputs(images)[-1]
        flat = last.permute(0, 2, 3, 1).flatten(1)  # no copy when the channels are last
        scores: Scores = self.heads(flat, labels)
        return scores

    def block_outputs(self, images: Images) -> list[Float[Tensor, "B _ _ _"]]:
        """The map after every convolution and its leaky ReLU, in order."""
        outputs = []
        hidden = images
        for conv in self.convs:
            hidden = F.leaky_relu(conv(hidden), LEAK)
            outputs.append(hidden)
        return outputs
