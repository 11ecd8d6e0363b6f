"""A recipe for the user's images: size, networks and batch size from the images and the machine."""

from dataclasses import replace

import torch

from ssgan.data.base import AbstractSource, DatasetInfo, HeaderStats
from ssgan.data.prepare import choose_size
from ssgan.methods.ssgan import SSGAN
from ssgan.models.base import AbstractDiscriminatorConfig, AbstractGeneratorConfig
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.models.sndcgan import SNDCGANDiscriminator, SNDCGANGenerator
from ssgan.runs.config import DataConfig, EvaluateConfig, OutputConfig, RunConfig

_SMALL = 5000  # pictures; D soon memorizes fewer


def fit_recipe(
    source: AbstractSource, info: DatasetInfo | None = None
) -> tuple[RunConfig, list[str]]:
    """SS-GAN for this source, and one sentence per choice.

        ssgan train --data folder:PATH

    Every choice is a setting and can be overridden. Without `info` the source is opened.
    """
    stats = _header_stats(source, info)
    accelerated = torch.accelerator.is_available()
    size, channels = choose_size(stats), 1 if stats.grey else 3
    generator, discriminator, network = _choose_networks(size, accelerated)
    batch_size, small = _choose_batch_size(stats), stats.num_pictures < _SMALL
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
            every=500 if stats.num_images > 1 else 0,
            images=min(2000, 32 * batch_size),  # costs as much as a few steps
        ),
    )
    machine = "an accelerator" if accelerated else "a CPU"
    reasons = [
        "SS-GAN: needs no labels; --method GAN trains without the rotation task",
        f"image size {size}: the median short side of {stats.num_images} images is "
        f"{stats.short_side} pixels",
        "grey: all images that were read are grey"
        if stats.grey
        else "color: some images have color",
        f"{network}: fits {size} pixels on {machine}",
        f"batch size {batch_size}, {steps} steps",
        "differentiable augmentation: D would memorize fewer than 5,000 pictures"
        if small
        else "no augmentation: 5,000 pictures or more",
    ]
    if stats.num_images < 2:
        reasons.append("no evaluation: it compares with at least 2 images")
    return config, reasons


def _choose_networks(
    size: int, accelerated: bool
) -> tuple[AbstractGeneratorConfig, AbstractDiscriminatorConfig, str]:
    """The paper's ResNet where it is affordable, otherwise SNDCGAN; and the choice in words."""
    if accelerated and size <= 64:
        return ResNetGenerator(), ResNetDiscriminator(), "the paper's ResNet at full width"
    if size <= 48:
        return (
            ResNetGenerator(width=0.25, upsampling="nearest", shortcut="1x1"),
            ResNetDiscriminator(width=0.5, shortcut="1x1", pooling="sum"),
            "a ResNet with 64 channels and SNGAN's changes, which needs fewer steps",
        )
    width = 1.0 if accelerated else 0.5
    words = "SNDCGAN at full width" if accelerated else "SNDCGAN at half width"
    return SNDCGANGenerator(width=width), SNDCGANDiscriminator(width=width), words


def _choose_batch_size(stats: HeaderStats) -> int:
    """64, or the largest power of two not above the number of images, at least 4."""
    size = 64
    while size > max(stats.num_images, 4):
        size //= 2
    return size


def with_source(
    config: RunConfig, source: AbstractSource, info: DatasetInfo | None = None
) -> RunConfig:
    """A recipe with another source: the size stays, the channels are those of the images."""
    channels = 1 if _header_stats(source, info).grey else 3
    return replace(config, data=replace(config.data, source=source, channels=channels))


def _header_stats(source: AbstractSource, info: DatasetInfo | None) -> HeaderStats:
    return source.open().header_stats() if info is None else info.header_stats
