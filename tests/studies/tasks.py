"""Forgetting runs that take milliseconds, on images with distinct classes."""

from dataclasses import replace

import numpy as np

from ssgan.data.dataset import Dataset
from ssgan.data.scenes.source import Scenes
from ssgan.evaluation.splits import Split, split
from ssgan.models.resnet import ResNetDiscriminator
from ssgan.studies.forgetting.settings import ForgettingSettings
from tests.evaluation.probed import patches

TINY = ForgettingSettings(
    source=Scenes(num_images=40),  # a name alone: the images are given
    network=ResNetDiscriminator(width=1 / 32),
    batch_size=8,
    iterations_per_task=3,
    measure_every=2,
    test_images=10,
    precision="float32",
)


def tiny(**changes: object) -> ForgettingSettings:
    """Three iterations a class."""
    return replace(TINY, **changes)


def corners(seed: int = 0) -> Split:
    """Three classes: which corner is brighter; 24 images to learn from, 15 to test on."""
    return split(patches(24), patches(15, seed=seed + 1), seed)


def numbered(count: int = 60, classes: int = 3) -> Dataset:
    """Image i is all of brightness i; class 0 has half of them, the others share the rest."""
    pixels = np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(32, 1).repeat(32, 2)
    numbers = np.arange(count, dtype=np.int64)
    labels = np.where(numbers % 2 == 0, 0, 1 + numbers // 2 % (classes - 1))
    names = tuple("abcdef"[:classes])
    return Dataset(pixels.repeat(3, 3), labels, names, f"numbered {count}", {"source": "numbered"})
