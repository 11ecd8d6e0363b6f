"""Projection: the latent vector whose image is nearest to a given picture, found by Adam.

    distance(x, y) = mean over blocks of D and positions of |f(x) - f(y)|^2  +  w mean (x - y)^2

f is the map after a block, scaled to length 1 over its channels, so that no block outweighs the
others. Starts are the nearest of many keyed samples, of all classes if there are any. All starts
move at once, and the nearest point that any of them visited is the result.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.models.base import AbstractGeneratorConfig
from ssgan.ops.adam import Adam
from ssgan.ops.pixels import from_uint8
from ssgan.ops.rng import Key
from ssgan.runs.sampling import BATCH, to_pixels
from ssgan.types import UserError

_SAMPLES_OF_A_START, _SAMPLES_OF_A_CLASS = 16, 2  # at least, from which the starts are chosen


@dataclass(frozen=True, kw_only=True)
class ProjectionSettings:
    """How a latent vector is searched."""

    steps: int = 300  # of Adam
    starts: int = 4  # latent vectors that are moved at once; at least 1
    learning_rate: float = 0.05  # of the first step; it falls to 0 along half a cosine
    pixel_weight: float = 1.0  # w, the weight of the pixels; 0: the features alone
    seed: int = 0  # of the samples from which the starts are chosen


class Distance(NamedTuple):
    """The distance of images to the target, and its two terms without weights."""

    total: Float[Tensor, " B"]
    features: Float[Tensor, " B"]  # in [0, 4]
    pixels: Float[Tensor, " B"]  # of images in [-1, 1], so in [0, 4]


class Projection(NamedTuple):
    """The nearest point that was found."""

    latents: Float[Tensor, "1 Z"]  # on the CPU, float32
    label: int | None  # its class; None without labels
    image: NDArray[np.uint8]  # what G makes of it, [S, S, C]
    distance: float
    features: float
    pixels: float
    nearest_sample: float  # the distance of the nearest sample, before the first step


class Projector:
    """Projects pictures with the frozen networks of one state, both in evaluation mode."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        spec: AbstractGeneratorConfig,
        classes: list[int] | None,
        settings: ProjectionSettings,
    ) -> None:
        """`classes` are those to search; None for a generator without labels.

        Raises UserError for a D without `block_outputs`.
        """
        if getattr(discriminator, "block_outputs", None) is None:
            raise UserError(
                f"{type(discriminator).__name__} has no method block_outputs(images), whose maps "
                "are compared in a projection"
            )
        self.generator, self.discriminator, self.spec = generator, discriminator, spec
        self.classes, self.settings = classes, settings
        self._weight = next(generator.parameters())

    def project(
        self,
        target: NDArray[np.uint8],
        progress: Callable[[int], None] = lambda step: None,
    ) -> Projection:
        """The nearest latent vector to a picture uint8 [S, S, C]; `progress` gets steps done.

        Raises UserError where no image of G is finite.
        """
        pixels = torch.from_numpy(target).permute(2, 0, 1)[None].to(self._weight.device)
        measure = _Measure(self.discriminator, from_uint8(pixels, self._weight.dtype))
        latents, labels, first = self._choose_starts(measure)
        best, found = latents.clone(), torch.full_like(first, math.inf)
        moving = latents.clone().requires_grad_()
        optimizer = Adam([moving], lr=self.settings.learning_rate)
        for step in range(self.settings.steps + 1):
            total = measure(self._generate(moving, labels), self.settings.pixel_weight).total
            nearer = total.detach() < found
            found = torch.where(nearer, total.detach(), found)
            best = torch.where(nearer[:, None], moving.detach(), best)
            progress(step)
            if step == self.settings.steps:
                break
            (moving.grad,) = torch.autograd.grad(total.sum(), [moving])
            share = step / self.settings.steps
            optimizer.param_groups[0]["lr"] = (
                self.settings.learning_rate * (1 + math.cos(math.pi * share)) / 2
            )
            optimizer.step()
            if self.spec.latents == "uniform":
                moving.data.clamp_(-1, 1)
        return self._result(measure, best, labels, found, float(first.min()))

    def _result(
        self,
        measure: "_Measure",
        best: Float[Tensor, "B Z"],
        labels: Tensor | None,
        found: Float[Tensor, " B"],
        nearest_sample: float,
    ) -> Projection:
        row = slice(int(found.argmin()), int(found.argmin()) + 1)
        label = None if labels is None else labels[row]
        with torch.no_grad():
            image = self._generate(best[row], label)
            total, features, pixels = map(float, measure(image, self.settings.pixel_weight))
        return Projection(
            best[row].cpu(),
            None if label is None else int(label),
            to_pixels(image)[0],
            *(total, features, pixels),
            nearest_sample,
        )

    def _generate(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        images: Tensor = self.generator(latents.to(self._weight.dtype), labels)
        return images

    @torch.no_grad()
    def _choose_starts(
        self, measure: "_Measure"
    ) -> tuple[Float[Tensor, "B Z"], Tensor | None, Float[Tensor, " B"]]:
        """The nearest of the keyed samples, their labels and their distances."""
        starts, classes = self.settings.starts, self.classes
        count = max(_SAMPLES_OF_A_START * starts, _SAMPLES_OF_A_CLASS * len(classes or ()))
        numbers = torch.arange(count)
        latents = self.spec.sample_latents(Key(self.settings.seed, "projection"), numbers)
        latents = latents.to(self._weight.device)
        labels = None if classes is None else torch.tensor(classes)[numbers % len(classes)]
        labels = None if labels is None else labels.to(self._weight.device)
        distances = torch.cat(
            [
                measure(
                    self._generate(latents[rows], None if labels is None else labels[rows]),
                    self.settings.pixel_weight,
                ).total
                for rows in (numbers[start : start + BATCH] for start in range(0, count, BATCH))
            ]
        )
        nearest = distances.nan_to_num(nan=math.inf).argsort(stable=True)[:starts]
        if not distances[nearest[0]].isfinite():
            raise UserError("no image of this generator is finite, so nothing can be projected")
        return latents[nearest], None if labels is None else labels[nearest], distances[nearest]


class _Measure:
    """The distance to one target."""

    def __init__(self, discriminator: nn.Module, target: Float[Tensor, "1 C S S"]) -> None:
        self._blocks: Callable[[Tensor], list[Tensor]] = discriminator.block_outputs  # type: ignore[assignment]
        self._target = target.float()
        with torch.no_grad():
            self._maps = self._features(target)

    def __call__(self, images: Float[Tensor, "B C S S"], pixel_weight: float) -> Distance:
        differences = [
            (ours - theirs).square().sum(1).mean((1, 2))
            for ours, theirs in zip(self._features(images), self._maps, strict=True)
        ]
        features = torch.stack(differences).mean(0)
        pixels = (images.float() - self._target).square().mean((1, 2, 3))
        return Distance(features + pixel_weight * pixels, features, pixels)

    def _features(self, images: Tensor) -> list[Tensor]:
        return [F.normalize(maps.float(), dim=1, eps=1e-6) for maps in self._blocks(images)]
