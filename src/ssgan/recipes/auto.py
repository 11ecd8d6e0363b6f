"""Your own images: sizes, networks and batch chosen from the images and the machine."""

from dataclasses import replace

import torch

from ssgan.data.base import AbstractSource, DatasetInfo, HeaderStats
from ssgan.data.prepare import choose_size
from ssgan.methods.ssgan import SSGAN
from ssgan.models.base import AbstractDiscriminatorConfig, AbstractGeneratorConfig
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.models.sndcgan import SNDCGANDiscriminator, SNDCGANGenerator
from ssgan.runs.config import DataConfig, EvaluateConfig, OutputConfig, RunConfig

_SMALL = 5000  # pictures: below this D soon knows them by heart


def fit_recipe(
    source: AbstractSource, info: DatasetInfo | None = None
) -> tuple[RunConfig, list[str]]:
    """SS-GAN for this source, and a sentence for each choice.

        ssgan train --data folder:PATH

    Every choice is a setting and can be overridden. The source is opened unless an outline of it
    is given.
    """
    header_stats = source.open().header_stats() if info is None else info.header_stats
    accelerated = torch.accelerator.is_available()
    size, channels = choose_size(header_stats), 1 if header_stats.grey else 3
    generator, discriminator, network = _networks(size, accelerated)
    batch_size, small = _batch(header_stats), header_stats.num_pictures < _SMALL
    steps = 50_000 if accelerated else 5000
    config = RunConfig(
        method=SSGAN(),
        data=DataConfig(source=source, image_size=size, channels=channels),
        generator=generator,
        discriminator=discriminator,
        batch_size=batch_size,
        total_steps=steps,
        ema_halflife_steps=steps / 50,
        augment=small,
        output=OutputConfig(log_every=10, sample_every=250, checkpoint_every=250),
        evaluate=EvaluateConfig(
            every=500 if header_stats.num_images > 1 else 0,
            images=min(2000, 32 * batch_size),  # costs as much as a few steps
        ),
    )
    machine = "an accelerator" if accelerated else "a CPU"
    reasons = [
        "SS-GAN: needs no labels; --method GAN is the same without the rotation task",
        f"image size {size}: the median short side of {header_stats.num_images} images is "
        f"{header_stats.short_side} pixels",
        f"{'grey' if channels == 1 else 'colour'}: "
        + ("every image looked at is grey" if header_stats.grey else "there are coloured images"),
        f"{network}: fits {size} pixels on {machine}",
        f"batch size {batch_size}, {steps} steps",
        "differentiable augmentation: fewer than 5,000 pictures, which D would learn by heart"
        if small
        else "no augmentation: 5,000 pictures or more",
    ]
    return config, reasons


def _networks(
    size: int, accelerated: bool
) -> tuple[AbstractGeneratorConfig, AbstractDiscriminatorConfig, str]:
    """The paper's ResNet where it is affordable, SNDCGAN where it is not."""
    if accelerated and size <= 64:
        return ResNetGenerator(), ResNetDiscriminator(), "the paper's ResNet at full width"
    if size <= 48:
        return (
            ResNetGenerator(width=0.25, upsampling="nearest", shortcut="1x1"),
            ResNetDiscriminator(width=0.5, shortcut="1x1", pooling="sum"),
            "a ResNet with 64 channels and SNGAN's changes, which learns in fewer steps",
        )
    width = 1.0 if accelerated else 0.5
    share = "at full width" if accelerated else "at half width"
    return SNDCGANGenerator(width=width), SNDCGANDiscriminator(width=width), f"SNDCGAN {share}"


def _batch(header_stats: HeaderStats) -> int:
    """64, or the largest power of two not above the number of images, at least 4."""
    size = 64
    while size > max(header_stats.num_images, 4):
        size //= 2
    return size


def with_source(
    config: RunConfig, source: AbstractSource, info: DatasetInfo | None = None
) -> RunConfig:
    """A recipe on other images: its size stays, its channels follow the images."""
    header_stats = source.open().header_stats() if info is None else info.header_stats
    channels = 1 if header_stats.grey else 3
    return replace(config, data=replace(config.data, source=source, channels=channels))
