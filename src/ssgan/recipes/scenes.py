"""Rendered scenes at 32 pixels, where sky and ground show the rotation: a counter-example.

The rotation loss does harm on these images (docs/results/scenes.md); on `objects` it helps.
"""

from dataclasses import replace

from ssgan.data.scenes.source import Scenes
from ssgan.methods.gan import GAN, ConditionalGAN
from ssgan.methods.rotation_only import RotationOnly
from ssgan.methods.ssgan import SSGAN
from ssgan.models.norms import AbstractNorm, BatchNorm, ConditionalBatchNorm
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.runs.config import AdamConfig, DataConfig, EvaluateConfig, OutputConfig, RunConfig


def ssgan() -> RunConfig:
    """SS-GAN on scenes, with 32 channels.

        ssgan train scenes:ssgan

    Two updates of D per step and learning rate 5e-4 (betas 0.5 and 0.999): with one update, or the
    paper's 2e-4, so narrow a D learns too slowly for a run of minutes.
    Cost: 10,000 steps, batch 32, n_dis 2; D reads 232 images a step. Not run at this scale.
    """
    adam = AdamConfig(learning_rate=5e-4, beta1=0.5, beta2=0.999)
    return RunConfig(
        method=SSGAN(),
        data=DataConfig(source=Scenes(), image_size=32),
        generator=_generator(BatchNorm()),
        discriminator=ResNetDiscriminator(width=0.25, shortcut="1x1", pooling="sum"),
        total_steps=10_000,
        batch_size=32,
        discriminator_updates=2,
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        ema_halflife_steps=100.0,
        output=OutputConfig(log_every=10, sample_every=500, checkpoint_every=250),
        evaluate=EvaluateConfig(every=500),
    )


def _generator(norm: AbstractNorm) -> ResNetGenerator:
    return ResNetGenerator(width=0.125, norm=norm, upsampling="nearest", shortcut="1x1")


def demo() -> RunConfig:
    """A short SS-GAN run on scenes: a few minutes on two CPU cores.

        ssgan train scenes:demo

    Cost: 1,200 steps, batch 32, n_dis 2; D reads 232 images a step.
    """
    output = OutputConfig(log_every=5, sample_every=200, checkpoint_every=100)
    evaluate = EvaluateConfig(every=300, images=500)
    run = replace(ssgan(), total_steps=1200, ema_halflife_steps=50.0)
    return replace(run, output=output, evaluate=evaluate)


def gan() -> RunConfig:
    """The unconditional GAN on scenes.

        ssgan train scenes:gan

    Cost: 10,000 steps, batch 32, n_dis 2; D reads 160 images a step. Not run at this scale.
    """
    return replace(ssgan(), method=GAN())


def conditional() -> RunConfig:
    """The class-conditional GAN on scenes; the class is the kind of object.

        ssgan train scenes:conditional

    Cost: 10,000 steps, batch 32, n_dis 2; D reads 160 images a step. Not run at this scale.
    """
    # The initial gain is near 1; near 0, training starts too late.
    norm = ConditionalBatchNorm(gamma_offset=True)
    return replace(ssgan(), method=ConditionalGAN(), generator=_generator(norm))


def rotation_only() -> RunConfig:
    """The rotation task alone on scenes.

        ssgan train scenes:rotation_only

    Cost: 10,000 steps, batch 32, n_dis 2; D reads 96 images a step. Not run at this scale.
    """
    return replace(ssgan(), method=RotationOnly())
