"""The residual networks for STL-10 at 48 pixels (`resnet_stl`).

Layer lists after google/compare_gan, which follows Miyato et al., "Spectral Normalization for
Generative Adversarial Networks", ICLR 2018; blocks.py says what a block is.

    G: linear to 6x6x512, blocks to 256, 128, 64 channels that double the size
    D: blocks to 64, 128, 256, 512 channels that halve it, and one to 1024; 1024 features

G's first and last layer are never spectrally normed.
"""

from dataclasses import dataclass

from ssgan.models.residual import (
    AbstractResidualDiscriminator,
    AbstractResidualGenerator,
    Discriminator,
    DiscriminatorPlan,
    Generator,
    GeneratorPlan,
)
from ssgan.models.shapes import check_shape
from ssgan.types import ImageShape

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
