"""A recipe for the user's images: size, networks and batch size from the images and the machine."""

from dataclasses import replace
from typing import NamedTuple

import torch

from ssgan.config.schema import value_text
from ssgan.config.serialize import difference
from ssgan.data.base import AbstractSource, DatasetInfo, HeaderStats
from ssgan.data.prepare import SIZES, choose_size
from ssgan.methods.ssgan import SSGAN
from ssgan.models.base import AbstractDiscriminatorConfig, AbstractGeneratorConfig
from ssgan.models.biggan import (
    GENERATOR_MULTIPLIERS,
    BigGANDiscriminator,
    BigGANGenerator,
)
from ssgan.models.norms import SelfModulatedBatchNorm
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.models.sndcgan import SNDCGANDiscriminator, SNDCGANGenerator
from ssgan.runs.config import AdamConfig, DataConfig, EvaluateConfig, OutputConfig, RunConfig
from ssgan.types import UserError

_COLOURS = {1: "grey", 3: "color", 4: "color with transparency"}  # by channels
_SMALL = 5000  # pictures; D soon memorizes fewer
_LARGEST_ON_CPU = 64  # pixels; two cores take 0.24 s a step there, and 4.9 s at 128
_LARGE = 128  # pixels; above, networks and batches are chosen for the memory that they take
GIVEN_SIZES = (
    *sorted({*SIZES, 96, *GENERATOR_MULTIPLIERS}),
)  # for which networks are chosen, in pixels


class Choice(NamedTuple):
    """The networks for a size, and how they are trained."""

    generator: AbstractGeneratorConfig
    discriminator: AbstractDiscriminatorConfig
    words: str  # the networks in words
    batch_size: int = 64  # at most
    learning_rate: float = 2e-4  # of both networks
    steps: int = 5000


def fit_recipe(
    source: AbstractSource, info: DatasetInfo | None = None, size: int | None = None
) -> tuple[RunConfig, list[str]]:
    """SS-GAN for this source, and one sentence per choice.

        ssgan train --data folder:PATH

    Every choice is a setting and can be overridden; `explain_choices` then says what will run.
    Without `info` the source is opened; without `size`, a side in pixels, it is chosen. Raises
    UserError for a size that no network has.
    """
    stats = _header_stats(source, info)
    size, channels = size or choose_training_size(stats), 1 if stats.grey else 3
    choice = choose_networks(size, torch.accelerator.is_available())
    adam = AdamConfig(learning_rate=choice.learning_rate)
    batch_size = _choose_batch_size(stats, choice.batch_size)
    small = stats.num_pictures < _SMALL
    config = RunConfig(
        method=SSGAN(),
        data=DataConfig(source=source, image_size=size, channels=channels),
        generator=choice.generator,
        discriminator=choice.discriminator,
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        batch_size=batch_size,
        total_steps=choice.steps,
        ema_halflife_steps=choice.steps / 50,
        augment=small,
        output=OutputConfig(log_every=10, sample_every=250, checkpoint_every=250),
        evaluate=EvaluateConfig(
            every=500 if stats.num_images > 1 else 0,
            images=min(2000, 32 * batch_size),  # costs as much as a few steps
        ),
    )
    return config, explain_choices(config, config, stats)


def choose_training_size(stats: HeaderStats) -> int:
    """The side in pixels that suits the images and this machine, as `fit_recipe` chooses it.

    On a CPU it is at most 64, so that samples show something within the first hour.
    """
    accelerated = torch.accelerator.is_available()
    return choose_size(stats) if accelerated else choose_size(stats, _LARGEST_ON_CPU)


def explain_choices(config: RunConfig, fitted: RunConfig, stats: HeaderStats) -> list[str]:
    """One sentence per choice, on the settings that will run.

    `fitted` is what `fit_recipe` chose for images with these stats. Where the user's own settings
    differ from it, the sentence says "as given" and no reason that no longer holds.
    """
    data, chosen = config.data, fitted.data
    steps = (
        _mark_given(f"batch size {config.batch_size}", config.batch_size != fitted.batch_size),
        _mark_given(f"{config.total_steps} steps", config.total_steps != fitted.total_steps),
        _explain_rates(config, fitted),
    )
    reasons = [
        _explain_method(config, fitted),
        _explain_size(config, fitted, stats),
        _explain(
            _COLOURS[data.channels],
            data.channels != chosen.channels,
            "all images that were read are grey" if stats.grey else "some images have color",
        ),
        _explain_networks(config, fitted),
        ", ".join(steps),
        _explain_augmentation(config, fitted, stats),
    ]
    if config.evaluate.every == 0 and fitted.evaluate.every == 0:
        reasons.append("no evaluation: it compares with at least 2 images")
    elif config.evaluate.every == 0:
        reasons.append("no evaluation (as given)")
    return reasons


def _explain_rates(config: RunConfig, fitted: RunConfig) -> str:
    rates = [
        (one.generator_optimizer.learning_rate, one.discriminator_optimizer.learning_rate)
        for one in (config, fitted)
    ]
    (of_g, of_d), given = rates[0], rates[0] != rates[1]
    text = f"learning rate {of_g:g}" if of_g == of_d else f"learning rates {of_g:g} and {of_d:g}"
    return _mark_given(text, given)


