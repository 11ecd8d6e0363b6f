"""The network families as tests see them: small, at the smallest size that each is made for."""

from typing import NamedTuple

from ssgan.models.base import AbstractDiscriminatorConfig, AbstractGeneratorConfig
from ssgan.models.biggan import BigGANDiscriminator, BigGANGenerator
from ssgan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from ssgan.models.resnet import (
    ResNet5Discriminator,
    ResNet5Generator,
    ResNetDiscriminator,
    ResNetGenerator,
    ResNetSTLDiscriminator,
    ResNetSTLGenerator,
)
from ssgan.models.sndcgan import SNDCGANDiscriminator, SNDCGANGenerator
from ssgan.models.sngan import SNGANDiscriminator, SNGANGenerator


class Family(NamedTuple):
    """Two networks of a family."""

    generator: AbstractGeneratorConfig
    discriminator: AbstractDiscriminatorConfig
    sizes: tuple[int, ...]  # all it is made for
    maps: int  # of D at the first of the sizes
    features: dict[int, int]  # at a size; others as the first


FAMILIES = {
    "resnet": Family(
        ResNetGenerator(latent_size=12, width=4 / 256),
        ResNetDiscriminator(width=4 / 128),
        (32, 48, 64, 96, 128),
        4,
        {32: 4},
    ),
    "resnet5": Family(
        ResNet5Generator(latent_size=12, width=1 / 32),
        ResNet5Discriminator(width=1 / 32),
        (32, 64, 128),
        6,
        {32: 16},
    ),
    "resnet_stl": Family(
        ResNetSTLGenerator(latent_size=12, width=1 / 32),
        ResNetSTLDiscriminator(width=1 / 32),
        (48,),
        5,
        {48: 32},
    ),
    "biggan": Family(
        BigGANGenerator(latent_size=420, width=1 / 48, attention=16, label_features=5),
        BigGANDiscriminator(width=1 / 48, attention=16),
        (32, 64, 96, 128, 192, 256),
        4,
        {32: 4, 64: 32, 96: 32, 128: 32, 192: 32, 256: 32},
    ),
    "sngan": Family(
        SNGANGenerator(latent_size=12, width=1 / 64),
        SNGANDiscriminator(width=1 / 32),
        (32, 48, 64, 128),
        4,
        {32: 4, 48: 32, 64: 32, 128: 32},
    ),
    "sndcgan": Family(
        SNDCGANGenerator(latent_size=12, width=1 / 32),
        SNDCGANDiscriminator(width=1 / 32),
        (32, 48, 64, 96, 128),
        7,
        {32: 16 * 16, 48: 16 * 36, 64: 16 * 64, 96: 16 * 144, 128: 16 * 256},
    ),
    "dcgan": Family(
        DCGANGenerator(latent_size=12, width=1 / 32),
        DCGANDiscriminator(width=1 / 32),
        (32, 48, 64, 96, 128),
        4,
        {32: 16 * 4, 48: 16 * 9, 64: 16 * 16, 96: 16 * 36, 128: 16 * 64},
    ),
}
EVERY_SIZE = [(name, size) for name, family in FAMILIES.items() for size in family.sizes]
