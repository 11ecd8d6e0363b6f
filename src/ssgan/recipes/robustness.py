"""Table 2 of the paper on CIFAR-10: how much SS-GAN and the GAN depend on the setting.

Nine rows of two methods: a gradient penalty of weight 1 or 10 without spectral norm, or spectral
norm without a penalty; Adam with betas (0, 0.9) or (0.5, 0.999); one or two updates of D a step.
The rest is `cifar10:ssgan`; that the rows with a penalty have the hinge loss is from memory of the
paper and not verified. FIDs are means and standard deviations over three seeds.

Names say the row: `gp10` the penalty's weight, `sn` spectral norm, `b0` and `b5` beta1, `n1` and
`n2` n_dis. The two of `sn_b0_n2` are `cifar10:gan` and `cifar10:ssgan`.
"""

from dataclasses import replace

from ssgan.methods.gan import GAN
from ssgan.methods.penalty import WGANGP
from ssgan.methods.ssgan import SSGAN
from ssgan.models.resnet import ResNetDiscriminator
from ssgan.recipes import cifar10
from ssgan.runs.config import AdamConfig, RunConfig

_B0 = AdamConfig(beta1=0.0, beta2=0.9)
_B5 = AdamConfig(beta1=0.5, beta2=0.999)


def _cell(method: GAN | SSGAN, adam: AdamConfig, updates: int) -> RunConfig:
    """A cell of the table; spectral norm where the method has no penalty."""
    return replace(
        cifar10.ssgan(),
        method=method,
        discriminator=ResNetDiscriminator(spectral=method.penalty is None),
        discriminator_updates=updates,
        generator_optimizer=adam,
        discriminator_optimizer=adam,
    )


def gp1_b0_n1_gan() -> RunConfig:
    """GAN, penalty of weight 1, betas (0, 0.9), n_dis 1.

        ssgan train robustness:gp1_b0_n1_gan

    Published: FID 121.05 +- 31.44 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 256 images a step. Not run at this scale.
    """
    return _cell(GAN(penalty=WGANGP(weight=1.0)), _B0, 1)


def gp1_b0_n1_ssgan() -> RunConfig:
    """SS-GAN, penalty of weight 1, betas (0, 0.9), n_dis 1.

        ssgan train robustness:gp1_b0_n1_ssgan

    Published: FID 25.8 +- 0.71 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 352 images a step. Not run at this scale.
    """
    return _cell(SSGAN(penalty=WGANGP(weight=1.0)), _B0, 1)


def gp1_b0_n2_gan() -> RunConfig:
    """GAN, penalty of weight 1, betas (0, 0.9), n_dis 2.

        ssgan train robustness:gp1_b0_n2_gan

    Published: FID 28.11 +- 0.66 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 448 images a step. Not run at this scale.
    """
    return _cell(GAN(penalty=WGANGP(weight=1.0)), _B0, 2)


def gp1_b0_n2_ssgan() -> RunConfig:
    """SS-GAN, penalty of weight 1, betas (0, 0.9), n_dis 2.

        ssgan train robustness:gp1_b0_n2_ssgan

    Published: FID 26.98 +- 0.54 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 592 images a step. Not run at this scale.
    """
    return _cell(SSGAN(penalty=WGANGP(weight=1.0)), _B0, 2)


def gp1_b5_n1_gan() -> RunConfig:
    """GAN, penalty of weight 1, betas (0.5, 0.999), n_dis 1.

        ssgan train robustness:gp1_b5_n1_gan

    Published: FID 78.54 +- 6.23 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 256 images a step. Not run at this scale.
    """
    return _cell(GAN(penalty=WGANGP(weight=1.0)), _B5, 1)


def gp1_b5_n1_ssgan() -> RunConfig:
    """SS-GAN, penalty of weight 1, betas (0.5, 0.999), n_dis 1.

        ssgan train robustness:gp1_b5_n1_ssgan

    Published: FID 25.89 +- 0.33 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 352 images a step. Not run at this scale.
    """
    return _cell(SSGAN(penalty=WGANGP(weight=1.0)), _B5, 1)


def gp10_b0_n1_gan() -> RunConfig:
    """GAN, penalty of weight 10, betas (0, 0.9), n_dis 1.

        ssgan train robustness:gp10_b0_n1_gan

    Published: FID 188.52 +- 64.54 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 256 images a step. Not run at this scale.
    """
    return _cell(GAN(penalty=WGANGP(weight=10.0)), _B0, 1)


