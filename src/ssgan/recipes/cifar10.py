"""CIFAR-10 at 32 pixels: the paper's networks and settings, and smaller ones.

Spectral norm in D, betas (0, 0.9) and two updates of D per update of G are a row of the paper's
Table 2; that the other tables use this row is inferred. Hinge loss, Adam 2e-4, batch 64, 100,000
steps, and 10,000 fakes against the 10,000 test images are from secondary sources. Published numbers
are the paper's, over three seeds: Table 1 has the best FID, Table 2 the mean and standard
deviation, Table 3 the mean accuracy of the best block, Figure 4a the mean FID, read off to about
0.3.
"""

from dataclasses import replace

from ssgan.data.cifar10 import Cifar10
from ssgan.methods.gan import GAN, ConditionalGAN
from ssgan.methods.rotation_only import RotationOnly
from ssgan.methods.ssgan import SSGAN
from ssgan.models.norms import ConditionalBatchNorm, SelfModulatedBatchNorm
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.runs.config import DataConfig, EvaluateConfig, OutputConfig, RunConfig

_LAPTOP_GENERATOR = ResNetGenerator(width=0.25, upsampling="nearest", shortcut="1x1")


def ssgan() -> RunConfig:
    """SS-GAN with the paper's main setting (spectral norm, n_dis 2).

        ssgan train cifar10:ssgan

    Published: FID 17.88 +- 0.64 (Table 2), best FID 17.11 (Table 1), 17.8 at the end (Figure 4a).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 464 images a step. Not run at this scale.
    """
    return RunConfig(
        method=SSGAN(),
        data=DataConfig(source=Cifar10(), image_size=32),
        generator=ResNetGenerator(),
        discriminator=ResNetDiscriminator(),
        total_steps=100_000,
        discriminator_updates=2,
        output=OutputConfig(log_every=100, sample_every=5000, checkpoint_every=1000),
        evaluate=EvaluateConfig(every=5000),
    )


def ssgan_sbn() -> RunConfig:
    """SS-GAN with self-modulated batch norm in G.

        ssgan train cifar10:ssgan_sbn

    Published: best FID 15.65 (Table 1), 16.5 at the end (Figure 4a); best linear accuracy of D's
    features 0.799 (Table 3).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 464 images a step. Not run at this scale.
    """
    return replace(ssgan(), generator=ResNetGenerator(norm=SelfModulatedBatchNorm()))


def gan() -> RunConfig:
    """The unconditional GAN: SS-GAN without the rotation losses.

        ssgan train cifar10:gan

    Published: FID 20.24 +- 0.62 (Table 2), best FID 19.73 (Table 1), 20.9 at the end (Figure 4a);
    best linear accuracy of D's features 0.778 (Table 3).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 320 images a step. Not run at this scale.
    """
    return replace(ssgan(), method=GAN())


def conditional() -> RunConfig:
    """The class-conditional GAN: projection in D, conditional batch norm in G.

        ssgan train cifar10:conditional

    Published: best FID 15.60 (Table 1), 16.4 at the end (Figure 4a); best linear accuracy of D's
    features 0.780 (Table 3).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 320 images a step. Not run at this scale.
    """
    return replace(
        ssgan(), method=ConditionalGAN(), generator=ResNetGenerator(norm=ConditionalBatchNorm())
    )


def rotation_only() -> RunConfig:
    """The rotation task without adversarial losses: the baseline of the paper's probing tables.

        ssgan train cifar10:rotation_only

    Published: best linear accuracy of D's features 0.762 (Table 3).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 192 images a step. Not run at this scale.
    """
    return replace(ssgan(), method=RotationOnly())


