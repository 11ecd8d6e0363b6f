"""Table 2 of the paper on ImageNet at 128 pixels: SS-GAN and the GAN under nine settings.

Rows and their names are those of `robustness`, images and networks those of `imagenet128`. How long
these runs were is not known to us. 100,000 steps are inferred: at about that step the curves of
Figure 4b (78 and 69.5) are near the row of spectral norm and n_dis 2 (80.05 and 70.64). FIDs are
means and standard deviations over three seeds.

The two of `sn_b0_n2` are the first tenth of `imagenet128:gan` and `imagenet128:ssgan`.
"""

from dataclasses import replace

from ssgan.models.resnet import ResNet5Discriminator, ResNet5Generator, ResNetDiscriminator
from ssgan.recipes import imagenet128, robustness
from ssgan.runs.config import RunConfig


def _here(cell: RunConfig) -> RunConfig:
    """A cell of CIFAR-10 with ImageNet's images and networks."""
    assert isinstance(cell.discriminator, ResNetDiscriminator)
    return replace(
        cell,
        data=imagenet128.DATA,
        generator=ResNet5Generator(),
        discriminator=ResNet5Discriminator(spectral=cell.discriminator.spectral),
    )


def gp1_b0_n1_gan() -> RunConfig:
    """GAN, penalty of weight 1, betas (0, 0.9), n_dis 1.

        ssgan train robustness_imagenet:gp1_b0_n1_gan --data folder:PATH

    Published: FID 183.36 +- 77.21 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 256 images a step. Not run at this scale.
    """
    return _here(robustness.gp1_b0_n1_gan())


def gp1_b0_n1_ssgan() -> RunConfig:
    """SS-GAN, penalty of weight 1, betas (0, 0.9), n_dis 1.

        ssgan train robustness_imagenet:gp1_b0_n1_ssgan --data folder:PATH

    Published: FID 80.67 +- 0.43 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 352 images a step. Not run at this scale.
    """
    return _here(robustness.gp1_b0_n1_ssgan())


def gp1_b0_n2_gan() -> RunConfig:
    """GAN, penalty of weight 1, betas (0, 0.9), n_dis 2.

        ssgan train robustness_imagenet:gp1_b0_n2_gan --data folder:PATH

    Published: FID 85.13 +- 2.88 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 448 images a step. Not run at this scale.
    """
    return _here(robustness.gp1_b0_n2_gan())


def gp1_b0_n2_ssgan() -> RunConfig:
    """SS-GAN, penalty of weight 1, betas (0, 0.9), n_dis 2.

        ssgan train robustness_imagenet:gp1_b0_n2_ssgan --data folder:PATH

    Published: FID 83.08 +- 0.38 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 592 images a step. Not run at this scale.
    """
    return _here(robustness.gp1_b0_n2_ssgan())


def gp1_b5_n1_gan() -> RunConfig:
    """GAN, penalty of weight 1, betas (0.5, 0.999), n_dis 1.

        ssgan train robustness_imagenet:gp1_b5_n1_gan --data folder:PATH

    Published: FID 104.73 +- 2.71 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 256 images a step. Not run at this scale.
    """
    return _here(robustness.gp1_b5_n1_gan())


def gp1_b5_n1_ssgan() -> RunConfig:
    """SS-GAN, penalty of weight 1, betas (0.5, 0.999), n_dis 1.

        ssgan train robustness_imagenet:gp1_b5_n1_ssgan --data folder:PATH

    Published: FID 91.63 +- 2.78 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 352 images a step. Not run at this scale.
    """
    return _here(robustness.gp1_b5_n1_ssgan())


def gp10_b0_n1_gan() -> RunConfig:
    """GAN, penalty of weight 10, betas (0, 0.9), n_dis 1.

        ssgan train robustness_imagenet:gp10_b0_n1_gan --data folder:PATH

    Published: FID 227.04 +- 31.45 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 256 images a step. Not run at this scale.
    """
    return _here(robustness.gp10_b0_n1_gan())


