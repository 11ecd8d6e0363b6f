"""CIFAR-10 with the settings of torch-mimicry, an independent implementation.

Its settings are n_dis 5, learning rate decaying linearly to 0, hinge loss, Adam 2e-4 with betas
(0, 0.9), batch 64, 100,000 steps; to reproduce the paper it uses n_dis 2 without decay. The FIDs
are from its README; +- is the spread of three evaluations of one model, not of training runs. Its
networks are SNGAN's: `shortcut="1x1"` and `pooling="sum"` here. These differences remain:

- nearest upsampling, where mimicry's is bilinear (G has the same 4,276,739 weights);
- D's first block is like the others, and its last two have a 1x1 shortcut (1,087,365 weights with
  the rotation head, mimicry's 1,054,341);
- initial weights from normal(0, 0.02), not Xavier's distribution; D reads [0, 1], not [-1, 1];
- the last quarter of a batch in all four rotations, where mimicry rotates each quarter of the batch
  by one angle.
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
    """SS-GAN with mimicry's setting to reproduce the paper: n_dis 2, no decay.

        ssgan train mimicry:ssgan_paper

    Published: FID 17.61 +- 0.14 (10,000 / 10,000); the paper's is 17.88 +- 0.64.
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 464 images a step. Not run at this scale.
    """
    return replace(
        cifar10.ssgan(),
        generator=ResNetGenerator(upsampling="nearest", shortcut="1x1"),
        discriminator=ResNetDiscriminator(shortcut="1x1", pooling="sum"),
    )
