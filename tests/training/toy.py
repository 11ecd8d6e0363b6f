"""Networks of a few layers for 16 x 16 images: whole stories of training in seconds."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ssgan.data.base import Preprocessing
from ssgan.data.dataset import Dataset
from ssgan.data.scenes.source import Scenes
from ssgan.methods.base import Method
from ssgan.models.base import AbstractDiscriminatorConfig, AbstractGeneratorConfig
from ssgan.models.heads import Heads
from ssgan.models.layers import Conv2d, ConvTranspose2d, Linear
from ssgan.runs.config import AdamConfig, DataConfig, EvaluateConfig, OutputConfig, RunConfig
from ssgan.types import ImageShape, Scores

SIZE, CHANNELS = 16, 16


@dataclass(frozen=True, kw_only=True)
class ToyGenerator(AbstractGeneratorConfig):
    """Two doublings from 4 x 4."""

    latent_size: int = 16
    constant: bool = False  # whether it makes the same image whatever it is asked for

    def build(self, shape, num_classes):
        return Generator(self)


@dataclass(frozen=True, kw_only=True)
class ToyDiscriminator(AbstractDiscriminatorConfig):
    """Two halvings, a mean over space."""

    spectral: bool = True

    def build(self, shape, auxiliary_width, num_classes):
        return Discriminator(self, auxiliary_width)


class Generator(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.constant = config.constant
        self.first = Linear(config.latent_size, CHANNELS * 16)
        self.norm = nn.BatchNorm2d(CHANNELS)
        self.up = ConvTranspose2d(CHANNELS, CHANNELS)
        self.last = ConvTranspose2d(CHANNELS, 3)

    def forward(self, latents, labels=None):
        rows = self.first(latents * 0 if self.constant else latents)
        maps = F.relu(self.norm(rows.view(-1, CHANNELS, 4, 4)))
        return torch.tanh(self.last(F.relu(self.up(maps))))


class Discriminator(nn.Module):
    def __init__(self, config, auxiliary_width):
        super().__init__()
        widths = (3, CHANNELS, 2 * CHANNELS)
        self.convs = nn.ModuleList(
            Conv2d(widths[i], widths[i + 1], 4, stride=2, spectral=config.spectral)
            for i in range(2)
        )
        self.heads = Heads(16 * widths[-1], auxiliary_width, 0, config.spectral)

    def forward(self, images, labels=None) -> Scores:
        hidden = images
        for conv in self.convs:
            hidden = F.leaky_relu(conv(hidden), 0.1)
        return self.heads(hidden.flatten(1), labels)


def toy(method: Method, steps: int, **changes: object) -> RunConfig:
    """A run of such networks, evaluated ten times."""
    rate = AdamConfig(learning_rate=1e-3)
    config = RunConfig(
        method=method,
        data=DataConfig(source=Scenes(num_images=200), image_size=SIZE),
        generator=ToyGenerator(),
        discriminator=ToyDiscriminator(),
        total_steps=steps,
        batch_size=16,
        ema_halflife_steps=5.0,
        generator_optimizer=rate,
        discriminator_optimizer=rate,
        precision="float32",
        device="cpu",
        output=OutputConfig(
            log_every=5, sample_every=0, checkpoint_every=steps // 10, tensorboard=False
        ),
        evaluate=EvaluateConfig(every=steps // 10, images=128, num_images_d=64),
    )
    return replace(config, **changes)


def small_scenes(count: int, seed: int = 0) -> Dataset:
    """Scenes at 16 x 16, drawn on the spot."""
    collection = Scenes(num_images=count, seed=seed).open()
    pixels = np.stack(list(collection.read(range(count), Preprocessing(shape=ImageShape(3, SIZE)))))
    labels = np.array(collection.labels(), np.int64)
    return Dataset(pixels, labels, collection.classes(), collection.fingerprint(), {})