def gp10_b0_n1_ssgan() -> RunConfig:
    """SS-GAN, penalty of weight 10, betas (0, 0.9), n_dis 1.

        ssgan train robustness_imagenet:gp10_b0_n1_ssgan --data folder:PATH

    Published: FID 85.38 +- 2.7 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 352 images a step. Not run at this scale.
    """
    return _here(robustness.gp10_b0_n1_ssgan())


def gp10_b0_n2_gan() -> RunConfig:
    """GAN, penalty of weight 10, betas (0, 0.9), n_dis 2.

        ssgan train robustness_imagenet:gp10_b0_n2_gan --data folder:PATH

    Published: FID 227.74 +- 16.82 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 448 images a step. Not run at this scale.
    """
    return _here(robustness.gp10_b0_n2_gan())


def gp10_b0_n2_ssgan() -> RunConfig:
    """SS-GAN, penalty of weight 10, betas (0, 0.9), n_dis 2.

        ssgan train robustness_imagenet:gp10_b0_n2_ssgan --data folder:PATH

    Published: FID 80.82 +- 0.64 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 592 images a step. Not run at this scale.
    """
    return _here(robustness.gp10_b0_n2_ssgan())


def gp10_b5_n1_gan() -> RunConfig:
    """GAN, penalty of weight 10, betas (0.5, 0.999), n_dis 1.

        ssgan train robustness_imagenet:gp10_b5_n1_gan --data folder:PATH

    Published: FID 242.71 +- 13.62 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 256 images a step. Not run at this scale.
    """
    return _here(robustness.gp10_b5_n1_gan())


def gp10_b5_n1_ssgan() -> RunConfig:
    """SS-GAN, penalty of weight 10, betas (0.5, 0.999), n_dis 1.

        ssgan train robustness_imagenet:gp10_b5_n1_ssgan --data folder:PATH

    Published: FID 144.35 +- 91.4 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 352 images a step. Not run at this scale.
    """
    return _here(robustness.gp10_b5_n1_ssgan())


def sn_b0_n1_gan() -> RunConfig:
    """GAN, spectral norm, betas (0, 0.9), n_dis 1.

        ssgan train robustness_imagenet:sn_b0_n1_gan --data folder:PATH

    Published: FID 129.96 +- 6.6 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 192 images a step. Not run at this scale.
    """
    return _here(robustness.sn_b0_n1_gan())


def sn_b0_n1_ssgan() -> RunConfig:
    """SS-GAN, spectral norm, betas (0, 0.9), n_dis 1.

        ssgan train robustness_imagenet:sn_b0_n1_ssgan --data folder:PATH

    Published: FID 86.09 +- 7.66 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 288 images a step. Not run at this scale.
    """
    return _here(robustness.sn_b0_n1_ssgan())


def sn_b0_n2_gan() -> RunConfig:
    """GAN, spectral norm, betas (0, 0.9), n_dis 2.

        ssgan train robustness_imagenet:sn_b0_n2_gan --data folder:PATH

    Published: FID 80.05 +- 1.33 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 320 images a step. Not run at this scale.
    """
    return _here(robustness.sn_b0_n2_gan())


def sn_b0_n2_ssgan() -> RunConfig:
    """SS-GAN, spectral norm, betas (0, 0.9), n_dis 2.

        ssgan train robustness_imagenet:sn_b0_n2_ssgan --data folder:PATH

    Published: FID 70.64 +- 0.31 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 464 images a step. Not run at this scale.
    """
    return _here(robustness.sn_b0_n2_ssgan())


def sn_b5_n1_gan() -> RunConfig:
    """GAN, spectral norm, betas (0.5, 0.999), n_dis 1.

        ssgan train robustness_imagenet:sn_b5_n1_gan --data folder:PATH

    Published: FID 201.94 +- 27.28 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 192 images a step. Not run at this scale.
    """
    return _here(robustness.sn_b5_n1_gan())


def sn_b5_n1_ssgan() -> RunConfig:
    """SS-GAN, spectral norm, betas (0.5, 0.999), n_dis 1.

        ssgan train robustness_imagenet:sn_b5_n1_ssgan --data folder:PATH

    Published: FID 99.97 +- 2.75 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 288 images a step. Not run at this scale.
    """
    return _here(robustness.sn_b5_n1_ssgan())
