"""LSUN-Bedroom at 128 pixels: the paper's networks and settings, without labels.

As `imagenet128` but for the data and 100,000 steps (at second hand); n_dis 2 is that of the paper's
main CIFAR-10 runs, for this data set none was found. FIDs are Table 1's, the best of three seeds.
About 1% of the training images, 30,000, are held out; the authors' code cuts the centre 128 x 128
pixels out of a picture and does not resize it (docs/data.md says how to do either).
"""

from dataclasses import replace

from ssgan.data.base import UserProvided
from ssgan.recipes import imagenet128
from ssgan.runs.config import DataConfig, EvaluateConfig, OutputConfig, RunConfig

DATA = DataConfig(
    source=UserProvided("LSUN-Bedroom's training images but the 30,000 held out"), image_size=128
)


def ssgan() -> RunConfig:
    """SS-GAN.

        ssgan train lsun_bedroom128:ssgan --data folder:PATH

    Published: best FID 13.66 (Table 1).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 464 images a step. Not run at this scale.
    """
    return _here(imagenet128.ssgan())


def ssgan_sbn() -> RunConfig:
    """SS-GAN with self-modulated batch norm in G.

        ssgan train lsun_bedroom128:ssgan_sbn --data folder:PATH

    Published: best FID 13.30 (Table 1).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 464 images a step. Not run at this scale.
    """
    return _here(imagenet128.ssgan_sbn())


def gan() -> RunConfig:
    """The unconditional GAN: the same, without the rotation terms.

        ssgan train lsun_bedroom128:gan --data folder:PATH

    Published: best FID 16.02 (Table 1).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 320 images a step. Not run at this scale.
    """
    return _here(imagenet128.gan())


def rotation_only() -> RunConfig:
    """The rotation task without the game.

        ssgan train lsun_bedroom128:rotation_only --data folder:PATH

    Published: no number found.
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 192 images a step. Not run at this scale.
    """
    return _here(imagenet128.rotation_only())


def _here(config: RunConfig) -> RunConfig:
    output = OutputConfig(log_every=100, sample_every=5000, checkpoint_every=1000)
    evaluate = EvaluateConfig(every=5000)
    return replace(config, data=DATA, total_steps=100_000, output=output, evaluate=evaluate)
