"""Sets of images to compare: images by number, as pixels, with the identity of their content.

Image k of a set depends on (set, seed, k) alone. So the first n are the same however many are
requested, and interrupted work continues at any k.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from ssgan.data.dataset import Dataset
from ssgan.metrics.features import hash_weights
from ssgan.metrics.protocol import AS_TRAINED, Statistics
from ssgan.ops.pixels import to_uint8
from ssgan.ops.rng import Key, integers, permutation
from ssgan.runs.checkpoint import Checkpoint
from ssgan.runs.config_io import first_form
from ssgan.runs.sampling import load_generator, refresh_batch_statistics
from ssgan.types import ImageShape, UserError


class ImageSet(ABC):
    """Images of one kind, numbered from 0."""

    name: str  # for people
    shape: ImageShape
    available: int | None  # number of images; None: unlimited, and others for another seed
    split: str  # "train", "test" or "all"; "generated" for a run's samples
    batch_norm = AS_TRAINED  # as in a protocol
    fit = "crop"  # how pictures became squares

    @property
    def redrawable(self) -> bool:
        """Whether another seed gives other images."""
        return self.available is None

    @abstractmethod
    def content(self, seed: int) -> str:
        """The identity of every pixel: equal for equal images, and different for others."""

    @abstractmethod
    def images(self, seed: int, numbers: Int[Tensor, " B"]) -> UInt8[Tensor, "B C S S"]:
        """The images of these numbers, 0 to 255."""

    def selection(self, count: int) -> str:
        """How the first `count` images were chosen, for a protocol."""
        return "all" if self.available in (None, count) else "first of keyed permutation 0"

    def batches(self, count: int, size: int) -> Iterator[UInt8[Tensor, "B C S S"]]:
        """The first `count` images of seed 0, `size` at a time."""
        for start in range(0, count, size):
            yield self.images(0, torch.arange(start, min(start + size, count)))


class StoredStatistics(NamedTuple):
    """Statistics of real images, in place of the images."""

    name: str
    statistics: Statistics


class RealImages(ImageSet):
    """Prepared images, in one fixed random order: the first n are a fair choice."""

    def __init__(self, dataset: Dataset, split: str = "all") -> None:
        self.dataset, self.split = dataset, split
        self.name = str(dataset.manifest.get("source", "real images"))
        self.available = len(dataset)
        self.fit = str(dataset.manifest.get("fit", "crop"))
        self.shape = ImageShape(dataset.images.shape[-1], dataset.images.shape[1])
        self._order = permutation(Key(0, "evaluation"), len(dataset))

    def content(self, seed: int) -> str:
        """The data set's content hash: there is one order, whatever the seed."""
        return self.dataset.content_hash

    def images(self, seed: int, numbers: Int[Tensor, " B"]) -> UInt8[Tensor, "B C S S"]:
        """The images at these places of the order."""
        pixels = self.dataset.batch(self._order[numbers].numpy())
        return torch.from_numpy(pixels).permute(0, 3, 1, 2)


class GeneratedImages(ImageSet):
    """Samples of the averaged generator of a checkpoint; labels, if any, are uniform.

    With `refreshed`, the statistics of its batch norms are computed again from that many samples
    here; `progress` gets (samples done, samples in total).
    """

    split, available = "generated", None

    def __init__(
        self,
        name: str,
        checkpoint: Checkpoint,
        device: torch.device,
        refreshed: int = 0,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.name, self.shape = name, checkpoint.config.data.shape
        self.checkpoint, self._device = checkpoint, device
        self._generator = load_generator(checkpoint, device)
        if refreshed:
            count = refresh_batch_statistics(self._generator, checkpoint, refreshed, progress)
            self.batch_norm = f"mean of {count:,} samples"
        config = checkpoint.config
        self._classes = checkpoint.num_classes if config.method.conditional else 0
        words = json.dumps([first_form(config.generator), list(self.shape), self._classes])
        tensors = [v for v in checkpoint.tensors["generator_ema"].values() if torch.is_tensor(v)]
        self.identity = hash_weights(f"generator {words}", tensors)
        self._pixels_of = self.identity + (f" {self.batch_norm}" if refreshed else "")

    def content(self, seed: int) -> str:
        """The identity of the generator (sha256 of its settings and weights) and the seed."""
        return f"{self._pixels_of} seed {seed}"

    @torch.no_grad()
    def images(self, seed: int, numbers: Int[Tensor, " B"]) -> UInt8[Tensor, "B C S S"]:
        """Images of keyed latents; UserError when one holds NaN or infinity."""
        spec = self.checkpoint.config.generator
        weight = next(self._generator.parameters())
        latents = spec.sample_latents(Key(seed, "evaluation latents"), numbers)
        labels = None
        if self._classes:
            labels = integers(Key(seed, "evaluation labels"), numbers, self._classes)
            labels = labels.to(self._device)
        samples = self._generator(latents.to(self._device, weight.dtype), labels)
        finite = samples.isfinite().flatten(1).all(dim=1)
        if not finite.all():
            first = int(numbers[int((~finite).nonzero()[0])])
            raise UserError(
                f"{self.name}: image {first} of seed {seed} holds NaN or infinity; the weights of "
                "this state are useless, evaluate an earlier one (--step N)"
            )
        return to_uint8(samples).cpu()
