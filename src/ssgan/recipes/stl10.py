"""STL-10's unlabelled images at 48 pixels, with the authors' networks for that size.

The paper has no experiment on STL-10; its code has the networks (`resnet_stl`) but not the data.
The schedule is torch-mimicry's: n_dis 5, learning rate decaying linearly to 0, hinge loss, Adam
2e-4 with betas (0, 0.9), batch 64, 100,000 steps. Its FIDs are for other networks, with 50,000
generated against 50,000 training images; +- is the spread of three evaluations of one model.
"""

from dataclasses import replace

from ssgan.data.base import UserProvided
from ssgan.methods.gan import GAN
from ssgan.models.resnet import ResNetSTLDiscriminator, ResNetSTLGenerator
from ssgan.recipes import mimicry
from ssgan.runs.config import DataConfig, RunConfig

DATA = DataConfig(source=UserProvided("STL-10's unlabelled images"), image_size=48)


def ssgan() -> RunConfig:
    """SS-GAN on STL-10.

        ssgan train stl10:ssgan --data folder:PATH

    Published: FID 37.06 +- 0.19 (mimicry's README).
    Cost: 100,000 steps, batch 64, n_dis 5; D reads 992 images a step. Not run at this scale.
    """
    return replace(
        mimicry.ssgan(),
        data=DATA,
        generator=ResNetSTLGenerator(),
        discriminator=ResNetSTLDiscriminator(),
    )


def gan() -> RunConfig:
    """The unconditional GAN: SS-GAN without the rotation losses.

        ssgan train stl10:gan --data folder:PATH

    Published: FID 39.56 +- 0.10 (mimicry's README).
    Cost: 100,000 steps, batch 64, n_dis 5; D reads 704 images a step. Not run at this scale.
    """
    return replace(ssgan(), method=GAN())
