"""The convolutional networks of DCGAN (`dcgan` in the official code), 32 to 128 pixels.

Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks", ICLR 2016; layer lists after google/compare_gan.

    G: linear to (S/16)^2 x 512; 5x5 transposed convolutions, stride 2, to 256, 128, 64 channels
       and to colours; norm and ReLU before each, tanh after the last
    D: 5x5 convolutions, stride 2, to 64, 128, 256, 512 channels, leaky ReLU of slope 0.2 after
       each; (S/16)^2 x 512 features

D works on [0, 1] and converts from [-1, 1] inside. It has no batch norm: the official one is
optional, and would mix real, fake and turned images here.
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
from ssgan.models.layers import WEIGHT_DEVIATION, Linear
from ssgan.models.norms import AbstractNorm, BatchNorm
from ssgan.models.residual import to_maps
from ssgan.ops.spectral_norm import SpectralLayer
from ssgan.types import Images, ImageShape, Labels, Latents, Scores

SIZES = (32, 48, 64, 128)
GENERATOR_CHANNELS = (512, 256, 128, 64)
DISCRIMINATOR_CHANNELS = (64, 128, 256, 512)
LEAK = 0.2
KERNEL = 5


@dataclass(frozen=True, kw_only=True)
class DCGANGenerator(AbstractGeneratorConfig):
    """The generator: a linear layer, four doublings. No spectral norm."""

    width: float = 1.0  # multiplies all channels
    norm: AbstractNorm = BatchNorm()  # on the maps before each doubling

    def __post_init__(self) -> None:
        check_width(self.width)

    @property
    def reads_labels(self) -> bool:
        """As its norm does."""
        return self.norm.reads_labels

    def build(self, shape: ImageShape, num_classes: int) -> "Generator":
        """A fresh generator; raises UserError for a size that is not 32, 48, 64 or 128."""
        check_shape("dcgan", shape, SIZES)
        return Generator(self, shape, num_classes)


@dataclass(frozen=True, kw_only=True)
class DCGANDiscriminator(AbstractDiscriminatorConfig):
    """The discriminator: four halving convolutions; (S/16)^2 x 512 features."""

    width: float = 1.0  # multiplies all channels, and so the features
    spectral: bool = True  # spectral norm on every layer, the heads included

    def __post_init__(self) -> None:
        check_width(self.width)

    def build(self, shape: ImageShape, auxiliary_width: int, num_classes: int) -> "Discriminator":
        """A fresh discriminator; raises UserError for a size that is not 32, 48, 64 or 128."""
        check_shape("dcgan", shape, SIZES)
        return Discriminator(self, shape, auxiliary_width, num_classes)


class Generator(nn.Module):
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
            DoublingConv(*io) for io in pairwise([*channels, shape.channels])
        )

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        """Images in [-1, 1]; labels are read by a conditional norm alone."""
        hidden = to_maps(self.first(latents), self.start)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            hidden = conv(F.relu(norm(hidden, latents, labels), inplace=True))
        return torch.tanh(hidden)


class Discriminator(nn.Module):
    """The network of a `DCGANDiscriminator`."""

    def __init__(
        self,
        config: DCGANDiscriminator,
        shape: ImageShape,
        auxiliary_width: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        channels = [scale_channels(count, config.width) for count in DISCRIMINATOR_CHANNELS]
        self.convs = nn.ModuleList(
            HalvingConv(*io, spectral=config.spectral)
            for io in pairwise([shape.channels, *channels])
        )
        features = channels[-1] * (shape.size // 16) ** 2
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
        hidden = (images + 1) / 2
        for conv in self.convs:
            hidden = F.leaky_relu(conv(hidden), LEAK)
            outputs.append(hidden)
        return outputs


class HalvingConv(SpectralLayer):
    """A 5x5 convolution with stride 2, one pixel of padding before and two after: half the size."""

    def __init__(self, in_channels: int, out_channels: int, *, spectral: bool) -> None:
        super().__init__()
        self.weight = _weight(out_channels, in_channels)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.start_spectral_norm(spectral)

    def forward(self, images: Float[Tensor, "B I S S"]) -> Float[Tensor, "B O S//2 S//2"]:
        """The images at half the size; S must be even."""
        return F.conv2d(F.pad(images, (1, 2, 1, 2)), self.effective_weight(), self.bias, stride=2)


class DoublingConv(nn.Module):
    """A 5x5 transposed convolution with stride 2, the transpose of a `HalvingConv`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = _weight(in_channels, out_channels)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, images: Float[Tensor, "B I S S"]) -> Float[Tensor, "B O 2*S 2*S"]:
        """The images at twice the size."""
        larger = F.conv_transpose2d(images, self.weight, self.bias, stride=2, padding=1)
        return larger[:, :, :-1, :-1]


def _weight(outer: int, inner: int) -> nn.Parameter:
    return nn.Parameter(
        nn.init.normal_(torch.empty(outer, inner, KERNEL, KERNEL), std=WEIGHT_DEVIATION)
    )
