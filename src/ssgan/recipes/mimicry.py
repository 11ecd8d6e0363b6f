"""CIFAR-10 as torch-mimicry trains it: the independent implementation to compare with.

Its setting is n_dis 5 with the learning rate falling linearly to 0, hinge loss, Adam 2e-4 with
betas (0, 0.9), batch 64, 100,000 steps; for its reproduction of the paper n_dis 2 without decay.
FIDs are its README's; +- is the spread of three measurements of one model, not of training again.
Its networks are SNGAN's: `shortcut="1x1"` and `pooling="sum"` here. These differences stay:

- up by its nearest neighbour where mimicry is bilinear (G has the same 4,276,739 weights);
- D's first block is as the others, and its last two have a 1x1 shortcut (1,087,365 weights with the
  rotation head, mimicry's 1,054,341);
- weights start from normal(0, 0.02), not Xavier's distribution, and D reads [0, 1], not [-1, 1];
- the last quarter of a batch is seen in all four turns, where mimicry turns each quarter of the
  batch by one angle.
"""

from dataclasses import replace

from ssgan.methods.gan import GAN
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.recipes import cifar10
from ssgan.runs.config import RunConfig


def ssgan() -> RunConfig:
    """SS-GAN with n_dis 5 and decay.

        ssgan train mimicry:ssgan

    Published: FID 14.65 +- 0.04 (50,000 / 50,000, against the training images).
    Cost: 100,000 steps, batch 64, n_dis 5; D reads 992 images a step. Not run at this scale.
    """
    return replace(ssgan_paper(), discriminator_updates=5, learning_rate_decay="linear")


def gan() -> RunConfig:
    """The unconditional GAN (SNGAN) with n_dis 5 and decay.

        ssgan train mimicry:gan

    Published: FID 16.77 +- 0.04 (50,000 / 50,000, against the training images).
    Cost: 100,000 steps, batch 64, n_dis 5; D reads 704 images a step. Not run at this scale.
    """
    return replace(ssgan(), method=GAN())


def ssgan_paper() -> RunConfig:
    """SS-GAN as mimicry reproduces the paper: n_dis 2, no decay.

        ssgan train mimicry:ssgan_paper

    Published: FID 17.61 +- 0.14 (10,000 / 10,000), where the paper has 17.88 +- 0.64.
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 464 images a step. Not run at this scale.
    """
    return replace(
        cifar10.ssgan(),
        generator=ResNetGenerator(upsampling="nearest", shortcut="1x1"),
        discriminator=ResNetDiscriminator(shortcut="1x1", pooling="sum"),
    )
