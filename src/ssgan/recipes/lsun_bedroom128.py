"""LSUN-Bedroom at 128 pixels: the paper's networks and settings, without labels.

The settings are those of `imagenet128` with 100,000 steps, which a secondary source gives. n_dis 2
is that of the paper's main CIFAR-10 runs; none was found for this data set. The FIDs are from Table
1, the best of three seeds. About 1% of the training images, 30,000, are held out. The authors' code
crops the central 128 x 128 pixels without resizing (docs/preprocessing.md describes both).
"""

from dataclasses import replace

from ssgan.data.base import UserProvided
from ssgan.recipes import imagenet128
from ssgan.runs.config import DataConfig, EvaluateConfig, OutputConfig, RunConfig

DATA = DataConfig(
    source=UserProvided("LSUN-Bedroom's training images but the 30,000 held out"), image_size=128
)


def ssgan() -> RunConfig:
    """SS-GAN on LSUN-Bedroom.

        ssgan train lsun_bedroom128:ssgan --data folder:PATH

    Published: best FID 13.66 (Table 1).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 464 images a step. Not run at this scale.
    """
    return _on_bedroom(imagenet128.ssgan())


def ssgan_sbn() -> RunConfig:
    """SS-GAN with self-modulated batch norm in G.

        ssgan train lsun_bedroom128:ssgan_sbn --data folder:PATH

    Published: best FID 13.30 (Table 1).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 464 images a step. Not run at this scale.
    """
    return _on_bedroom(imagenet128.ssgan_sbn())


def gan() -> RunConfig:
    """The unconditional GAN: SS-GAN without the rotation losses.

        ssgan train lsun_bedroom128:gan --data folder:PATH

    Published: best FID 16.02 (Table 1).
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 320 images a step. Not run at this scale.
    """
    return _on_bedroom(imagenet128.gan())


def rotation_only() -> RunConfig:
    """The rotation task without adversarial losses.

        ssgan train lsun_bedroom128:rotation_only --data folder:PATH

    Published: no number found.
    Cost: 100,000 steps, batch 64, n_dis 2; D reads 192 images a step. Not run at this scale.
    """
    return _on_bedroom(imagenet128.rotation_only())


def _on_bedroom(config: RunConfig) -> RunConfig:
    output = OutputConfig(log_every=100, sample_every=5000, checkpoint_every=1000)
    evaluate = EvaluateConfig(every=5000)
    return replace(config, data=DATA, total_steps=100_000, output=output, evaluate=evaluate)
