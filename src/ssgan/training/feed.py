"""The batches of each update: real images by their place in the stream, keyed latents and labels.

All of it is a function of (config, data, step) and of a seed, which changes with every rollback.
"""

from collections.abc import Iterator
from copy import copy
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssgan.data.dataset import Dataset
from ssgan.ops.collective import num_ranks, rank
from ssgan.ops.pixels import from_uint8
from ssgan.ops.rng import Key, integers, permutation, uniform
from ssgan.runs.config import RunConfig
from ssgan.runs.precision import run_dtype
from ssgan.types import UNLABELLED, Batch, GeneratorInput, UserError


def select_labels(config: RunConfig, dataset: Dataset) -> NDArray[np.int64] | None:
    """The class number of every image, or UNLABELLED where it is hidden; None when none is used.

    Visible are the first `method.num_labelled` that have one in a permutation of the image numbers,
    keyed by the run's seed. The permutation reads no label (so it is not stratified): a hidden
    label has no influence at all, not even on which are hidden. Raises UserError when labels are
    hidden and a class is left with none.
    """
    if not config.method.conditional or dataset.labels is None:
        return None
    count = config.method.num_labelled(len(dataset))
    order = permutation(Key(config.seed, "labelled"), len(dataset)).numpy()
    hidden = order[dataset.labels[order] != UNLABELLED][count:]
    labels = dataset.labels.copy()
    labels[hidden] = UNLABELLED
    bare = [name for number, name in enumerate(dataset.classes) if number not in labels]
    if len(hidden) and bare:
        raise UserError(
            f"{type(config.method).__name__} is given {count} of the "
            f"{len(dataset) - dataset.num_unlabelled} labels of "
            f"{config.data.source.name()}, none of them of class {', '.join(bare)}: raise "
            "method.labelled_fraction, or take another seed"
        )
    return labels


def our_parts(config: RunConfig) -> range:
    """The numbers of this rank's parts, of accumulation times ranks."""
    first = rank() * config.accumulation
    return range(first, first + config.accumulation)


class Feed:
    """Cuts every update's batch into parts: part p of P holds places p, p + P, p + 2 P, ...

    P is accumulation A times ranks, and rank r has the parts r A, ..., r A + A - 1. Each part has
    an equal share of the rotated rows at its own end, and the mean over parts is the mean over the
    batch. All ranks' a-th parts together are the a-th part of one process.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset,
        device: torch.device,
        seed: int | None = None,  # of everything random here; None: the config's
    ) -> None:
        self.config, self.dataset, self.device = config, dataset, device
        self.seed = config.seed if seed is None else seed
        self.dtype = run_dtype(config.precision)
        self.labels = select_labels(config, dataset)
        self.used = torch.from_numpy(dataset.used_classes())  # labels of fakes are drawn from these
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def with_seed(self, seed: int) -> "Feed":
        """The same images and labels with other random numbers, as after a rollback."""
        other = copy(self)
        other.seed, other._order = seed, lru_cache(maxsize=2)(other._shuffled)
        return other

    def discriminator(self, step: int, update: int) -> Iterator[tuple[Batch, GeneratorInput]]:
        """Real images and generator inputs, a pair a part, for one of D's updates in the step."""
        for index in self._parts(update):
            yield self._real(step, index), self._draw("D", step, index)

    def generator(self, step: int) -> Iterator[GeneratorInput]:
        """Generator inputs, one a part, for G's update: its own, or those of D's last update."""
        reused = self.config.reuse_fakes
        update = self.config.discriminator_updates - 1 if reused else 0
        for index in self._parts(update):
            yield self._draw("D" if reused else "G", step, index)

    def _parts(self, update: int) -> Iterator[Tensor]:
        size, parts = self.config.batch_size, self.config.accumulation * num_ranks()
        for part in our_parts(self.config):
            yield torch.arange(update * size + part, (update + 1) * size, parts)

    def _draw(self, update_of: str, step: int, index: Tensor) -> GeneratorInput:
        last = (self.config.discriminator_updates - 1) * self.config.batch_size

        def key(purpose: str) -> Key:
            return Key(self.seed, f"{purpose} for {update_of}", step)

        latents = self.config.generator.sample_latents(key("latents"), index)
        labels = None
        if self.config.method.conditional:
            labels = self.used[integers(key("labels"), index, len(self.used))].to(self.device)
        mixing = uniform(key("mixing"), index, 1)[:, 0]

        def noise(size: int) -> Tensor:
            return uniform(key("noise"), index, size).to(self.device)

        return GeneratorInput(
            latents.to(self.device, self.dtype),
            labels,
            index,
            self.config.batch_size,
            mixing.to(self.device),
            noise,
            partial(self._real, step, last + index % self.config.batch_size),
        )

    def _real(self, step: int, index: Tensor) -> Batch:
        config = self.config
        places = step * config.discriminator_updates * config.batch_size + index
        numbers = np.array([self._number(place) for place in places.tolist()])
        pixels = torch.from_numpy(self.dataset.batch(numbers)).to(self.device)
        images = from_uint8(pixels.permute(0, 3, 1, 2), self.dtype)  # channels_last by nature
        if config.data.mirror:
            heads = uniform(Key(self.seed, "mirror", step), index, 1)[:, 0] < 0.5
            images = torch.where(heads.to(self.device)[:, None, None, None], images.flip(3), images)
        labels = None
        if self.labels is not None:
            labels = torch.from_numpy(self.labels[numbers]).to(self.device)
        return Batch(images, labels, index, config.batch_size)

    def _number(self, place: int) -> int:
        """The number of the image at a place of the endless stream, in a new order every epoch."""
        epoch, within = divmod(place, len(self.dataset))
        return int(self._order(epoch)[within])

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        return permutation(Key(self.seed, "order", epoch), len(self.dataset)).numpy()
