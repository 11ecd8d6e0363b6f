"""SS-GAN's successors on CIFAR-10, at the size of `cifar10:ssgan_quarter`.

Only the method differs (with S3GAN also G's norm, which reads labels), and with it what a step
costs. The published runs named below had other networks and were longer: their FIDs are marks to
aim at, not what these runs would reach. The losses, and where each number is from: docs/methods.md.
"""

from dataclasses import replace

from ssgan.methods.class_losses import MultiHinge
from ssgan.methods.s3gan import S3GAN
from ssgan.methods.ssgan_annealed import AnnealedSSGAN
from ssgan.methods.ssgan_la import SSGANLA, SSGANLAPlus
from ssgan.methods.ssgan_ms import SSGANMS
from ssgan.models.norms import ConditionalBatchNorm
from ssgan.models.resnet import ResNetGenerator
from ssgan.recipes import cifar10
from ssgan.training.config import RunConfig


def ms_quarter() -> RunConfig:
    """SSGAN-MS: five classes, the turns and "fake".

        ssgan train successors:ms_quarter

    Published: FID 11.40 (10,000 / 10,000, Dist-GAN's ResNet; Tran et al. 2019, at second hand).
    Cost: D reads 224 and 112 images a step, SS-GAN 176 and 112. Not run at this scale.
    """
    return replace(cifar10.ssgan_quarter(), method=SSGANMS())


def la_quarter() -> RunConfig:
    """SSGAN-LA: eight classes on all four turns of every image, hinges, no game.

        ssgan train successors:la_quarter

    Published: FID 5.87 (BigGAN's networks, n_dis 4; Hou et al. 2021, unverified). Cost: D reads
    512 and 256 images a step, SS-GAN 176 and 112. Not run at this scale.
    """
    return replace(cifar10.ssgan_quarter(), method=SSGANLA(class_loss=MultiHinge()))


def la_plus_quarter() -> RunConfig:
    """SSGAN-LA+: the eight classes beside the game, on a quarter of the batch.

        ssgan train successors:la_plus_quarter

    Published: no number found. Cost: D reads 224 and 112 images a step, SS-GAN 176 and 112.
    Not run at this scale.
    """
    return replace(cifar10.ssgan_quarter(), method=SSGANLAPlus())


def annealed_quarter() -> RunConfig:
    """SS-GAN with alpha falling from 0.2 to 0 over the run.

        ssgan train successors:annealed_quarter

    Published: no number found; SS-GAN itself with n_dis 1 has FID 19.65 (Table 2, full
    width, 100,000 steps). Cost: SS-GAN's. Not run at this scale.
    """
    return replace(cifar10.ssgan_quarter(), method=AnnealedSSGAN())


def s3gan_quarter() -> RunConfig:
    """S3GAN: the labels of 10 % of the images; D guesses the others.

        ssgan train successors:s3gan_quarter

    Published: no number on CIFAR-10 found. Cost: D reads 240 images (64 of them forward only) and
    112 images a step, SS-GAN 176 and 112. Not run at this scale.
    """
    return replace(
        cifar10.ssgan_quarter(),
        method=S3GAN(labelled_fraction=0.1),
        generator=ResNetGenerator(width=0.25, norm=ConditionalBatchNorm()),
    )
