"""The metrics of a run's state between two steps, on fixed images and latents.

Generated images come from the averaged G. Evaluation changes nothing of the state, to the bit:
modes, batch statistics, spectral vectors and random generators are as before. Several ranks share
the batches of images, and rank 0 computes the metrics of what they gather.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from ssgan.data.base import AbstractSource, Preprocessing
from ssgan.data.dataset import Dataset
from ssgan.evaluation.selection_metric import SampleQuality
from ssgan.files.run_directory import RunDirectory
from ssgan.methods.base import Method
from ssgan.metrics.knn import neighbour_accuracy
from ssgan.metrics.linear_probe import ridge_accuracy
from ssgan.ops.collective import Part, rank, share_work
from ssgan.ops.modes import eval_mode
from ssgan.ops.pixels import from_uint8
from ssgan.ops.rng import Key, permutation
from ssgan.ops.rotation import NUM_ROTATIONS, rotated_copies, rotation_labels
from ssgan.ops.spectral_norm import SpectralLayer, as_matrix
from ssgan.runs.config import RunConfig
from ssgan.runs.sampling import BATCH, generate_images, sample_latents, to_pixels
from ssgan.runs.state import TrainState
from ssgan.training.drift import FeatureDrift
from ssgan.training.history import EvaluationRow
from ssgan.types import UNLABELLED, Images, Labels, UserError

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


class DiscriminatorOutputs(NamedTuple):
    """D's outputs on N images, on the CPU in float32."""

    real: Float[Tensor, " N"]  # logit of "this is a real image", upright
    features: Float[Tensor, "N F"]  # the input of both heads, upright
    # share of an image's four rotations recognised; None: no rotation task
    rotation_correct: Float[Tensor, " N"] | None


@torch.no_grad()
def compute_outputs(
    discriminator: nn.Module,
    method: Method,
    parts: Sequence[Part],
    read: Callable[[Part], tuple[Tensor, Tensor | None]],
) -> DiscriminatorOutputs:
    """D's outputs on all parts of some images.

    `read` returns the images [B, C, S, S] of a part in [-1, 1], with labels [B] where D needs them.
    D must be in evaluation mode; parts may be of different sizes. Of several ranks each does a
    share, and rank 0 alone gets outputs: the others get those of no images.
    """
    weight = next(discriminator.parameters())

    def score(part: Part) -> tuple[Tensor, Tensor, Tensor | None]:
        images, labels = read(part)
        images = images.to(weight.device, weight.dtype)
        return _outputs_of_batch(
            discriminator,
            method,
            images.contiguous(memory_format=torch.channels_last),
            None if labels is None else labels.to(weight.device),
        )

    none = torch.empty(0)
    found = list(share_work(parts, score))
    correct = [one for _, _, one in found if one is not None]
    return DiscriminatorOutputs(
        torch.cat([none, *(real for real, _, _ in found)]),
        torch.cat([features for _, features, _ in found]) if found else none,
        torch.cat(correct) if correct else None,
    )


