"""The residual networks of SS-GAN (`resnet_cifar` in the official code), 32 to 128 pixels.

Chen et al., CVPR 2019; layer lists after google/compare_gan. A block is

    output = shortcut + main
    shortcut = 3x3 convolution of the raw input, always there
    main = norm, ReLU, 3x3 convolution, norm, ReLU, 3x3 convolution

Going up, the doubling comes before the main path's first convolution and before the shortcut's;
going down, the mean over 2x2 comes after the main path's second and after the shortcut's. G ends
in norm, ReLU, 3x3 convolution, sigmoid; D in ReLU and the mean over space, and has no norm.
Networks of the paper work on [0, 1]: D converts from [-1, 1] inside, G to it.

The official network is the one for 32 pixels. For others: G starts from 4x4 (48 pixels: 6x6) and
doubles until the size is reached. D's last two blocks never halve, the blocks before them halve
until the map is 8x8 (48 pixels: 12x12).
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.models.base import AbstractDiscriminatorConfig, AbstractGeneratorConfig
from ssgan.models.heads import Heads
from ssgan.models.layers import Conv2d, Linear, Resample
from ssgan.models.norms import AbstractNorm, BatchNorm
from ssgan.models.shapes import check_shape, check_width, scaled
from ssgan.types import Images, ImageShape, Labels, Latents, Scores

GENERATOR_CHANNELS = 256
DISCRIMINATOR_CHANNELS = 128


class Plan(NamedTuple):
    """What the networks for a size look like; from start to size it is `ups` doublings."""

    start: int  # side of G's first map
    ups: int  # G's blocks
    downs: int  # D's halving blocks; two more follow


PLANS = {32: Plan(4, 3, 2), 48: Plan(6, 3, 2), 64: Plan(4, 4, 3), 128: Plan(4, 5, 4)}
FLAT_BLOCKS = 2  # at the end of D


@dataclass(frozen=True, kw_only=True)
class ResNetGenerator(AbstractGeneratorConfig):
    """The generator: linear to 4x4x256, blocks 256 -> 256 that double the size."""

    width: float = 1.0  # multiplies the 256 channels
    norm: AbstractNorm = BatchNorm()  # at every place with a norm
    spectral: bool = False  # spectral norm on every layer
    upsampling: Literal["zero", "nearest"] = "zero"  # zero insertion is the published one
    shortcut: Literal["3x3", "1x1"] = "3x3"  # the shortcut convolutions' size; 3x3 is published
    fused: bool = True  # False: resampling convolutions as two operations, same results

    def __post_init__(self) -> None:
        check_width(self.width)

    @property
    def reads_labels(self) -> bool:
        """As its norm does."""
        return self.norm.reads_labels

    def build(self, shape: ImageShape, num_classes: int) -> "Generator":
        """A fresh generator; raises UserError for a shape outside the table of sizes."""
        check_shape("resnet", shape, PLANS)
        return Generator(self, shape, num_classes)


@dataclass(frozen=True, kw_only=True)
class ResNetDiscriminator(AbstractDiscriminatorConfig):
    """The discriminator: blocks of 128 channels, some halving the size; 128 features."""

    width: float = 1.0  # multiplies the 128 channels, and the features
    spectral: bool = True  # spectral norm on every layer, the heads included
    shortcut: Literal["3x3", "1x1"] = "3x3"  # the shortcut convolutions' size; 3x3 is published
    pooling: Literal["mean", "sum"] = "mean"  # features over places; mean is published, sum SNGAN's
    fused: bool = True  # False: resampling convolutions as two operations, same results

    def __post_init__(self) -> None:
        check_width(self.width)

    def build(self, shape: ImageShape, auxiliary_width: int, num_classes: int) -> "Discriminator":
        """A fresh discriminator; raises UserError for a shape outside the table of sizes."""
        check_shape("resnet", shape, PLANS)
        return Discriminator(self, shape, auxiliary_width, num_classes)


class Generator(nn.Module):
    """The network of a `ResNetGenerator`."""

    def __init__(self, config: ResNetGenerator, shape: ImageShape, num_classes: int) -> None:
        super().__init__()
        plan = PLANS[shape.size]
        channels = scaled(GENERATOR_CHANNELS, config.width)
        self.start = plan.start
        self.first = Linear(config.latent_size, channels * plan.start**2, spectral=config.spectral)
        self.blocks = nn.ModuleList(UpBlock(channels, config, num_classes) for _ in range(plan.ups))
        self.norm = config.norm.build(channels, config.latent_size, num_classes, config.spectral)
        self.last = Conv2d(channels, shape.channels, spectral=config.spectral)

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        """Images in [-1, 1]; labels are read by a conditional norm alone."""
        maps = self.first(latents).reshape(len(latents), self.start, self.start, -1)
        hidden = maps.permute(0, 3, 1, 2)  # channels last, without a copy
        for block in self.blocks:
            hidden = block(hidden, latents, labels)
        hidden = F.relu(self.norm(hidden, latents, labels), inplace=True)
        return torch.tanh(self.last(hidden) / 2)  # 2 sigmoid(x) - 1


class UpBlock(nn.Module):
    """A block of G: twice the size."""

    def __init__(self, channels: int, config: ResNetGenerator, num_classes: int) -> None:
        super().__init__()
        up = Resample.UP_ZERO if config.upsampling == "zero" else Resample.UP_NEAREST
        spectral, fused = config.spectral, config.fused

        def norm() -> nn.Module:
            return config.norm.build(channels, config.latent_size, num_classes, spectral)

        self.norm1 = norm()
        self.conv1 = Conv2d(channels, channels, resample=up, spectral=spectral, fused=fused)
        self.norm2 = norm()
        self.conv2 = Conv2d(channels, channels, spectral=spectral)
        self.shortcut = Conv2d(
            channels,
            channels,
            kernel_size=int(config.shortcut[0]),
            resample=up,
            spectral=spectral,
            fused=fused,
        )

    def forward(
        self, inputs: Float[Tensor, "B C S S"], latents: Latents, labels: Labels | None
    ) -> Float[Tensor, "B C 2*S 2*S"]:
        """The sum of both paths."""
        hidden = F.relu(self.norm1(inputs, latents, labels), inplace=True)
        hidden = F.relu(self.norm2(self.conv1(hidden), latents, labels), inplace=True)
        total: Tensor = self.conv2(hidden) + self.shortcut(inputs)
        return total


class Discriminator(nn.Module):
    """The network of a `ResNetDiscriminator`."""

    def __init__(
        self,
        config: ResNetDiscriminator,
        shape: ImageShape,
        auxiliary_width: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        channels = scaled(DISCRIMINATOR_CHANNELS, config.width)
        halving = [True] * PLANS[shape.size].downs + [False] * FLAT_BLOCKS
        inputs = [shape.channels] + [channels] * (len(halving) - 1)
        self.blocks = nn.ModuleList(
            DownBlock(count, channels, config, halve)
            for count, halve in zip(inputs, halving, strict=True)
        )
        self.pool = torch.mean if config.pooling == "mean" else torch.sum
        self.heads = Heads(channels, auxiliary_width, num_classes, config.spectral)

    def forward(self, images: Images, labels: Labels | None = None) -> Scores:
        """Scores of images in [-1, 1]; labels are read by a projection head alone."""
        last = self.block_outputs(images)[-1]
        scores: Scores = self.heads(self.pool(F.relu(last), dim=(2, 3)), labels)
        return scores

    def block_outputs(self, images: Images) -> list[Float[Tensor, "B _ _ _"]]:
        """The map after every block, before any ReLU, in order: what a linear probe reads."""
        outputs = []
        hidden = (images + 1) / 2
        for block in self.blocks:
            hidden = block(hidden)
            outputs.append(hidden)
        return outputs


class DownBlock(nn.Module):
    """A block of D: half the size, or the same."""

    def __init__(
        self, in_channels: int, channels: int, config: ResNetDiscriminator, halve: bool
    ) -> None:
        super().__init__()
        down = Resample.DOWN if halve else Resample.NONE
        spectral, fused = config.spectral, config.fused
        self.conv1 = Conv2d(in_channels, channels, spectral=spectral)
        self.conv2 = Conv2d(channels, channels, resample=down, spectral=spectral, fused=fused)
        self.shortcut = Conv2d(
            in_channels,
            channels,
            kernel_size=int(config.shortcut[0]),
            resample=down,
            spectral=spectral,
            fused=fused,
        )

    def forward(self, inputs: Float[Tensor, "B I S S"]) -> Float[Tensor, "B O S2 S2"]:
        """The sum of both paths."""
        hidden = F.relu(self.conv1(F.relu(inputs)), inplace=True)
        total: Tensor = self.conv2(hidden) + self.shortcut(inputs)
        return total
