"""The embedded data set: rendered scenes at 32 pixels, with networks for two CPU cores."""

from dataclasses import replace

from ssgan.data.scenes import Scenes
from ssgan.methods.gan import GAN, ConditionalGAN
from ssgan.methods.rotation_only import RotationOnly
from ssgan.methods.ssgan import SSGAN
from ssgan.models.norms import BatchNorm, ConditionalBatchNorm
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.training.config import DataConfig, OutputConfig, RunConfig


def ssgan() -> RunConfig:
    """SS-GAN on scenes, 32 pixels, 32 channels.

        ssgan train scenes:ssgan

    Not run at this length.
    """
    return RunConfig(
        method=SSGAN(),
        data=DataConfig(source=Scenes(), image_size=32),
        generator=ResNetGenerator(width=0.125, norm=BatchNorm()),
        discriminator=ResNetDiscriminator(width=0.25),
        total_steps=5000,
        ema_halflife_steps=100.0,
        output=OutputConfig(log_every=10, sample_every=500, checkpoint_every=250),
    )


def demo() -> RunConfig:
    """The same for as long as a demonstration may take: a few minutes on two CPU cores.

    ssgan demo
    """
    output = OutputConfig(log_every=5, sample_every=200, checkpoint_every=100)
    return replace(ssgan(), total_steps=500, ema_halflife_steps=30.0, output=output)


def gan() -> RunConfig:
    """The unconditional GAN on scenes.

        ssgan train scenes:gan

    Not run at this length.
    """
    return replace(ssgan(), method=GAN())


def conditional() -> RunConfig:
    """The class-conditional GAN on scenes; the kind of object is the class.

        ssgan train scenes:conditional

    Not run at this length.
    """
    generator = ResNetGenerator(width=0.125, norm=ConditionalBatchNorm())
    return replace(ssgan(), method=ConditionalGAN(), generator=generator)


def rotation_only() -> RunConfig:
    """The rotation task alone on scenes.

        ssgan train scenes:rotation_only

    Not run at this length.
    """
    return replace(ssgan(), method=RotationOnly())
