"""The embedded data set: rendered objects at 32 pixels, with networks for two CPU cores.

Results: docs/results/objects.md.
"""

from dataclasses import replace

from ssgan.data.scenes.source import Objects
from ssgan.methods.gan import GAN, ConditionalGAN
from ssgan.methods.rotation_only import RotationOnly
from ssgan.methods.ssgan import SSGAN
from ssgan.models.norms import AbstractNorm, BatchNorm, ConditionalBatchNorm, SelfModulatedBatchNorm
from ssgan.models.resnet import ResNetGenerator
from ssgan.models.sndcgan import SNDCGANDiscriminator
from ssgan.runs.config import AdamConfig, DataConfig, EvaluateConfig, OutputConfig, RunConfig


def _generator(norm: AbstractNorm) -> ResNetGenerator:
    return ResNetGenerator(width=0.125, norm=norm, upsampling="nearest", shortcut="1x1")


def ssgan() -> RunConfig:
    """SS-GAN on objects, with settings that were chosen by measurement.

        ssgan train objects:ssgan

    SNDCGAN's D, with Adam four times as fast as the paper's, was best for a short run.
    Cost: 3,000 steps, batch 32, n_dis 1; D reads 144 images a step.
    Run at this scale: docs/results/objects.md.
    """
    adam = AdamConfig(learning_rate=8e-4)
    return RunConfig(
        method=SSGAN(),
        data=DataConfig(source=Objects(), image_size=32),
        generator=_generator(BatchNorm()),
        discriminator=SNDCGANDiscriminator(width=0.25),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        total_steps=3000,
        batch_size=32,
        ema_halflife_steps=100.0,
        output=OutputConfig(
            log_every=10, sample_every=500, checkpoint_every=500, snapshot_every=500
        ),
        evaluate=EvaluateConfig(every=500),
    )


def ssgan_sbn() -> RunConfig:
    """SS-GAN on objects with self-modulated batch norm in G.

        ssgan train objects:ssgan_sbn

    Cost: 3,000 steps, batch 32, n_dis 1; D reads 144 images a step.
    Run at this scale: docs/results/objects.md.
    """
    return replace(ssgan(), generator=_generator(SelfModulatedBatchNorm()))


def gan() -> RunConfig:
    """The unconditional GAN on objects.

        ssgan train objects:gan

    Cost: 3,000 steps, batch 32, n_dis 1; D reads 96 images a step.
    Run at this scale: docs/results/objects.md.
    """
    return replace(ssgan(), method=GAN())


def conditional() -> RunConfig:
    """The class-conditional GAN on objects; the class is the kind of object.

        ssgan train objects:conditional

    Cost: 3,000 steps, batch 32, n_dis 1; D reads 96 images a step.
    Run at this scale: docs/results/objects.md.
    """
    norm = ConditionalBatchNorm(gamma_offset=True)  # gains near 1 at the start, as in cifar10
    return replace(ssgan(), method=ConditionalGAN(), generator=_generator(norm))


def rotation_only() -> RunConfig:
    """The rotation task alone on objects.

        ssgan train objects:rotation_only

    Cost: 3,000 steps, batch 32, n_dis 1; D reads 64 images a step. Not run at this scale.
    """
    return replace(ssgan(), method=RotationOnly())


def demo() -> RunConfig:
    """A short SS-GAN run for demonstration: a few minutes on two CPU cores.

        ssgan demo

    Cost: 1,600 steps, batch 32, n_dis 1; D reads 144 images a step.
    Run at this scale: docs/results/objects.md.
    """
    return replace(
        ssgan_sbn(),
        total_steps=1600,
        ema_halflife_steps=50.0,
        output=OutputConfig(log_every=10, sample_every=400, checkpoint_every=200),
        evaluate=EvaluateConfig(every=800, images=500),
    )
