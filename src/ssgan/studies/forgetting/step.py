"""What the classifier of a forgetting study is shown, how it learns, and what it is asked.

All of it is a function of (settings, data, step) and of the learner: nothing here has a state.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Adam

from ssgan.data.dataset import Dataset
from ssgan.evaluation.splits import Split
from ssgan.methods.forward import rotate, score
from ssgan.methods.rotation import rotation_loss
from ssgan.ops.modes import eval_mode
from ssgan.ops.pixels import from_uint8
from ssgan.ops.rng import Key, integers
from ssgan.ops.rotation import NUM_ROTATIONS, rotated_copies
from ssgan.ops.spectral_norm import advance_spectral_norm
from ssgan.runs.precision import run_dtype, to_device
from ssgan.studies.forgetting.settings import ForgettingSettings, Task
from ssgan.training.nonfinite import restore_buffers_on_error
from ssgan.training.step import descend
from ssgan.types import Batch, Discriminator, Images, Loss, Scores

NUM_ROTATED = 250  # held-out images whose turns are asked for, at most
_AT_ONCE = 250  # images in a forward pass of a measurement: memory, not results


@dataclass
class Learner:
    """The classifier and its optimizer: all that a study changes, and all a checkpoint holds."""

    network: nn.Module
    optimizer: Adam
    step: int = 0  # updates done


class Measured(NamedTuple):
    """What held-out images say of one task."""

    accuracy: float  # balanced: the mean of the two shares below
    class_recall: float  # share of the class's images that are taken for it
    rest_recall: float  # share of the others that are not
    loss: float  # of both sides, without the rotation loss
    rotation_accuracy: float | None  # share of all four turns recognised; None: not taught


def build_learner(settings: ForgettingSettings, device: torch.device) -> Learner:
    """The state before the first update; whether the rotation loss is on does not matter."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Key(settings.seed, "weights").words[0])
        network = settings.network.build(settings.preprocessing.shape, NUM_ROTATIONS, 0)
    network = to_device(network, device, run_dtype(settings.precision))
    adam = settings.optimizer
    betas = (adam.beta1, adam.beta2)
    optimizer = Adam(network.parameters(), lr=adam.learning_rate, betas=betas, fused=True)
    return Learner(network, optimizer)


class TaskImages:
    """The images of every batch and of every question, by task."""

    def __init__(self, settings: ForgettingSettings, parts: Split, device: torch.device) -> None:
        self.settings, self.parts, self.device = settings, parts, device
        self.dtype = run_dtype(settings.precision)
        self._sides = lru_cache(maxsize=2)(self._logit_separation)

    def batch(self, step: int) -> Batch:
        """Of the class at even places, others at odd ones: so every stretch has its half of both.

        Images are drawn evenly and with replacement, by keys of the seed and the step.
        """
        settings, count = self.settings, self.settings.batch_size // 2
        sides = self._sides(settings.task(step, len(self.parts.classes)).label)
        place = torch.arange(count)
        drawn = [
            side[integers(Key(settings.seed, purpose, step), place, len(side)).numpy()]
            for side, purpose in zip(sides, ("of the class", "of the others"), strict=True)
        ]
        rows = np.stack(drawn, axis=1).ravel()
        images = self._images(self.parts.train.dataset, rows)
        return Batch(images, None, torch.arange(2 * count), 2 * count)

    def asked(self, task: Task) -> tuple[Iterator[Images], Iterator[Images]]:
        """Held-out images of the class, and of the others, batch by batch."""
        test = self.parts.test
        own = test.rows[test.labels == task.label][: self.settings.asked]
        rest = test.rows[test.labels != task.label][: self.settings.asked]
        return self._batches(own), self._batches(rest)

    def to_rotate(self) -> Iterator[Images]:
        """Held-out images of all classes whose turns are asked for: always the same."""
        return self._batches(self.parts.test.rows[:NUM_ROTATED])

    def _logit_separation(self, label: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        train = self.parts.train
        own = train.labels == label
        return train.rows[own], train.rows[~own]

    def _batches(self, rows: NDArray[np.int64]) -> Iterator[Images]:
        for start in range(0, len(rows), _AT_ONCE):
            yield self._images(self.parts.test.dataset, rows[start : start + _AT_ONCE])

    def _images(self, dataset: Dataset, rows: NDArray[np.int64]) -> Images:
        pixels = torch.from_numpy(dataset.batch(rows)).to(self.device)
        return from_uint8(pixels.permute(0, 3, 1, 2), self.dtype)


def classifier_loss(settings: ForgettingSettings, scores: Discriminator, batch: Batch) -> Loss:
    """The loss of the class against the others, and of the turns if they are taught."""
    if settings.rotation == 0:
        (on_upright,) = score(scores, batch)
        told = settings.loss.discriminator(on_upright.real[0::2], on_upright.real[1::2])
        return Loss(told, {"class": told})
    rows = batch.last(settings.rotated_fraction)
    on_upright, on_rotated = score(scores, batch, rotate(batch, rows))
    told = settings.loss.discriminator(on_upright.real[0::2], on_upright.real[1::2])
    turns, _ = rotation_loss(on_upright.auxiliary[rows], on_rotated.auxiliary)
    return Loss(told + settings.rotation * turns, {"class": told, "rotation": turns})


def learn(learner: Learner, images: TaskImages) -> dict[str, Tensor]:
    """One update; returns the terms of its loss. Raises NonFinite and changes nothing for NaN."""
    settings = images.settings
    with restore_buffers_on_error(learner.network):
        advance_spectral_norm(learner.network)
        batch = images.batch(learner.step)
        loss = classifier_loss(settings, scorer(settings, learner.network), batch)
        terms = descend(learner.optimizer, iter([loss]), 1, "classifier")
    learner.step += 1
    return terms


def measure(learner: Learner, images: TaskImages, task: Task) -> Measured:
    """Ask about a task; the learner stays as it is, to the bit."""
    settings = images.settings
    scores = scorer(settings, learner.network)
    with eval_mode(learner.network):
        own, rest = (
            torch.cat([scores(some, None).real for some in side]) for side in images.asked(task)
        )
        loss = float(settings.loss.discriminator(own, rest))
        turns = None if settings.rotation == 0 else rotation_accuracy_of(scores, images.to_rotate())
    class_recall, rest_recall = class_recalls(own, rest)
    return Measured((class_recall + rest_recall) / 2, class_recall, rest_recall, loss, turns)


def class_recalls(own: Float[Tensor, " N"], rest: Float[Tensor, " M"]) -> tuple[float, float]:
    """Shares of the class's logits above 0, and of the others' that are not."""
    return float((own > 0).double().mean()), float((rest <= 0).double().mean())


def rotation_accuracy_of(scores: Discriminator, batches: Iterator[Images]) -> float:
    """The share recognised of all four turns of all images, each batch's turns at once."""
    right, count = 0.0, 0
    for upright in batches:
        on_upright, on_others = scores(upright, None), scores(rotated_copies(upright), None)
        _, share = rotation_loss(on_upright.auxiliary, on_others.auxiliary)
        right, count = right + float(share) * len(upright), count + len(upright)
    return right / count


def scorer(settings: ForgettingSettings, network: nn.Module) -> Discriminator:
    """The network in the study's precision; what comes out is in full precision."""

    def scores(images: Tensor, labels: Tensor | None) -> Scores:
        reduced = settings.precision == "bfloat16"
        with torch.autocast(images.device.type, torch.bfloat16, enabled=reduced):
            found = network(images.contiguous(memory_format=torch.channels_last), labels)
        return Scores(*(part.to(images.dtype) for part in found))

    return scores
