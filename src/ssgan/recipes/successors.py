"""Successors of SS-GAN on CIFAR-10, at the size of `cifar10:ssgan_laptop` and of `cifar10:ssgan`.

Only the method differs, and with it the cost of a step; S3GAN's G also has a norm that reads
labels. The published runs below had other networks, so these recipes need not reach their FIDs.
docs/methods.md has the losses and the source of each number.
"""

from dataclasses import replace

from ssgan.methods.base import Method
from ssgan.methods.class_losses import MultiHinge
from ssgan.methods.s3gan import S3GAN
from ssgan.methods.ssgan_annealed import AnnealedSSGAN
from ssgan.methods.ssgan_la import SSGANLA, SSGANLAPlus
from ssgan.methods.ssgan_ms import SSGANMS
from ssgan.recipes import cifar10
from ssgan.runs.config import RunConfig

_LA = SSGANLA(class_loss=MultiHinge())
_S3GAN = S3GAN(labelled_fraction=0.1)


def _laptop(method: Method) -> RunConfig:
    return replace(cifar10.ssgan_laptop(), method=method)


def _full(method: Method) -> RunConfig:
    return replace(cifar10.ssgan(), method=method)


def ms_laptop() -> RunConfig:
    """SSGAN-MS: five classes, four rotations and "fake".

        ssgan train successors:ms_laptop

    Cost: 3,000 steps, batch 64, n_dis 1; D reads 336 images a step, SS-GAN 288.
    Not run at this scale; at half its width, one seed: docs/results/successors.md.
    """
    return _laptop(SSGANMS())


def ms() -> RunConfig:
    """SSGAN-MS at full width, 100,000 steps.

        ssgan train successors:ms

    Published: FID 11.40 (10,000 / 10,000, Dist-GAN's ResNet; Tran et al. 2019, by a secondary
    source).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 560 images a step, SS-GAN 464. Not run at this
    scale.
    """
    return _full(SSGANMS())


def la_laptop() -> RunConfig:
    """SSGAN-LA: eight classes on all four rotations of every image, hinge, no adversarial loss.

        ssgan train successors:la_laptop

    Cost: 3,000 steps, batch 64, n_dis 1; D reads 768 images a step, SS-GAN 288.
    Not run at this scale; at half its width, one seed: docs/results/successors.md.
    """
    return _laptop(_LA)


def la() -> RunConfig:
    """SSGAN-LA at full width, 100,000 steps.

        ssgan train successors:la

    Published: FID 5.87 (BigGAN's networks, n_dis 4 where this recipe has 2; Hou et al. 2021,
    unverified).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 1,280 images a step, SS-GAN 464. Not run at this
    scale.
    """
    return _full(_LA)


def la_plus_laptop() -> RunConfig:
    """SSGAN-LA+: the eight classes on a quarter of the batch, and the adversarial loss.

        ssgan train successors:la_plus_laptop

    Cost: 3,000 steps, batch 64, n_dis 1; D reads 336 images a step, SS-GAN 288.
    Not run at this scale; at half its width, one seed: docs/results/successors.md.
    """
    return _laptop(SSGANLAPlus())


def la_plus() -> RunConfig:
    """SSGAN-LA+ at full width, 100,000 steps.

        ssgan train successors:la_plus

    Published: no number found.
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 560 images a step, SS-GAN 464. Not run at this
    scale.
    """
    return _full(SSGANLAPlus())


def annealed_laptop() -> RunConfig:
    """SS-GAN with alpha annealed from 0.2 to 0 over the run.

        ssgan train successors:annealed_laptop

    Cost: 3,000 steps, batch 64, n_dis 1; D reads 288 images a step, as SS-GAN.
    Not run at this scale; at half its width, one seed: docs/results/successors.md.
    """
    return _laptop(AnnealedSSGAN())


def annealed() -> RunConfig:
    """SS-GAN with alpha annealed from 0.2 to 0, at full width, 100,000 steps.

        ssgan train successors:annealed

    Published: no number found; SS-GAN itself has FID 17.88 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 464 images a step, as SS-GAN. Not run at this
    scale.
    """
    return _full(AnnealedSSGAN())


def s3gan_laptop() -> RunConfig:
    """S3GAN: the labels of 10 % of the images, others drawn from D's class probabilities.

        ssgan train successors:s3gan_laptop

    With the most likely class as pseudo-label, as published, 3,000 steps are hardly a beginning.
    Cost: 3,000 steps, batch 64, n_dis 1; D reads 352 images a step, 64 of them forward only, SS-GAN
    288. Not run at this scale; at half its width, one seed: docs/results/successors.md.
    """
    return replace(cifar10.conditional_laptop(), method=replace(_S3GAN, pseudo_label="sampled"))


def s3gan() -> RunConfig:
    """S3GAN at full width, 100,000 steps: the labels of 10 % of the images.

        ssgan train successors:s3gan

    Published: no number on CIFAR-10 found.
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 592 images a step, 128 of them forward only,
    SS-GAN 464. Not run at this scale.
    """
    return replace(cifar10.conditional(), method=_S3GAN)
