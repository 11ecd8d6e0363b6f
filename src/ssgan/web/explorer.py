"""The latents of a page: seeds, principal directions of G, ways between two points, projections.

The principal directions are the eigenvectors of E_z[J(z)^T J(z)] with the largest eigenvalues,
where J is the Jacobian of G's pixels: along them images change most. J comes from differences at a
few keyed latents.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from ssgan.evaluation.projection import Projection, ProjectionSettings, Projector
from ssgan.export.model import Model
from ssgan.ops.rng import Key
from ssgan.runs.sampling import interpolate, sample_latents, to_pixels
from ssgan.types import UserError
from ssgan.web.jobs import PageJob, PageJobs
from ssgan.web.models import require_discriminator
from ssgan.web.pictures import encode_address
from ssgan.web.requests import MOST_SLIDERS, Point, Spot

_STEP = 0.25  # of a difference, along one latent
_MOST_PASSES = 400  # images that are made for the directions
_FEWEST_ANCHORS, _MOST_ANCHORS = 1, 8  # latents at which J is measured
_AT_ONCE = 16  # images, so that work rests often
_WAY_STEPS = 100  # between two points
_STARTS = 3  # of a projection


class Explorer:
    """Makes the images of points. Two threads use it."""

    def __init__(self, jobs: PageJobs) -> None:
        self._jobs = jobs
        self._directions: WeakKeyDictionary[Model, Tensor] = WeakKeyDictionary()

    def draw(self, model: Model, spot: Spot) -> NDArray[np.uint8]:
        """The image of a spot, uint8 [S, S, C], as D reads it: colours are multiplied by alpha.

        Encoded, it is that of `ssgan sample --seeds`. Raises UserError for a class that the model
        does not have, and without the directions.
        """
        latents = self.find_latents(model, spot.point)
        if spot.towards is not None:
            end = self.find_latents(model, spot.towards)
            latents = _move_towards(model, latents, end, spot.share)
        label = choose_label(model, spot)
        images = model.generate(latents, None if label is None else [label])
        pixels: NDArray[np.uint8] = to_pixels(images)[0]
        return pixels

    def find_latents(self, model: Model, point: Point) -> Float[Tensor, "1 Z"]:
        """The latents of a point."""
        spec = model.config.generator
        if point.projection is None:
            latents = sample_latents(spec, point.seed, "sample", 1, point.truncation)
        else:
            kept = self._jobs.find(point.projection).kept
            if not isinstance(kept, Tensor) or kept.shape[1] != spec.latent_size:
                raise UserError("this picture was not projected with a model of this size")
            latents = kept
        if any(point.offsets):
            directions = self._directions.get(model)
            if directions is None:
                raise UserError("the directions of this state are not there yet")
            used = directions[: len(point.offsets)]
            latents = latents + torch.tensor([point.offsets[: len(used)]]) @ used
            if spec.latents == "uniform":
                latents = latents.clamp(-1, 1)
        return latents

    def find_directions(self, model: Model, job: PageJob) -> dict[str, Any]:
        """The principal directions, computed once a model, as shares of all change."""
        if (found := self._directions.get(model)) is None:
            found = measure_directions(model, job)
            self._directions[model] = found
        return {"directions": len(found)}

    def project(
        self, model: Model, picture: NDArray[np.uint8], label: int | None, steps: int, job: PageJob
    ) -> dict[str, Any]:
        """The latents nearest to a picture, as the result of a job."""
        require_discriminator(model)
        assert model.discriminator is not None
        classes = list(range(len(model.classes))) or None
        if label is not None and classes is not None:
            classes = [label % len(classes)]
        settings = ProjectionSettings(steps=steps, starts=_STARTS)
        projector = Projector(
            model.generator, model.discriminator, model.config.generator, classes, settings
        )
        found = projector.project(picture, lambda step: job.advance(step, steps))
        job.kept = found.latents
        return _describe_projection(found, picture, model.ratio)


def _describe_projection(
    found: Projection, picture: NDArray[np.uint8], ratio: float
) -> dict[str, Any]:
    return {
        "picture": encode_address(picture, ratio),
        "image": encode_address(found.image, ratio),
        "label": found.label,
        "distance": found.distance,
        "nearest_sample": found.nearest_sample,
    }


def choose_label(model: Model, spot: Spot) -> int | None:
    """The class of a spot: the given one, else all in turn by the seed, as `ssgan sample` does."""
    if not model.classes:
        return None
    return spot.point.seed % len(model.classes) if spot.label is None else spot.label


def _move_towards(
    model: Model, start: Float[Tensor, "1 Z"], end: Float[Tensor, "1 Z"], share: float
) -> Float[Tensor, "1 Z"]:
    place = round(share * _WAY_STEPS)
    if place == _WAY_STEPS or torch.equal(start, end):
        return end
    way = interpolate(model.config.generator, torch.cat([start, end]), _WAY_STEPS)
    return way[place : place + 1]


def measure_directions(model: Model, job: PageJob | None = None) -> Float[Tensor, "K Z"]:
    """The principal directions of G, unit vectors, the strongest first; at most 8.

    The largest entry of each is positive. `job` gets images done and in total.
    """
    spec = model.config.generator
    size = spec.latent_size
    anchors = min(_MOST_ANCHORS, max(_FEWEST_ANCHORS, _MOST_PASSES // (size + 1)))
    latents = spec.sample_latents(Key(0, "directions"), torch.arange(anchors))
    metric = torch.zeros(size, size)
    for number, anchor in enumerate(latents):
        moved = torch.cat([anchor[None], anchor + _STEP * torch.eye(size)])
        done = number * (size + 1), anchors * (size + 1)
        labels = None if not model.classes else [number % len(model.classes)] * len(moved)
        pixels = torch.cat(list(_generate_slowly(model, moved, labels, job, done)))
        slopes = (pixels[1:] - pixels[:1]) / _STEP
        metric += slopes @ slopes.T
    _, vectors = torch.linalg.eigh(metric.double())
    strongest = vectors.T.flip(0)[:MOST_SLIDERS].float()
    largest = strongest.gather(1, strongest.abs().argmax(1, keepdim=True))
    directions: Tensor = strongest * largest.sign()
    return directions


def _generate_slowly(
    model: Model,
    latents: Float[Tensor, "N Z"],
    labels: Sequence[int] | None,
    job: PageJob | None,
    done: tuple[int, int],
) -> Iterator[Float[Tensor, "N P"]]:
    """The pixels of a few images at a time, [n, C*S*S] on the CPU; the job rests between them."""
    for start in range(0, len(latents), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        if job is not None:
            job.advance(done[0] + start, done[1])
        images = model.generate(latents[rows], None if labels is None else labels[rows])
        yield images.nan_to_num().float().flatten(1).cpu()