def gp10_b0_n1_ssgan() -> RunConfig:
    """SS-GAN, penalty of weight 10, betas (0, 0.9), n_dis 1.

        ssgan train robustness:gp10_b0_n1_ssgan

    Published: FID 28.48 +- 0.68 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 352 images a step. Not run at this scale.
    """
    return _cell(SSGAN(penalty=WGANGP(weight=10.0)), _B0, 1)


def gp10_b0_n2_gan() -> RunConfig:
    """GAN, penalty of weight 10, betas (0, 0.9), n_dis 2.

        ssgan train robustness:gp10_b0_n2_gan

    Published: FID 29.11 +- 0.85 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 448 images a step. Not run at this scale.
    """
    return _cell(GAN(penalty=WGANGP(weight=10.0)), _B0, 2)


def gp10_b0_n2_ssgan() -> RunConfig:
    """SS-GAN, penalty of weight 10, betas (0, 0.9), n_dis 2.

        ssgan train robustness:gp10_b0_n2_ssgan

    Published: FID 27.74 +- 0.73 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 592 images a step. Not run at this scale.
    """
    return _cell(SSGAN(penalty=WGANGP(weight=10.0)), _B0, 2)


def gp10_b5_n1_gan() -> RunConfig:
    """GAN, penalty of weight 10, betas (0.5, 0.999), n_dis 1.

        ssgan train robustness:gp10_b5_n1_gan

    Published: FID 117.67 +- 17.46 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 256 images a step. Not run at this scale.
    """
    return _cell(GAN(penalty=WGANGP(weight=10.0)), _B5, 1)


def gp10_b5_n1_ssgan() -> RunConfig:
    """SS-GAN, penalty of weight 10, betas (0.5, 0.999), n_dis 1.

        ssgan train robustness:gp10_b5_n1_ssgan

    Published: FID 25.22 +- 0.38 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 352 images a step. Not run at this scale.
    """
    return _cell(SSGAN(penalty=WGANGP(weight=10.0)), _B5, 1)


def sn_b0_n1_gan() -> RunConfig:
    """GAN, spectral norm, betas (0, 0.9), n_dis 1.

        ssgan train robustness:sn_b0_n1_gan

    Published: FID 87.86 +- 3.44 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 192 images a step. Not run at this scale.
    """
    return _cell(GAN(), _B0, 1)


def sn_b0_n1_ssgan() -> RunConfig:
    """SS-GAN, spectral norm, betas (0, 0.9), n_dis 1.

        ssgan train robustness:sn_b0_n1_ssgan

    Published: FID 19.65 +- 0.9 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 288 images a step. Not run at this scale.
    """
    return _cell(SSGAN(), _B0, 1)


def sn_b0_n2_gan() -> RunConfig:
    """GAN, spectral norm, betas (0, 0.9), n_dis 2.

        ssgan train robustness:sn_b0_n2_gan

    Published: FID 20.24 +- 0.62 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 320 images a step. Not run at this scale.
    """
    return _cell(GAN(), _B0, 2)


def sn_b0_n2_ssgan() -> RunConfig:
    """SS-GAN, spectral norm, betas (0, 0.9), n_dis 2.

        ssgan train robustness:sn_b0_n2_ssgan

    Published: FID 17.88 +- 0.64 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 464 images a step. Not run at this scale.
    """
    return _cell(SSGAN(), _B0, 2)


def sn_b5_n1_gan() -> RunConfig:
    """GAN, spectral norm, betas (0.5, 0.999), n_dis 1.

        ssgan train robustness:sn_b5_n1_gan

    Published: FID 86.87 +- 8.03 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 192 images a step. Not run at this scale.
    """
    return _cell(GAN(), _B5, 1)


def sn_b5_n1_ssgan() -> RunConfig:
    """SS-GAN, spectral norm, betas (0.5, 0.999), n_dis 1.

        ssgan train robustness:sn_b5_n1_ssgan

    Published: FID 18.23 +- 0.56 (Table 2).
    Cost: 100,000 steps, batch 64, n_dis 1; D reads 288 images a step. Not run at this scale.
    """
    return _cell(SSGAN(), _B5, 1)
