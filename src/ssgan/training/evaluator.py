"""The metrics of a run's state between two steps, on fixed images and latents.

Generated images come from the averaged G. Evaluation changes nothing of the state, to the bit:
modes, batch statistics, spectral vectors and random generators are as before.
"""

import hashlib
import io
import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice, repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ssgan.data.base import AbstractSource, Preprocessing
from ssgan.data.dataset import Dataset
from ssgan.evaluation.selection_metric import SampleQuality
from ssgan.files.archive import ArchiveError
from ssgan.files.atomic import write_atomic
from ssgan.files.npz import list_arrays, read_array
from ssgan.files.run_directory import RunDirectory, parse_step
from ssgan.methods.base import Method
from ssgan.metrics.kernel import linear_cka
from ssgan.metrics.knn import neighbour_accuracy
from ssgan.metrics.linear_probe import ridge_accuracy
from ssgan.ops.modes import eval_mode
from ssgan.ops.pixels import from_uint8
from ssgan.ops.rng import Key, permutation
from ssgan.ops.rotation import NUM_ROTATIONS, rotated_copies, rotation_labels
from ssgan.ops.spectral_norm import SpectralLayer, as_matrix
from ssgan.runs.config import RunConfig
from ssgan.runs.sampling import BATCH, generate_images, sample_latents, to_pixels
from ssgan.runs.state import TrainState
from ssgan.training.history import EvaluationRow
from ssgan.types import UNLABELLED, Images, Labels, UserError

_LOG = logging.getLogger("ssgan")
_MOST_TEXT = 4096  # bytes of the identity of images
_RESUMABLE = 2  # checkpoints that a run keeps
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


class DiscriminatorOutputs(NamedTuple):
    """D's outputs on N images, on the CPU in float32."""

    real: Float[Tensor, " N"]  # logit of "this is a real image", upright
    features: Float[Tensor, "N F"]  # the input of both heads, upright
    # share of an image's four rotations recognised; None: no rotation task
    rotation_correct: Float[Tensor, " N"] | None


@torch.no_grad()
def compute_outputs(
    discriminator: nn.Module, method: Method, batches: Iterable[tuple[Tensor, Tensor | None]]
) -> DiscriminatorOutputs:
    """The outputs on batches of images [B, C, S, S] in [-1, 1] with labels [B] where D needs them.

    D must be in evaluation mode; batches may be of different sizes.
    """
    weight = next(discriminator.parameters())
    parts = [
        _outputs_of_batch(
            discriminator,
            method,
            images.to(weight.device, weight.dtype).contiguous(memory_format=torch.channels_last),
            None if labels is None else labels.to(weight.device),
        )
        for images, labels in batches
    ]
    correct = [part.rotation_correct for part in parts if part.rotation_correct is not None]
    return DiscriminatorOutputs(
        torch.cat([part.real for part in parts]),
        torch.cat([part.features for part in parts]),
        torch.cat(correct) if correct else None,
    )


def _outputs_of_batch(
    discriminator: nn.Module, method: Method, images: Images, labels: Labels | None
) -> DiscriminatorOutputs:
    upright = discriminator(images, labels)
    correct = None
    if method.predicts_rotation:
        repeated = None if labels is None else labels.repeat(NUM_ROTATIONS - 1)
        rotated = discriminator(rotated_copies(images), repeated)
        logits = torch.cat([upright.auxiliary, rotated.auxiliary])
        predicted = method.rotation_logits(logits).argmax(dim=1)
        right = predicted == rotation_labels(len(images), predicted.device)
        correct = right.view(NUM_ROTATIONS, -1).float().mean(dim=0).cpu()
    return DiscriminatorOutputs(upright.real.float().cpu(), upright.features.float().cpu(), correct)