def _mark_given(choice: str, is_given: bool) -> str:
    return f"{choice} (as given)" if is_given else choice


def _explain(choice: str, is_given: bool, fact: str) -> str:
    """The choice with the fact it follows from; beside the user's own choice the fact stands."""
    return f"{choice} (as given); {fact}" if is_given else f"{choice}: {fact}"


def _explain_method(config: RunConfig, fitted: RunConfig) -> str:
    method, name = config.method, type(config.method).__name__
    if type(method) is type(fitted.method):
        return "SS-GAN: needs no labels; --method GAN trains without the rotation task"
    labels = "needs labels" if method.conditional else "needs no labels"
    task = "with" if method.predicts_rotation else "without"
    return f"{name} (as given): {labels}, trains {task} the rotation task"


def _explain_size(config: RunConfig, fitted: RunConfig, stats: HeaderStats) -> str:
    size, chosen = config.data.image_size, fitted.data.image_size
    fact = f"the median short side of {stats.num_images} images is {stats.short_side} pixels"
    if chosen < choose_size(stats):
        fact += f"; on a CPU at most {chosen} are chosen"
    return _explain(f"image size {size}", size != chosen, fact)


def _explain_networks(config: RunConfig, fitted: RunConfig) -> str:
    pairs = (
        (config.generator, fitted.generator),
        (config.discriminator, fitted.discriminator),
    )
    if any(network != chosen for network, chosen in pairs):
        return " and ".join(_describe_network(*pair) for pair in pairs)
    size, accelerated = config.data.image_size, torch.accelerator.is_available()
    network = choose_networks(size, accelerated).words
    return f"{network}: for {size} pixels on {'an accelerator' if accelerated else 'a CPU'}"


def _describe_network(network: object, chosen: object) -> str:
    """Its name, and the settings of it that the user gave."""
    name = type(network).__name__
    if network == chosen:
        return name
    if type(network) is not type(chosen):
        return f"{name} (as given)"
    changed = [f"{one.path} {value_text(one.new)}" for one in difference(chosen, network)]
    return f"{name} with {', '.join(changed)} (as given)"


def _explain_augmentation(config: RunConfig, fitted: RunConfig, stats: HeaderStats) -> str:
    choice = "differentiable augmentation" if config.augment else "no augmentation"
    fact = "5,000 pictures or more"
    if stats.num_pictures < _SMALL:
        fact = f"D {'would' if fitted.augment == config.augment else 'may'} memorize fewer than "
        fact += "5,000 pictures"
    return _explain(choice, config.augment != fitted.augment, fact)


def choose_networks(size: int, accelerated: bool) -> Choice:
    """The networks for a size and a machine.

    To 64 pixels on a CPU they are the best of a comparison at equal time (docs/results/folder.md).
    Raises UserError for a size, in pixels, that no network has.
    """
    if size not in GIVEN_SIZES:
        known = ", ".join(str(one) for one in GIVEN_SIZES)
        raise UserError(f"data.image_size {size}: no networks have this size; there are {known}")
    if size > _LARGE:
        return _choose_biggan(size, accelerated)
    if size <= 64:
        return _choose_resnet(size, accelerated)
    width, share, steps = (1.0, "full", 50_000) if accelerated else (0.5, "half", 5000)
    return Choice(
        SNDCGANGenerator(width=width),
        SNDCGANDiscriminator(width=width),
        f"SNDCGAN at {share} width",
        steps=steps,
    )


def _choose_resnet(size: int, accelerated: bool) -> Choice:
    if accelerated:
        words = "the paper's ResNet at full width"
        return Choice(ResNetGenerator(), ResNetDiscriminator(), words, steps=50_000)
    width = 0.25 if size <= 48 else 0.125
    norm = SelfModulatedBatchNorm()
    return Choice(
        ResNetGenerator(width=width, norm=norm, upsampling="nearest", shortcut="1x1"),
        SNDCGANDiscriminator(width=0.25),
        f"a ResNet generator of {256 * width:.0f} channels and SNDCGAN's discriminator at a "
        "quarter of its width",
        batch_size=32,
        learning_rate=8e-4,
        steps=10_000,
    )


def _choose_biggan(size: int, accelerated: bool) -> Choice:
    width, share = (0.5, "half") if accelerated else (0.25, "a quarter")
    attention = 48 if size % 3 == 0 else 64  # side of a map that these networks have
    return Choice(
        BigGANGenerator(
            latent_size=20 * len(GENERATOR_MULTIPLIERS[size]), width=width, attention=attention
        ),
        BigGANDiscriminator(width=width, attention=attention),
        f"BigGAN at {share} of its width",
        batch_size=32 if accelerated else 16,
        steps=50_000 if accelerated else 5000,
    )


def _choose_batch_size(stats: HeaderStats, most: int) -> int:
    """`most`, or the largest power of two not above the number of images, at least 4."""
    size = most
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
