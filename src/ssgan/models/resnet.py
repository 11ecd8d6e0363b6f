"""The residual networks of the official code: `resnet_cifar`, `resnet5` and `resnet_stl`.

Chen et al., CVPR 2019; layer lists after google/compare_gan; `blocks` defines a block. Each family
is a table with the layers of G and D for every image size:

RESNET (`resnet_cifar`), published for 32 pixels. G: a 4x4x256 map, blocks of 256 channels that
double the size. D: blocks of 128 channels, 128 features. For other sizes G doubles until the size
is reached (48 and 96 pixels: from 6x6); D halves down to 8x8 (there to 12x12), then two blocks
follow.

RESNET5, for 128 pixels and below. G: a 4x4x512 map, five blocks down to 64 channels. D: six blocks
up to 512 channels, 512 features.

RESNET_STL, for 48 pixels. G: a 6x6x512 map, three blocks down to 64 channels. D: five blocks up to
1024 channels, 1024 features.
"""

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeAlias

from ssgan.models.base import check_shape
from ssgan.models.residual import (
    AbstractResidualDiscriminator,
    AbstractResidualGenerator,
    DiscriminatorLayers,
    GeneratorLayers,
    ResidualDiscriminatorNetwork,
    ResidualGeneratorNetwork,
)
from ssgan.types import ImageShape


class ResNetLayers(NamedTuple):
    """The layers of both networks for one size."""

    generator: GeneratorLayers
    discriminator: DiscriminatorLayers


_Table: TypeAlias = Mapping[int, ResNetLayers]  # image size -> layers

RESNET: _Table = {
    size: ResNetLayers(
        GeneratorLayers(start, (256,) * (doubling + 1), doubling),
        DiscriminatorLayers((128,) * (halving + 2), halving),
    )
    for size, start, doubling, halving in (
        (32, 4, 3, 2),
        (48, 6, 3, 2),
        (64, 4, 4, 3),
        (96, 6, 4, 3),
        (128, 4, 5, 4),
    )
}
RESNET5: _Table = {
    size: ResNetLayers(
        GeneratorLayers(4, (512, 512, 256, 256, 128, 64), doubling, plain_ends=True),
        DiscriminatorLayers((64, 128, 256, 256, 512, 512), halving),  # to 1x1, 1x1, 2x2
    )
    for size, doubling, halving in ((32, 3, 5), (64, 4, 6), (128, 5, 6))
}
RESNET_STL: _Table = {
    48: ResNetLayers(
        GeneratorLayers(6, (512, 256, 128, 64), doubling=3, plain_ends=True),
        DiscriminatorLayers((64, 128, 256, 512, 1024), halving=4),
    )
}


@dataclass(frozen=True, kw_only=True)
class _Generator(AbstractResidualGenerator, ABC):
    family: ClassVar[str]
    table: ClassVar[_Table]

    def build(self, shape: ImageShape, num_classes: int) -> ResidualGeneratorNetwork:
        """A new generator; raises UserError for a shape that is not in the table."""
        check_shape(self.family, shape, self.table)
        layers = self.table[shape.size].generator
        return ResidualGeneratorNetwork(self, layers, shape.channels, num_classes)


@dataclass(frozen=True, kw_only=True)
class _Discriminator(AbstractResidualDiscriminator, ABC):
    family: ClassVar[str]
    table: ClassVar[_Table]

    def build(
        self, shape: ImageShape, auxiliary_width: int, num_classes: int
    ) -> ResidualDiscriminatorNetwork:
        """A new discriminator; raises UserError for a shape that is not in the table."""
        check_shape(self.family, shape, self.table)
        layers = self.table[shape.size].discriminator
        return ResidualDiscriminatorNetwork(
            self, layers, shape.channels, auxiliary_width, num_classes
        )


@dataclass(frozen=True, kw_only=True)
class ResNetGenerator(_Generator):
    """The generator of `resnet_cifar`: blocks of 256 channels, for 32 to 128 pixels."""

    family: ClassVar[str] = "resnet"
    table: ClassVar[_Table] = RESNET


@dataclass(frozen=True, kw_only=True)
class ResNetDiscriminator(_Discriminator):
    """The discriminator of `resnet_cifar`: blocks of 128 channels, for 32 to 128 pixels."""

    family: ClassVar[str] = "resnet"
    table: ClassVar[_Table] = RESNET


@dataclass(frozen=True, kw_only=True)
class ResNet5Generator(_Generator):
    """The generator of `resnet5`: five blocks, 512 to 64 channels, for 32, 64 or 128 pixels."""

    family: ClassVar[str] = "resnet5"
    table: ClassVar[_Table] = RESNET5


@dataclass(frozen=True, kw_only=True)
class ResNet5Discriminator(_Discriminator):
    """The discriminator of `resnet5`: six blocks, 64 to 512 channels, for 32, 64 or 128 pixels."""

    family: ClassVar[str] = "resnet5"
    table: ClassVar[_Table] = RESNET5


@dataclass(frozen=True, kw_only=True)
class ResNetSTLGenerator(_Generator):
    """The generator of `resnet_stl`: three blocks, 512 to 64 channels, for 48 pixels."""

    family: ClassVar[str] = "resnet_stl"
    table: ClassVar[_Table] = RESNET_STL


@dataclass(frozen=True, kw_only=True)
class ResNetSTLDiscriminator(_Discriminator):
    """The discriminator of `resnet_stl`: five blocks, 64 to 1024 channels, for 48 pixels."""

    family: ClassVar[str] = "resnet_stl"
    table: ClassVar[_Table] = RESNET_STL
