"""ImageNet at 128 pixels: the paper's controlled study (Table 1, Figure 4b, Tables 4 and 5).

`resnet5` networks, hinge loss, spectral norm in D, Adam 2e-4 with betas (0, 0.9), two updates of D
per update of G, batch 64, 1,000,000 steps. n_dis 2 is inferred: the curves of Figure 4b agree with
that row of Table 2 at about 100,000 steps. Networks, loss, learning rate and batch size are from
secondary sources. Table 1 has the best FID of three seeds, Figure 4b their mean, read off to about
1. The networks of every 100,000 steps are kept for probing.

The authors' code takes a new random square crop, with half to all of the image's area, every time
it reads an image. `--data crops:8:folder:PATH` prepares eight crops per image, in eight times the
space. Without it only the central square of an image is used, and D reads less variety than in the
published runs (docs/datasets.md).
"""

from dataclasses import replace

from ssgan.data.base import UserProvided
from ssgan.methods.gan import GAN, ConditionalGAN
from ssgan.methods.rotation_only import RotationOnly
from ssgan.methods.ssgan import SSGAN
from ssgan.models.norms import ConditionalBatchNorm, SelfModulatedBatchNorm
from ssgan.models.resnet import ResNet5Discriminator, ResNet5Generator
from ssgan.runs.config import DataConfig, EvaluateConfig, OutputConfig, RunConfig

DATA = DataConfig(
    source=UserProvided("ImageNet's training images, one folder a class"), image_size=128
)


def ssgan() -> RunConfig:
    """SS-GAN on ImageNet.

        ssgan train imagenet128:ssgan --data folder:PATH

    Published: best FID 47.56 (Table 1), 48 at the end (Figure 4b).
    Cost: 1,000,000 steps, batch 64, n_dis 2; D reads 464 images a step. Not run at this scale.
    """
    return RunConfig(
        method=SSGAN(),
        data=DATA,
        generator=ResNet5Generator(),
        discriminator=ResNet5Discriminator(),
        total_steps=1_000_000,
        discriminator_updates=2,
        output=OutputConfig(
            log_every=100, sample_every=10_000, checkpoint_every=1000, snapshot_every=100_000
        ),
        evaluate=EvaluateConfig(every=20_000),
    )


def ssgan_sbn() -> RunConfig:
    """SS-GAN with self-modulated batch norm in G.

        ssgan train imagenet128:ssgan_sbn --data folder:PATH

    Published: best FID 43.87 (Table 1), 45 at the end (Figure 4b); best linear accuracy of D's
    features 0.383 (Table 4).
    Cost: 1,000,000 steps, batch 64, n_dis 2; D reads 464 images a step. Not run at this scale.
    """
    return replace(ssgan(), generator=ResNet5Generator(norm=SelfModulatedBatchNorm()))


def gan() -> RunConfig:
    """The unconditional GAN: SS-GAN without the rotation losses.

        ssgan train imagenet128:gan --data folder:PATH

    Published: best FID 56.67 (Table 1), above 125 at the end (Figure 4b); best linear accuracy of
    D's features 0.083 (Table 4).
    Cost: 1,000,000 steps, batch 64, n_dis 2; D reads 320 images a step. Not run at this scale.
    """
    return replace(ssgan(), method=GAN())


def conditional() -> RunConfig:
    """The class-conditional GAN: projection in D, conditional batch norm in G.

        ssgan train imagenet128:conditional --data folder:PATH

    Published: best FID 42.07 (Table 1), 45 at the end (Figure 4b); best linear accuracy of D's
    features 0.337 (Table 4).
    Cost: 1,000,000 steps, batch 64, n_dis 2; D reads 320 images a step. Not run at this scale.
    """
    return replace(
        ssgan(), method=ConditionalGAN(), generator=ResNet5Generator(norm=ConditionalBatchNorm())
    )


def rotation_only() -> RunConfig:
    """The rotation task without adversarial losses: the baseline of the paper's probing tables.

        ssgan train imagenet128:rotation_only --data folder:PATH

    Published: best linear accuracy of D's features 0.202 (Table 4).
    Cost: 1,000,000 steps, batch 64, n_dis 2; D reads 192 images a step. Not run at this scale.
    """
    return replace(ssgan(), method=RotationOnly())
