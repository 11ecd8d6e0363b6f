"""What is measured: a network, a batch, a number of updates of D; and the machine that steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from benchmarks.timing import timed
from ssgan.data.dataset import Dataset
from ssgan.data.scenes.source import Scenes
from ssgan.methods.ssgan import SSGAN
from ssgan.models.base import AbstractDiscriminatorConfig, AbstractGeneratorConfig
from ssgan.models.biggan import BigGANDiscriminator, BigGANGenerator
from ssgan.models.layers import Conv2d
from ssgan.models.resnet import (
    ResNet5Discriminator,
    ResNet5Generator,
    ResNetDiscriminator,
    ResNetGenerator,
)
from ssgan.models.sndcgan import SNDCGANDiscriminator, SNDCGANGenerator
from ssgan.ops.kernels import amx, maps, normalize
from ssgan.runs.config import DataConfig, RunConfig
from ssgan.runs.precision import Precision, resolve_device
from ssgan.runs.state import fresh_state
from ssgan.training.feed import Feed
from ssgan.training.loop import resolve_config
from ssgan.training.networks import Networks
from ssgan.training.step import train_step
from ssgan.training.validation import check_activation_checkpointing

_Pair = tuple[AbstractGeneratorConfig, AbstractDiscriminatorConfig]
_LARGE = ("resnet5", "biggan")  # networks for images of 128 pixels
_NOISE_IMAGES = 512  # in the data set that steps are fed from
PRECISIONS = ("auto", "float32", "bfloat16")
WORDS = ("fused", "plain", "fresh", "reused", "recompute", "torch", *PRECISIONS)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing to measure; it can be sent to another process."""

    network: str = "resnet-laptop"  # a name of NETWORKS
    updates: int = 1  # of D before each of G (n_dis)
    batch: int = 64
    size: int | None = None  # side in pixels; None: the network's own
    width: float = 1.0  # multiplies the network's width once more
    precision: Precision = "auto"
    plain: bool = False  # every convolution as the operations it stands for
    reuse: bool = False  # G learns from the fakes of D's last update
    activation_checkpointing: bool = False  # residual blocks are computed anew in backward
    compile: bool = False  # both networks, with torch.compile
    kernels: bool = True  # operations in C where there are any
    device: str = "auto"  # as in RunConfig

    @property
    def pixels(self) -> int:
        """The side of an image."""
        return self.size or (128 if self.network in _LARGE else 32)

    def name(self) -> dict[str, object]:
        """What tells it from the others, as columns of a table."""
        return {"network": self.network, "n_dis": self.updates, "pixels": self.pixels}


def networks() -> dict[str, _Pair]:
    """Every pair of network settings, by name."""
    known: dict[str, _Pair] = {
        "resnet": (ResNetGenerator(), ResNetDiscriminator()),
        "resnet-laptop": (ResNetGenerator(width=0.25), ResNetDiscriminator(width=0.5)),
        "sndcgan": (SNDCGANGenerator(), SNDCGANDiscriminator()),
    }
    known["resnet5"] = (ResNet5Generator(), ResNet5Discriminator())
    known["biggan"] = (BigGANGenerator(), BigGANDiscriminator())
    like = ResNetGenerator(upsampling="nearest", shortcut="1x1")
    known["resnet-nearest"] = (like, ResNetDiscriminator(shortcut="1x1", pooling="sum"))
    return known


def variant(case: Case, name: str) -> Case:
    """The case with each word of `name`, joined by +, taken as what it changes."""
    for word in name.split("+"):
        if word in ("fused", "plain"):
            case = replace(case, plain=word == "plain")
        elif word in ("fresh", "reused"):
            case = replace(case, reuse=word == "reused")
        elif word == "recompute":
            case = replace(case, activation_checkpointing=True)
        elif word == "torch":
            case = replace(case, kernels=False)
        elif word in networks():
            case = replace(case, network=word)
        elif word in PRECISIONS:
            case = replace(case, precision=word)
        else:
            known = ", ".join((*WORDS, *networks()))
            raise SystemExit(f"no variant {word!r}; there are {known}, joined by +")
    return case


def config_of(case: Case) -> RunConfig:
    """SS-GAN with the case's networks, on the case's device."""
    generator, discriminator = networks()[case.network]
    return resolve_config(
        RunConfig(
            method=SSGAN(),
            data=DataConfig(source=Scenes(), image_size=case.pixels),
            generator=scaled(generator, case.width),
            discriminator=scaled(discriminator, case.width),
            total_steps=1_000_000,
            batch_size=case.batch,
            discriminator_updates=case.updates,
            ema_halflife_steps=100.0,
            precision=case.precision,
            reuse_fakes=case.reuse,
            activation_checkpointing=case.activation_checkpointing,
            compile=case.compile,
            device=case.device,
        )
    )


def noise(config: RunConfig, count: int = _NOISE_IMAGES) -> Dataset:
    """Images without meaning, in memory."""
    data = config.data
    shape = (count, data.image_size, data.image_size, data.channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return Dataset(pixels, None, (), "noise", {"num_images": count})


class Stepper:
    """Everything that a step needs, and the step."""

    def __init__(self, case: Case) -> None:
        if not case.kernels:  # in this process, for good
            amx.find_amx = maps.find_avx512 = normalize.find_avx512 = lambda: None
        self.config = config_of(case)
        self.device = resolve_device(self.config.device)
        self.state = fresh_state(self.config, 0, self.device)
        check_activation_checkpointing(self.config, self.state)
        for network in (self.state.generator, self.state.discriminator):
            for layer in network.modules():
                if isinstance(layer, Conv2d):
                    layer.fused = not case.plain
        self.feed = Feed(self.config, noise(self.config), self.device)
        self.networks = Networks(self.config, self.state, self.device)

    def step(self) -> float:
        """Train by one step; the seconds it took."""
        return timed(self.take, self.device)

    def take(self) -> dict[str, Tensor]:
        """Train by one step; the terms of both losses."""
        return train_step(self.state, self.feed, self.networks, self.config)

    @contextmanager
    def discriminator_images(self) -> Iterator[list[int]]:
        """Within, the list grows by the number of images of every forward pass of D."""
        seen: list[int] = []
        network = self.state.discriminator
        hook = network.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
        try:
            yield seen
        finally:
            hook.remove()


def reset_peak(device: torch.device) -> None:
    """Count an accelerator's peak memory from now on."""
    if device.type != "cpu":
        torch.accelerator.reset_peak_memory_stats(device)


def scaled(spec: object, width: float) -> object:
    """The settings of a network with that share of its channels."""
    return spec if width == 1 else replace(spec, width=spec.width * width)
