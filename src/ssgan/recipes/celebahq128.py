"""CelebA-HQ at 128 pixels. The rotation task does not help here: every face is upright.

The settings are those of `lsun_bedroom128`, with 27,000 training and 3,000 held-out images
(docs/datasets.md). The FIDs are from Table 1: the best of three seeds, 3,000 generated images
against the held-out ones.
"""

from dataclasses import replace

from ssgan.data.base import UserProvided
from ssgan.recipes import lsun_bedroom128
from ssgan.runs.config import DataConfig, RunConfig

DATA = DataConfig(source=UserProvided("27,000 of CelebA-HQ's 30,000 images"), image_size=128)


def ssgan() -> RunConfig:
    """SS-GAN on CelebA-HQ.

        ssgan train celebahq128:ssgan --data folder:PATH

    Published: best FID 26.11 (Table 1).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 464 images a step. Not run at this scale.
    """
    return replace(lsun_bedroom128.ssgan(), data=DATA)


def ssgan_sbn() -> RunConfig:
    """SS-GAN with self-modulated batch norm in G.

        ssgan train celebahq128:ssgan_sbn --data folder:PATH

    Published: best FID 24.36 (Table 1).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 464 images a step. Not run at this scale.
    """
    return replace(lsun_bedroom128.ssgan_sbn(), data=DATA)


def gan() -> RunConfig:
    """The unconditional GAN: SS-GAN without the rotation losses.

        ssgan train celebahq128:gan --data folder:PATH

    Published: best FID 23.77 (Table 1).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 320 images a step. Not run at this scale.
    """
    return replace(lsun_bedroom128.gan(), data=DATA)


def rotation_only() -> RunConfig:
    """The rotation task without adversarial losses.

        ssgan train celebahq128:rotation_only --data folder:PATH

    Published: no number found.
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 192 images a step. Not run at this scale.
    """
    return replace(lsun_bedroom128.rotation_only(), data=DATA)
