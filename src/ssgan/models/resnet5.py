"""The residual networks for ImageNet, LSUN and CelebA-HQ at 128 pixels (`resnet5`).

That Chen et al., CVPR 2019, used these is at second hand; layer lists after google/compare_gan,
which follows Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR
2018; blocks.py says what a block is.

    G: linear to 4x4x512, blocks to 512, 256, 256, 128, 64 channels
    D: blocks to 64, 128, 256, 256, 512, 512 channels; 512 features

At 128 pixels every block changes the size. Smaller images have the same blocks, and the first ones
change it: G's until the size is reached, D's while there is something to halve. G's first and last
layer are never spectrally normed. The official D has no projection of labels; here it has one when
there are labels, as the paper's conditional ImageNet baseline needs.
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
