"""The batches, the update and the measurements of the forgetting experiment.

Everything is a function of (settings, data, step) and of the learner.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ssgan.data.dataset import Dataset
from ssgan.evaluation.splits import Split
from ssgan.methods.forward import rotate, score
from ssgan.methods.rotation import rotation_loss
from ssgan.ops.adam import Adam
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

NUM_ROTATED = 250  # held-out images for the rotation accuracy, at most
_AT_ONCE = 250  # images in a forward pass of a measurement: affects memory, not results


@dataclass
class Learner:
    """The classifier and its optimizer: the whole state, as stored in a checkpoint."""

    network: nn.Module
    optimizer: Adam
    step: int = 0  # updates done

    def state_dicts(self) -> dict[str, dict[str, Any]]:
        """The tensors of a checkpoint."""
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}


class TaskMeasurement(NamedTuple):
    """Results of one task on held-out images."""

    accuracy: float  # balanced: the mean of the two recalls
    class_recall: float  # share of the class's images with a logit above 0
    rest_recall: float  # share of the other images with a logit of 0 or below
    loss: float  # of the class and the others, without the rotation loss
    rotation_accuracy: float | None  # over all four rotations; None: without the rotation loss


def build_learner(settings: ForgettingSettings, device: torch.device) -> Learner:
    """The initial state; it does not depend on the weight of the rotation loss."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Key(settings.seed, "weights").words[0])
        network = settings.network.build(settings.preprocessing.shape, NUM_ROTATIONS, 0)
    network = to_device(network, device, run_dtype(settings.precision))
    adam = settings.optimizer
    betas = (adam.beta1, adam.beta2)
    optimizer = Adam(network.parameters(), lr=adam.learning_rate, betas=betas, fused=True)
    return Learner(network, optimizer)


class TaskImages:
    """Training batches by step and test batches by task."""

    def __init__(self, settings: ForgettingSettings, parts: Split, device: torch.device) -> None:
        self.settings, self.parts, self.device = settings, parts, device
        self.dtype = run_dtype(settings.precision)
        self._training_rows = lru_cache(maxsize=2)(self._split_training_rows)

    def batch(self, step: int) -> Batch:
        """The class at even places, others at odd places, so that every stretch has half of both.

        Images are drawn uniformly with replacement, keyed by the seed and the step.
        """
        settings, count = self.settings, self.settings.batch_size // 2
        sides = self._training_rows(settings.task(step, len(self.parts.classes)).label)
        place = torch.arange(count)
        drawn = [
            side[integers(Key(settings.seed, purpose, step), place, len(side)).numpy()]
            for side, purpose in zip(sides, ("of the class", "of the others"), strict=True)
        ]
        images = self._images(self.parts.train.dataset, np.stack(drawn, axis=1).ravel())
        return Batch(images, None, torch.arange(2 * count), 2 * count)

    def test_batches(self, task: Task) -> tuple[Iterator[Images], Iterator[Images]]:
        """Held-out images of the class, and of the others, in batches."""
        test, count = self.parts.test, self.settings.test_images
        own = test.labels == task.label
        return self._batches(test.rows[own][:count]), self._batches(test.rows[~own][:count])

    def rotation_batches(self) -> Iterator[Images]:
        """Upright held-out images of all classes for the rotation accuracy, always the same."""
        return self._batches(self.parts.test.rows[:NUM_ROTATED])

    def _split_training_rows(self, label: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        train = self.parts.train
        own = train.labels == label
        return train.rows[own], train.rows[~own]

    def _batches(self, rows: NDArray[np.int64]) -> Iterator[Images]:
        for start in range(0, len(rows), _AT_ONCE):
            yield self._images(self.parts.test.dataset, rows[start : start + _AT_ONCE])

    def _images(self, dataset: Dataset, rows: NDArray[np.int64]) -> Images:
        pixels = torch.from_numpy(dataset.batch(rows)).to(self.device)
        return from_uint8(pixels.permute(0, 3, 1, 2), self.dtype)


def classifier_loss(
    settings: ForgettingSettings, discriminate: Discriminator, batch: Batch
) -> Loss:
    """The loss of the class against the others, plus the weighted rotation loss."""
    rows = batch.last(settings.rotated_fraction)
    rotated = [rotate(batch, rows)] if settings.rotation > 0 else []
    on_upright, *on_rotated = score(discriminate, batch, *rotated)
    class_loss = settings.loss.discriminator(on_upright.real[0::2], on_upright.real[1::2])
    if not on_rotated:
        return Loss(class_loss, {"class": class_loss})
    rotation, _ = rotation_loss(on_upright.auxiliary[rows], on_rotated[0].auxiliary)
    total = class_loss + settings.rotation * rotation
    return Loss(total, {"class": class_loss, "rotation": rotation})


def learn(learner: Learner, images: TaskImages) -> dict[str, Tensor]:
    """One update; returns its loss terms. Raises NonFinite for NaN, with the learner unchanged."""
    settings = images.settings
    with restore_buffers_on_error(learner.network):
        advance_spectral_norm(learner.network)
        batch = images.batch(learner.step)
        loss = classifier_loss(settings, as_discriminator(settings, learner.network), batch)
        terms = descend(learner.optimizer, iter([loss]), 1, "classifier")
    learner.step += 1
    return terms


def measure(learner: Learner, images: TaskImages, task: Task) -> TaskMeasurement:
    """Measure a task on held-out images; the learner stays the same, to the bit."""
    settings = images.settings
    discriminate = as_discriminator(settings, learner.network)
    with eval_mode(learner.network):
        own, rest = (
            torch.cat([discriminate(some, None).real for some in side])
            for side in images.test_batches(task)
        )
        loss = float(settings.loss.discriminator(own, rest))
        rotation = None
        if settings.rotation > 0:
            rotation = _rotation_accuracy(discriminate, images.rotation_batches())
    class_recall = float((own > 0).double().mean())
    rest_recall = float((rest <= 0).double().mean())
    accuracy = (class_recall + rest_recall) / 2
    return TaskMeasurement(accuracy, class_recall, rest_recall, loss, rotation)


def _rotation_accuracy(discriminate: Discriminator, batches: Iterator[Images]) -> float:
    """The accuracy over all four rotations of all images."""
    correct, count = 0.0, 0
    for upright in batches:
        on_upright = discriminate(upright, None)
        on_rotated = discriminate(rotated_copies(upright), None)
        _, accuracy = rotation_loss(on_upright.auxiliary, on_rotated.auxiliary)
        correct, count = correct + float(accuracy) * len(upright), count + len(upright)
    return correct / count


def as_discriminator(settings: ForgettingSettings, network: nn.Module) -> Discriminator:
    """The network in the settings' precision, with outputs in full precision."""

    def discriminate(images: Tensor, labels: Tensor | None) -> Scores:
        reduced = settings.precision == "bfloat16"
        with torch.autocast(images.device.type, torch.bfloat16, enabled=reduced):
            scores = network(images.contiguous(memory_format=torch.channels_last), labels)
        return Scores(*(part.to(images.dtype) for part in scores))

    return discriminate