class Evaluator:
    """Evaluates states of one run.

    Without held-out images of the same classes D is evaluated on training images, and the split
    of the rows says so.
    """

    def __init__(
        self, layout: RunDirectory, config: RunConfig, dataset: Dataset, held_out: Dataset | None
    ) -> None:
        self.config, self.num_classes = config, dataset.num_classes
        self.used = torch.from_numpy(dataset.used_classes())
        if held_out is not None and held_out.classes != dataset.classes:
            held_out = None
        self.split = "train" if held_out is None else "held-out"
        count, order = config.evaluate.num_images_d, _shuffle(config, dataset, "evaluate")
        if held_out is None:
            count = min(count, -(-len(order) // 2))
            self.real = _FixedImages(dataset, order[:count])
            order = order[count:]  # the probe is tested on other images than it is fitted on
        else:
            shuffled = _shuffle(config, held_out, "evaluate held-out")
            self.real = _FixedImages(held_out, shuffled[:count])
        self.fit = _FixedImages(dataset, order[:count])
        self.quality = SampleQuality(layout, config, dataset)
        self.drift = FeatureDrift(layout, self.real.digest())

    def evaluate(self, state: TrainState) -> list[EvaluationRow]:
        """Every metric that this run can have; also stores D's features for later evaluations."""
        with eval_mode(state.generator, state.discriminator, state.generator_ema):
            batches, count = self._generate(state), self.config.evaluate.num_images_d
            first = list(islice(batches, -(-count // BATCH)))
            pixels = (to_pixels(images) for images, _ in chain(first, batches))
            quality = [
                EvaluationRow(one.name, one.value, "train", one.parameters)
                for one in self.quality.evaluate(pixels)
            ]
            on_fake = compute_outputs(state.discriminator, self.config.method, _take(first, count))
            on_real = self._outputs_on(state, self.real)
            d, g = largest_norms(state.discriminator), largest_norms(state.generator)
            return [
                *quality,
                *self._compare_outputs(on_real, on_fake),
                *self._probe_accuracy(state, on_real),
                *self._drift(state.step, on_real),
                EvaluationRow("D/spectral_norm", d.effective),
                EvaluationRow("D/spectral_norm_raw", d.raw),
                EvaluationRow("G/spectral_norm", g.effective),
            ]

    def _generate(self, state: TrainState) -> Iterator[_LabelledImages]:
        """All generated images in batches, not rounded to uint8."""
        config, count = self.config, self.config.evaluate.images
        latents = sample_latents(config.generator, config.seed, "score", count)
        labels = None
        if config.method.conditional:
            labels = self.used[torch.arange(count) % len(self.used)]
        parts = repeat(None) if labels is None else iter(torch.split(labels, BATCH))
        return zip(generate_images(state.generator_ema, latents, labels), parts, strict=False)

    def _outputs_on(self, state: TrainState, images: "_FixedImages") -> DiscriminatorOutputs:
        method = self.config.method
        return compute_outputs(state.discriminator, method, images.batches(method.conditional))

    def _compare_outputs(
        self, real: DiscriminatorOutputs, fake: DiscriminatorOutputs
    ) -> list[EvaluationRow]:
        """D's logits on real and generated images, and its accuracy over their four rotations."""
        counts = {"num_real": len(real.real), "num_fake": len(fake.real)}
        gap = float(real.real.mean() - fake.real.mean())
        rows = [EvaluationRow("logit_gap", gap, self.split, counts)]
        for split, outputs in ((self.split, real), ("generated", fake)):
            logits, images = outputs.real, {"num_images": len(outputs.real)}
            rows += [
                EvaluationRow("logit", float(logits.mean()), split, images),
                EvaluationRow("logit_std", float(logits.std(correction=0)), split, images),
            ]
            if outputs.rotation_correct is not None:
                accuracy = float(outputs.rotation_correct.mean())
                rows.append(EvaluationRow("rotation_accuracy", accuracy, split, images))
        return rows

    def _probe_accuracy(
        self, state: TrainState, on_real: DiscriminatorOutputs
    ) -> list[EvaluationRow]:
        """The accuracy of two classifiers on D's features, fitted on labelled training images."""
        test, fit = self.real.labels, self.fit.labels
        if test is None or fit is None or self.num_classes < 2:
            return []
        known, shown = fit != UNLABELLED, test != UNLABELLED
        if not (known.any() and shown.any()):
            return []
        fit, test = fit[known], test[shown]
        fitted = self._outputs_on(state, self.fit).features[known]
        data = (fitted, fit, on_real.features[shown], test, self.num_classes)
        protocol = {"num_fit": len(fit), "num_images": len(test), "chance": 1 / self.num_classes}
        return [
            EvaluationRow("probe_accuracy", ridge_accuracy(*data), self.split, protocol),
            EvaluationRow("knn_accuracy", neighbour_accuracy(*data), self.split, protocol),
        ]

    def _drift(self, step: int, on_real: DiscriminatorOutputs) -> list[EvaluationRow]:
        """The CKA of D's features with earlier ones; 1: equal up to an orthogonal map and a scale.

        It needs two different images or more.
        """
        if self.real.all_equal():
            return []
        similarity = self.drift.compute_cka(step, on_real.features)
        self.drift.store(step, on_real.features)
        count = len(on_real.features)
        return [
            EvaluationRow(f"cka_{name}", value, self.split, {"num_images": count, "with_step": at})
            for name, (at, value) in similarity.items()
        ]


def _shuffle(config: RunConfig, dataset: Dataset, purpose: str) -> Tensor:
    """The images that D can read in a keyed order: a conditional one needs their labels."""
    order = permutation(Key(config.seed, purpose), len(dataset))
    if dataset.labels is None or not config.method.conditional:
        return order
    return order[torch.from_numpy(dataset.labels)[order] != UNLABELLED]


def _take(batches: Iterable[_LabelledImages], count: int) -> Iterator[_LabelledImages]:
    """The first `count` images of the batches."""
    for images, labels in batches:
        yield images[:count], None if labels is None else labels[:count]
        count = max(0, count - len(images))


class Norms(NamedTuple):
    """The spectral norm of a weight, or the largest of any weight of a network."""

    effective: float  # of the weights used in the forward pass: about 1 with spectral norm
    raw: float  # of the weights that the optimizer updates


def largest_norms(network: nn.Module) -> Norms:
    """Exact, over all weights with two axes or more, as matrices of the first axis and the rest."""
    norms = [norms for _, norms in layer_norms(network)]
    return Norms(max(one.effective for one in norms), max(one.raw for one in norms))


@torch.no_grad()
def layer_norms(network: nn.Module) -> list[tuple[str, Norms]]:
    """The spectral norms of every such weight, with its name, in order of registration."""
    return [(name, Norms(_norm(used), _norm(raw))) for name, used, raw in _weights(network)]


def _weights(network: nn.Module) -> Iterator[tuple[str, Tensor, Tensor]]:
    for place, module in network.named_modules():
        if isinstance(module, SpectralLayer):
            yield f"{place}.weight", module.effective_weight(), module.weight
            continue
        for name, weight in module.named_parameters(place, recurse=False):
            if weight.ndim > 1:
                yield name, weight, weight


def _norm(weight: Tensor) -> float:
    """The root of the largest eigenvalue of the smaller of W W' and W' W, in float64."""
    matrix = as_matrix(weight.detach()).cpu().double()
    small = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    if not small.isfinite().all():
        return float("nan")
    return float(torch.linalg.eigvalsh(small @ small.T)[-1].clamp(min=0).sqrt())


class FeatureDrift:
    """Compares D's features of fixed images, which the digest `images` identifies, over a run.

    Files of the first evaluation stay, and those that a run would compare with when it continues
    from either of its two newest checkpoints.
    """

    def __init__(self, layout: RunDirectory, images: str) -> None:
        self.layout, self.images = layout, images

    def compute_cka(
        self, step: int, features: Float[Tensor, "N F"]
    ) -> dict[str, tuple[int, float]]:
        """For the "first" and the "previous" evaluation: its step, and the linear CKA with it."""
        files = [file for file in self.layout.feature_files() if parse_step(file) < step]
        found = {}
        for name, picked in (("first", files[:1]), ("previous", files[-1:])):
            for file in picked:
                if (rows := self._read(file)) is not None:
                    found[name] = parse_step(file), linear_cka(rows, features)
        return found

    def store(self, step: int, features: Float[Tensor, "N F"]) -> None:
        """Store these for later evaluations, and remove files that no continued run needs."""
        buffer = io.BytesIO()
        np.savez(buffer, features=features.numpy(), images=np.array(self.images))
        self.layout.evaluation.mkdir(exist_ok=True)
        write_atomic(self.layout.features(step), buffer.getvalue())
        oldest = min(map(parse_step, self.layout.checkpoint_files()[:_RESUMABLE]), default=0)
        files = [file for file in self.layout.feature_files() if parse_step(file) < step]
        before = [file for file in files if parse_step(file) <= oldest]
        for file in before[1:-1]:
            file.unlink(missing_ok=True)

    def _read(self, file: Path) -> Float[Tensor, "N F"] | None:
        """The features in a file; None when it is damaged or of other images."""
        if not file.is_file():
            return None
        try:
            arrays = list_arrays(file)
            if str(read_array(file, arrays["images"], _MOST_TEXT)) != self.images:
                return None
            return torch.from_numpy(read_array(file, arrays["features"], file.stat().st_size))
        except (ArchiveError, OSError, KeyError, TypeError):  # torn, empty or of another kind
            return None


def remove_features_after(layout: RunDirectory, step: int) -> None:
    """Remove the stored features of evaluations after that step."""
    for file in layout.feature_files():
        if parse_step(file) > step:
            file.unlink(missing_ok=True)


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

    def all_equal(self) -> bool:
        """Whether there are no two different images."""
        return bool((self.pixels == self.pixels[:1]).all())

    def digest(self) -> str:
        """sha256 of the pixels, in hex."""
        return hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes()).hexdigest()
