"""Small runs to be probed, and labelled images that D can tell apart."""

from pathlib import Path

import numpy as np
import torch

from ssgan.data.dataset import Dataset
from ssgan.evaluation.probe.maps import ProbedDiscriminator, list_states, open_discriminator
from tests.training.tiny import images, tiny, to_the_end
from tests.training.tiny import with_output as writing

STEPS = 2
CPU = torch.device("cpu")


def finished_run(root: Path, name: str = "ssgan", **changes: object) -> Path:
    """A run of two steps that keeps the state of each."""
    config = tiny(name, total_steps=STEPS, **changes)
    to_the_end(writing(config, checkpoint_every=2, snapshot_every=1), root, images())
    return root


def subject_of(root: Path, steps: str | None = None) -> ProbedDiscriminator:
    """The D of the newest state, or of one step."""
    return open_discriminator(list_states(root, steps)[0], CPU)


def patches(count: int, seed: int = 0, classes: int = 3, size: int = 32) -> Dataset:
    """Noise with one brighter corner; which one is the class. Easy for any map with places."""
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, 120, (count, size, size, 3), dtype=np.uint8)
    labels = np.arange(count, dtype=np.int64) % classes
    for image, label in zip(pixels, labels, strict=True):
        y, x = divmod(int(label), 2)
        image[y * size // 2 :, x * size // 2 :][: size // 2, : size // 2] += 100
    names = tuple("abcdef"[:classes])
    manifest = {"source": f"patches {seed}", "num_images": count, "rejected": []}
    return Dataset(pixels, labels, names, f"patches {count} {seed} {classes}", manifest)
