"""The residual networks of SS-GAN (`resnet_cifar` in the official code), 32 to 128 pixels.

Chen et al., CVPR 2019; layer lists after google/compare_gan; blocks.py says what a block is.

    G: linear to 4x4x256, blocks 256 -> 256 that double the size
    D: four blocks of 128 channels, the first two halve the size; 128 features

The official network is the one for 32 pixels. For others: G starts from 4x4 (48 pixels: 6x6) and
doubles until the size is reached. D's last two blocks never halve, the blocks before them halve
until the map is 8x8 (48 pixels: 12x12).
"""

from dataclasses import dataclass
from typing import NamedTuple

from ssgan.models.base import check_shape
from ssgan.models.residual import (
    AbstractResidualDiscriminator,
    AbstractResidualGenerator,
    Discriminator,
    DiscriminatorPlan,
    Generator,
    GeneratorPlan,
)
from ssgan.types import ImageShape

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
class ResNetGenerator(AbstractResidualGenerator):
    """The generator: linear to 4x4x256, blocks 256 -> 256 that double the size."""

    def build(self, shape: ImageShape, num_classes: int) -> Generator:
        """A fresh generator; raises UserError for a shape outside the table of sizes."""
        check_shape("resnet", shape, PLANS)
        sizes = PLANS[shape.size]
        channels = (GENERATOR_CHANNELS,) * (sizes.ups + 1)
        plan = GeneratorPlan(sizes.start, channels, doubling=sizes.ups)
        return Generator(self, plan, shape.channels, num_classes)


@dataclass(frozen=True, kw_only=True)
class ResNetDiscriminator(AbstractResidualDiscriminator):
    """The discriminator: blocks of 128 channels, some halving the size; 128 features."""

    def build(self, shape: ImageShape, auxiliary_width: int, num_classes: int) -> Discriminator:
        """A fresh discriminator; raises UserError for a shape outside the table of sizes."""
        check_shape("resnet", shape, PLANS)
        downs = PLANS[shape.size].downs
        plan = DiscriminatorPlan((DISCRIMINATOR_CHANNELS,) * (downs + FLAT_BLOCKS), downs)
        return Discriminator(self, plan, shape.channels, auxiliary_width, num_classes)


GENERATOR_PLANS = {
    size: GeneratorPlan(4, (512, 512, 256, 256, 128, 64), doubling=doubling, plain_ends=True)
    for size, doubling in ((32, 3), (64, 4), (128, 5))
}
DISCRIMINATOR_PLANS = {
    size: DiscriminatorPlan((64, 128, 256, 256, 512, 512), halving=halving)
    for size, halving in ((32, 5), (64, 6), (128, 6))  # to 1x1, 1x1, 2x2
}


@dataclass(frozen=True, kw_only=True)
class ResNet5Generator(AbstractResidualGenerator):
    """The generator: linear to 4x4x512, five blocks down to 64 channels."""

    def build(self, shape: ImageShape, num_classes: int) -> Generator:
        """A fresh generator; raises UserError for a size that is not 32, 64 or 128."""
        check_shape("resnet5", shape, GENERATOR_PLANS)
        return Generator(self, GENERATOR_PLANS[shape.size], shape.channels, num_classes)


@dataclass(frozen=True, kw_only=True)
class ResNet5Discriminator(AbstractResidualDiscriminator):
    """The discriminator: six blocks up to 512 channels; 512 features."""

    def build(self, shape: ImageShape, auxiliary_width: int, num_classes: int) -> Discriminator:
        """A fresh discriminator; raises UserError for a size that is not 32, 64 or 128."""
        check_shape("resnet5", shape, DISCRIMINATOR_PLANS)
        plan = DISCRIMINATOR_PLANS[shape.size]
        return Discriminator(self, plan, shape.channels, auxiliary_width, num_classes)


SIZES = (48,)
GENERATOR_PLAN = GeneratorPlan(6, (512, 256, 128, 64), doubling=3, plain_ends=True)
DISCRIMINATOR_PLAN = DiscriminatorPlan((64, 128, 256, 512, 1024), halving=4)


@dataclass(frozen=True, kw_only=True)
class ResNetSTLGenerator(AbstractResidualGenerator):
    """The generator: linear to 6x6x512, three blocks down to 64 channels."""

    def build(self, shape: ImageShape, num_classes: int) -> Generator:
        """A fresh generator; raises UserError for a size that is not 48."""
        check_shape("resnet_stl", shape, SIZES)
        return Generator(self, GENERATOR_PLAN, shape.channels, num_classes)


@dataclass(frozen=True, kw_only=True)
class ResNetSTLDiscriminator(AbstractResidualDiscriminator):
    """The discriminator: five blocks up to 1024 channels; 1024 features."""

    def build(self, shape: ImageShape, auxiliary_width: int, num_classes: int) -> Discriminator:
        """A fresh discriminator; raises UserError for a size that is not 48."""
        check_shape("resnet_stl", shape, SIZES)
        plan = DISCRIMINATOR_PLAN
        return Discriminator(self, plan, shape.channels, auxiliary_width, num_classes)
