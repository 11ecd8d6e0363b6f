"""A run's state measured between two steps, on images and latents that stay the same.

Generated images come from the averaged G; D is asked as it is. Nothing of the state changes:
modes, batch statistics, spectral vectors and random generators are as before, to the bit.
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
from ssgan.evaluation.sample_quality import SampleQuality
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
    """Prepared images that no step sees, when evaluations are wanted and the source knows some.

    When they cannot be read the run goes on, and says that it measures on training images.
    """
    source = config.data.source.held_out()
    if source is None or config.evaluate.every == 0:
        return None
    try:
        return prepare(source, config.data.preprocessing)
    except UserError as error:
        _LOG.warning("no held-out images, so measured on training images: %s", error)
        return None


class Evaluator:
    """Measures states of one run.

    Without held-out images of the same classes D is evaluated on training images, and the split
    of the measures says so.
    """

    def __init__(
        self, layout: RunDirectory, config: RunConfig, dataset: Dataset, held_out: Dataset | None
    ) -> None:
        self.config, self.num_classes = config, dataset.num_classes
        if held_out is not None and held_out.classes != dataset.classes:
            held_out = None
        self.split = "train" if held_out is None else "held-out"
        shown = config.evaluate.shown
        order = permutation(Key(config.seed, "evaluate"), len(dataset))
        if held_out is None:
            shown = min(shown, -(-len(dataset) // 2))
            self.real = _FixedImages(dataset, order[:shown])
            order = order[shown:]  # the probe is tested on other images than it is fitted on
        else:
            chosen = permutation(Key(config.seed, "evaluate held-out"), len(held_out))
            self.real = _FixedImages(held_out, chosen[:shown])
        self.fit = _FixedImages(dataset, order[:shown])
        self.quality = SampleQuality(layout, config, dataset)
        self.drift = FeatureDrift(layout, self.real.digest())

    def measures(self, state: TrainState) -> list[EvaluationRow]:
        """Everything that can be measured of this run; also stores D's features for later."""
        found: list[EvaluationRow] = []
        with eval_mode(state.generator, state.discriminator, state.generator_ema):
            batches, shown = self._generated(state), self.config.evaluate.shown
            first = list(islice(batches, -(-shown // BATCH)))
            every = (to_pixels(images) for images, _ in chain(first, batches))
            found += (
                EvaluationRow(one.name, one.value, "train", one.parameters)
                for one in self.quality.evaluate(every)
            )
            on_fake = compute_outputs(state.discriminator, self.config.method, _take(first, shown))
            on_real = self._outputs_on(state, self.real)
            found += self._logits(on_real, on_fake) + self._rotation_accuracy(on_real, on_fake)
            found += self._probe_accuracy(state, on_real)
            d, g = largest_norms(state.discriminator), largest_norms(state.generator)
        found += self._drift(state.step, on_real)
        norms = {"D/sigma": d.effective, "D/sigma_raw": d.raw, "G/sigma": g.effective}
        return found + [EvaluationRow(name, value) for name, value in norms.items()]

    def _generated(self, state: TrainState) -> Iterator[_LabelledImages]:
        """All generated images in batches, as G made them: not rounded to whole grey levels."""
        config, count = self.config, self.config.evaluate.images
        latents = sample_latents(config.generator, config.seed, "score", count)
        labels = torch.arange(count) % self.num_classes if config.method.conditional else None
        parts = repeat(None) if labels is None else iter(torch.split(labels, BATCH))
        return zip(generate_images(state.generator_ema, latents, labels), parts, strict=False)

    def _outputs_on(self, state: TrainState, chosen: "_FixedImages") -> DiscriminatorOutputs:
        method = self.config.method
        return compute_outputs(state.discriminator, method, chosen.batches(method.conditional))

    def _logits(
        self, real: DiscriminatorOutputs, fake: DiscriminatorOutputs
    ) -> list[EvaluationRow]:
        """D's logits on both, and how far apart they are."""
        counts = {"num_real": len(real.real), "num_fake": len(fake.real)}
        gap = float(real.real.mean() - fake.real.mean())
        found = [EvaluationRow("logit_gap", gap, self.split, counts)]
        for split, logits in ((self.split, real.real), ("generated", fake.real)):
            images = {"num_images": len(logits)}
            spread = float(logits.std(correction=0))
            found += [
                EvaluationRow("logit", float(logits.mean()), split, images),
                EvaluationRow("logit_spread", spread, split, images),
            ]
        return found

    def _rotation_accuracy(
        self, real: DiscriminatorOutputs, fake: DiscriminatorOutputs
    ) -> list[EvaluationRow]:
        """The share of rotations that D recognises, over all four of each image."""
        return [
            EvaluationRow("rotation_accuracy", float(told.mean()), split, {"num_images": len(told)})
            for split, told in (
                (self.split, real.rotation_correct),
                ("generated", fake.rotation_correct),
            )
            if told is not None
        ]

    def _probe_accuracy(
        self, state: TrainState, on_real: DiscriminatorOutputs
    ) -> list[EvaluationRow]:
        """What D's features tell of the class, fitted on labelled training images."""
        test, fit = self.real.labels, self.fit.labels
        if test is None or fit is None or len(fit) == 0 or self.num_classes < 2:
            return []
        known = self._outputs_on(state, self.fit).features
        given = (known, fit, on_real.features, test, self.num_classes)
        protocol = {"num_fit": len(fit), "num_images": len(test), "chance": 1 / self.num_classes}
        return [
            EvaluationRow("probe_accuracy", ridge_accuracy(*given), self.split, protocol),
            EvaluationRow("knn_accuracy", neighbour_accuracy(*given), self.split, protocol),
        ]

    def _drift(self, step: int, on_real: DiscriminatorOutputs) -> list[EvaluationRow]:
        """The likeness of D's features to earlier ones; 1: the same but for turns and scale.

        Nothing of one image: its features have no others to lie among.
        """
        if len(on_real.features) < 2:
            return []
        likeness = self.drift.likeness(step, on_real.features)
        self.drift.store(step, on_real.features)
        count = len(on_real.features)
        return [
            EvaluationRow(f"cka_{name}", value, self.split, {"num_images": count, "with_step": at})
            for name, (at, value) in likeness.items()
        ]


def _take(batches: Iterable[_LabelledImages], count: int) -> Iterator[_LabelledImages]:
    """The first images of the batches, so many in all."""
    for images, labels in batches:
        yield images[:count], None if labels is None else labels[:count]
        count = max(0, count - len(images))


class _FixedImages:
    """A few images of a data set, in its order, with their labels if it has any."""

    def __init__(self, dataset: Dataset, numbers: Tensor) -> None:
        chosen = numbers.sort().values.numpy()
        self.pixels = dataset.batch(chosen)
        self.labels: Tensor | None = None
        if dataset.labels is not None:
            self.labels = torch.from_numpy(dataset.labels[chosen])

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