def _outputs_of_batch(
    discriminator: nn.Module, method: Method, images: Images, labels: Labels | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """As in DiscriminatorOutputs."""
    upright = discriminator(images, labels)
    correct = None
    if method.predicts_rotation:
        repeated = None if labels is None else labels.repeat(NUM_ROTATIONS - 1)
        rotated = discriminator(rotated_copies(images), repeated)
        logits = torch.cat([upright.auxiliary, rotated.auxiliary])
        predicted = method.rotation_logits(logits).argmax(dim=1)
        right = predicted == rotation_labels(len(images), predicted.device)
        correct = right.view(NUM_ROTATIONS, -1).float().mean(dim=0).cpu()
    return upright.real.float().cpu(), upright.features.float().cpu(), correct


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
        """Every metric that this run can have; also stores D's features for later evaluations.

        All ranks must call it for the same state, and rank 0 alone gets metrics.
        """
        with eval_mode(state.generator, state.discriminator, state.generator_ema):
            quality, on_fake = self._evaluate_fakes(state)
            on_real = self._outputs_on(state, self.real)
            on_fit = self._outputs_on(state, self.fit) if self._has_probe() else None
            if rank() > 0:
                return []
            d, g = largest_norms(state.discriminator), largest_norms(state.generator)
            return [
                *quality,
                *self._compare_outputs(on_real, on_fake),
                *self._probe_accuracy(on_fit, on_real),
                *self._drift(state.step, on_real),
                EvaluationRow("D/spectral_norm", d.effective),
                EvaluationRow("D/spectral_norm_raw", d.raw),
                EvaluationRow("G/spectral_norm", g.effective),
            ]

    def _evaluate_fakes(
        self, state: TrainState
    ) -> tuple[list[EvaluationRow], DiscriminatorOutputs]:
        """The metrics of all generated images, and D's outputs on the first of them.

        D gets them as they are, not rounded to uint8.
        """
        config, count = self.config, self.config.evaluate.images
        num_shown, generate = min(count, config.evaluate.num_images_d), self._generate(state)
        kept: dict[int, _LabelledImages] = {}  # this rank's batches of them, by their first image

        def draw(start: int) -> NDArray[np.uint8]:
            images, labels = generate(start)
            if start < num_shown:
                shown = slice(0, num_shown - start)
                kept[start] = images[shown], None if labels is None else labels[shown]
            return to_pixels(images)

        quality = [
            EvaluationRow(one.name, one.value, "train", one.parameters)
            for one in self.quality.evaluate(range(0, count, BATCH), draw)
        ]
        parts = range(0, num_shown, BATCH)
        return quality, compute_outputs(state.discriminator, config.method, parts, kept.__getitem__)

    def _generate(self, state: TrainState) -> Callable[[int], _LabelledImages]:
        """A function that generates the batch from an image on, not rounded to uint8."""
        config, count = self.config, self.config.evaluate.images
        latents = sample_latents(config.generator, config.seed, "score", count)
        labels: Tensor | None = None
        if config.method.conditional:
            labels = self.used[torch.arange(count) % len(self.used)]

        def generate(start: int) -> _LabelledImages:
            rows = slice(start, start + BATCH)
            classes = None if labels is None else labels[rows]
            (images,) = generate_images(state.generator_ema, latents[rows], classes)
            return images, classes

        return generate

    def _outputs_on(self, state: TrainState, images: "_FixedImages") -> DiscriminatorOutputs:
        return compute_outputs(
            state.discriminator,
            self.config.method,
            images.parts(),
            lambda start: images.read(start, self.config.method.conditional),
        )

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

    def _has_probe(self) -> bool:
        test, fit = self.real.labels, self.fit.labels
        if test is None or fit is None or self.num_classes < 2:
            return False
        return bool((fit != UNLABELLED).any() and (test != UNLABELLED).any())

    def _probe_accuracy(
        self, on_fit: DiscriminatorOutputs | None, on_real: DiscriminatorOutputs
    ) -> list[EvaluationRow]:
        """The accuracy of two classifiers on D's features, fitted on labelled training images."""
        test, fit = self.real.labels, self.fit.labels
        if on_fit is None or test is None or fit is None:
            return []
        known, shown = fit != UNLABELLED, test != UNLABELLED
        fit, test = fit[known], test[shown]
        data = (on_fit.features[known], fit, on_real.features[shown], test, self.num_classes)
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


def is_evaluated(config: RunConfig, step: int) -> bool:
    """Whether every rank evaluates the run after this step."""
    every = config.evaluate.every
    return every > 0 and (step == config.total_steps or step % every == 0)


def _shuffle(config: RunConfig, dataset: Dataset, purpose: str) -> Tensor:
    """The images that D can read in a keyed order: a conditional one needs their labels."""
    order = permutation(Key(config.seed, purpose), len(dataset))
    if dataset.labels is None or not config.method.conditional:
        return order
    return order[torch.from_numpy(dataset.labels)[order] != UNLABELLED]


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


class _FixedImages:
    """Some images of a data set, in its order, with their labels if it has any."""

    def __init__(self, dataset: Dataset, numbers: Tensor) -> None:
        ascending = numbers.sort().values.numpy()
        self.pixels = dataset.batch(ascending)
        self.labels: Tensor | None = None
        if dataset.labels is not None:
            self.labels = torch.from_numpy(dataset.labels[ascending])

    def parts(self) -> Sequence[int]:
        """The first image of each batch."""
        return range(0, len(self.pixels), BATCH)

    def read(self, start: int, with_labels: bool) -> _LabelledImages:
        """The batch from that image on, in [-1, 1], and its labels or None."""
        rows = slice(start, start + BATCH)
        pixels = torch.from_numpy(self.pixels[rows]).permute(0, 3, 1, 2)
        labels = self.labels[rows] if with_labels and self.labels is not None else None
        return from_uint8(pixels), labels

    def all_equal(self) -> bool:
        """Whether there are no two different images."""
        return bool((self.pixels == self.pixels[:1]).all())

    def digest(self) -> str:
        """sha256 of the pixels, in hex."""
        return hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes()).hexdigest()