def ssgan_quarter() -> RunConfig:
    """SS-GAN with 64 channels in G and D, one update of D a step, 3,000 steps.

        ssgan train cifar10:ssgan_quarter

    At full width, after 100,000 steps with n_dis 1, the FID is 87.86 for the paper's unconditional
    GAN and 19.65 for SS-GAN (Table 2).
    Cost: 3,000 steps, batch 64, n_dis 1; D reads 288 images a step.
    Run at this scale: docs/results/cifar10-quarter.md.
    """
    return replace(
        ssgan(),
        generator=ResNetGenerator(width=0.25),
        discriminator=ResNetDiscriminator(width=0.5),
        total_steps=3000,
        discriminator_updates=1,
        ema_halflife_steps=100.0,
        output=OutputConfig(log_every=10, sample_every=500, checkpoint_every=250),
        evaluate=EvaluateConfig(every=500),
    )


def gan_quarter() -> RunConfig:
    """The unconditional GAN at the same size and number of steps as `ssgan_quarter`.

        ssgan train cifar10:gan_quarter

    Cost: 3,000 steps, batch 64, n_dis 1; D reads 192 images a step.
    Run at this scale: docs/results/cifar10-quarter.md.
    """
    return replace(ssgan_quarter(), method=GAN())


def ssgan_laptop() -> RunConfig:
    """SS-GAN with 64 channels, nearest upsampling, 1x1 shortcuts and sum pooling.

        ssgan train cifar10:ssgan_laptop

    The changes to the paper's networks are SNGAN's. They need a third fewer multiplications, and
    D's logits can leave the middle of the hinge early.
    Cost: 3,000 steps, batch 64, n_dis 1; D reads 288 images a step.
    Run at this scale: docs/results/cifar10-laptop.md.
    """
    quarter = ssgan_quarter()
    return replace(
        quarter,
        generator=_LAPTOP_GENERATOR,
        discriminator=ResNetDiscriminator(width=0.5, shortcut="1x1", pooling="sum"),
        output=replace(quarter.output, checkpoint_every=500, snapshot_every=500),
    )


def gan_laptop() -> RunConfig:
    """The unconditional GAN at the same size and number of steps as `ssgan_laptop`.

        ssgan train cifar10:gan_laptop

    Cost: 3,000 steps, batch 64, n_dis 1; D reads 192 images a step.
    Run at this scale: docs/results/cifar10-laptop.md.
    """
    return replace(ssgan_laptop(), method=GAN())


def ssgan_sbn_laptop() -> RunConfig:
    """SS-GAN with self-modulated batch norm in G, at the size of `ssgan_laptop`.

        ssgan train cifar10:ssgan_sbn_laptop

    Cost: 3,000 steps, batch 64, n_dis 1; D reads 288 images a step.
    Not run at this scale; at half its width: docs/results/cifar10-half.md.
    """
    generator = replace(_LAPTOP_GENERATOR, norm=SelfModulatedBatchNorm())
    return replace(ssgan_laptop(), generator=generator)


def conditional_laptop() -> RunConfig:
    """The class-conditional GAN at the same size and number of steps as `ssgan_laptop`.

        ssgan train cifar10:conditional_laptop

    The gains of G's batch norm start near 1, as in BigGAN. If they start near 0, as in the paper's
    code, G is far behind after so few steps.
    Cost: 3,000 steps, batch 64, n_dis 1; D reads 192 images a step.
    Not run at this scale; at half its width: docs/results/cifar10-half.md.
    """
    generator = replace(_LAPTOP_GENERATOR, norm=ConditionalBatchNorm(gamma_offset=True))
    return replace(ssgan_laptop(), method=ConditionalGAN(), generator=generator)


def rotation_only_laptop() -> RunConfig:
    """The rotation task alone, at the same size and number of steps as `ssgan_laptop`.

        ssgan train cifar10:rotation_only_laptop

    Cost: 3,000 steps, batch 64, n_dis 1; D reads 128 images a step.
    Not run at this scale; at half its width: docs/results/cifar10-half.md.
    """
    return replace(ssgan_laptop(), method=RotationOnly())
