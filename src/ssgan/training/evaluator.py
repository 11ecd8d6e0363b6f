"""The metrics of a run's state between two steps, on fixed images and latents.

Generated images come from the averaged G. Evaluation changes nothing of the state, to the bit:
modes, batch statistics, spectral vectors and random generators are as before.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice, repeat

import numpy as np
import torch
from torch import Tensor

from ssgan.data.base import AbstractSource, Preprocessing
from ssgan.data.dataset import Dataset
from ssgan.evaluation.selection_metric import SampleQuality
from ssgan.files.run_directory import RunDirectory
from ssgan.metrics.knn import neighbour_accuracy
from ssgan.metrics.linear_probe import ridge_accuracy
from ssgan.ops.modes import eval_mode
from ssgan.ops.pixels import from_uint8
from ssgan.ops.rng import Key, permutation
from ssgan.runs.config import RunConfig
from ssgan.runs.sampling import BATCH, generate_images, sample_latents, to_pixels
from ssgan.runs.state import TrainState
from ssgan.training.discriminator_outputs import (
    DiscriminatorOutputs,
    compute_outputs,
    largest_norms,
)
from ssgan.training.feature_drift import FeatureDrift
from ssgan.training.history import EvaluationRow
from ssgan.types import UserError

_LOG = logging.getLogger("ssgan")
_LabelledImages = tuple[Tensor, Tensor | None]  # images [B, C, S, S] in [-1, 1], labels [B]


def prepare_held_out(
    config: RunConfig, prepare: Callable[[AbstractSource, Preprocessing], Dataset]
) -> Dataset | None:
    """The prepared held-out images of the source; None when it has none or nothing is evaluated.

    When they cannot be read the run evaluates on training images instead, with a warning.
    """
    source = config.data.source.held_out()
    if source is None or config.evaluate.every == 0:
        return None
    try:
        return prepare(source, config.data.preprocessing)
    except UserError as error:
        _LOG.warning("no held-out images, so training images are used: %s", error)
        return None


class Evaluator:
    """Evaluates states of one run.

    Without held-out images of the same classes D is evaluated on training images, and the split
    of the rows says so.
    """

    def __init__(
        self, layout: RunDirectory, config: RunConfig, dataset: Dataset, held_out: Dataset | None
    ) -> None:
        self.config, self.num_classes = config, dataset.num_classes
        if held_out is not None and held_out.classes != dataset.classes:
            held_out = None
        self.split = "train" if held_out is None else "held-out"
        count = config.evaluate.num_images_d
        order = permutation(Key(config.seed, "evaluate"), len(dataset))
        if held_out is None:
            count = min(count, -(-len(dataset) // 2))
            self.real = _FixedImages(dataset, order[:count])
            order = order[count:]  # the probe is tested on other images than it is fitted on
        else:
            shuffled = permutation(Key(config.seed, "evaluate held-out"), len(held_out))
            self.real = _FixedImages(held_out, shuffled[:count])
        self.fit = _FixedImages(dataset, order[:count])
        self.quality = SampleQuality(layout, config, dataset)
        self.drift = FeatureDrift(layout, self.real.digest())

    def evaluate(self, state: TrainState) -> list[EvaluationRow]:
        """Every metric that this run can have; also stores D's features for later evaluations."""
        rows: list[EvaluationRow] = []
        with eval_mode(state.generator, state.discriminator, state.generator_ema):
            batches, count = self._generate(state), self.config.evaluate.num_images_d
            first = list(islice(batches, -(-count // BATCH)))
            pixels = (to_pixels(images) for images, _ in chain(first, batches))
            rows += (
                EvaluationRow(one.name, one.value, "train", one.parameters)
                for one in self.quality.evaluate(pixels)
            )
            on_fake = compute_outputs(state.discriminator, self.config.method, _take(first, count))
            on_real = self._outputs_on(state, self.real)
            rows += self._logits(on_real, on_fake) + self._rotation_accuracy(on_real, on_fake)
            rows += self._probe_accuracy(state, on_real)
            d, g = largest_norms(state.discriminator), largest_norms(state.generator)
        rows += self._drift(state.step, on_real)
        return [
            *rows,
            EvaluationRow("D/spectral_norm", d.effective),
            EvaluationRow("D/spectral_norm_raw", d.raw),
            EvaluationRow("G/spectral_norm", g.effective),
        ]

    def _generate(self, state: TrainState) -> Iterator[_LabelledImages]:
        """All generated images in batches, not rounded to uint8."""
        config, count = self.config, self.config.evaluate.images
        latents = sample_latents(config.generator, config.seed, "score", count)
        labels = torch.arange(count) % self.num_classes if config.method.conditional else None
        parts = repeat(None) if labels is None else iter(torch.split(labels, BATCH))
        return zip(generate_images(state.generator_ema, latents, labels), parts, strict=False)

    def _outputs_on(self, state: TrainState, images: "_FixedImages") -> DiscriminatorOutputs:
        method = self.config.method
        return compute_outputs(state.discriminator, method, images.batches(method.conditional))

    def _logits(
        self, real: DiscriminatorOutputs, fake: DiscriminatorOutputs
    ) -> list[EvaluationRow]:
        """Mean and standard deviation of D's logits, and the gap between the means."""
        counts = {"num_real": len(real.real), "num_fake": len(fake.real)}
        gap = float(real.real.mean() - fake.real.mean())
        found = [EvaluationRow("logit_gap", gap, self.split, counts)]
        for split, logits in ((self.split, real.real), ("generated", fake.real)):
            images = {"num_images": len(logits)}
            found += [
                EvaluationRow("logit", float(logits.mean()), split, images),
                EvaluationRow("logit_std", float(logits.std(correction=0)), split, images),
            ]
        return found

    def _rotation_accuracy(
        self, real: DiscriminatorOutputs, fake: DiscriminatorOutputs
    ) -> list[EvaluationRow]:
        """The accuracy of D's rotation predictions, over all four rotations of each image."""
        return [
            EvaluationRow(
                "rotation_accuracy", float(correct.mean()), split, {"num_images": len(correct)}
            )
            for split, correct in (
                (self.split, real.rotation_correct),
                ("generated", fake.rotation_correct),
            )
            if correct is not None
        ]

    def _probe_accuracy(
        self, state: TrainState, on_real: DiscriminatorOutputs
    ) -> list[EvaluationRow]:
        """The accuracy of two classifiers on D's features, fitted on labelled training images."""
        test, fit = self.real.labels, self.fit.labels
        if test is None or fit is None or len(fit) == 0 or self.num_classes < 2:
            return []
        fitted = self._outputs_on(state, self.fit).features
        data = (fitted, fit, on_real.features, test, self.num_classes)
        protocol = {"num_fit": len(fit), "num_images": len(test), "chance": 1 / self.num_classes}
        return [
            EvaluationRow("probe_accuracy", ridge_accuracy(*data), self.split, protocol),
            EvaluationRow("knn_accuracy", neighbour_accuracy(*data), self.split, protocol),
        ]

    def _drift(self, step: int, on_real: DiscriminatorOutputs) -> list[EvaluationRow]:
        """The CKA of D's features with earlier ones; 1: equal up to an orthogonal map and a scale.

        It needs two images or more.
        """
        if len(on_real.features) < 2:
            return []
        similarity = self.drift.compute_cka(step, on_real.features)
        self.drift.store(step, on_real.features)
        count = len(on_real.features)
        return [
            EvaluationRow(f"cka_{name}", value, self.split, {"num_images": count, "with_step": at})
            for name, (at, value) in similarity.items()
        ]


def _take(batches: Iterable[_LabelledImages], count: int) -> Iterator[_LabelledImages]:
    """The first `count` images of the batches."""
    for images, labels in batches:
        yield images[:count], None if labels is None else labels[:count]
        count = max(0, count - len(images))


class _FixedImages:
    """Some images of a data set, in its order, with their labels if it has any."""

    def __init__(self, dataset: Dataset, numbers: Tensor) -> None:
        ascending = numbers.sort().values.numpy()
        self.pixels = dataset.batch(ascending)
        self.labels: Tensor | None = None
        if dataset.labels is not None:
            self.labels = torch.from_numpy(dataset.labels[ascending])

    def batches(self, with_labels: bool) -> Iterator[_LabelledImages]:
        """Images in [-1, 1] and their labels or None, in order."""
        for start in range(0, len(self.pixels), BATCH):
            rows = slice(start, start + BATCH)
            pixels = torch.from_numpy(self.pixels[rows]).permute(0, 3, 1, 2)
            labels = self.labels[rows] if with_labels and self.labels is not None else None
            yield from_uint8(pixels), labels

    def digest(self) -> str:
        """sha256 of the pixels, in hex."""
        return hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes()).hexdigest()
