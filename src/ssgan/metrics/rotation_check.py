"""Rotation check: can rotations of these images be recognised, and is that too easy?

The rotation task teaches D nothing where images look alike in all rotations (textures, cells, maps
from above). It teaches little where a glance is enough, as on aligned faces: in the paper's table
on CelebA-HQ and in published re-runs on CelebA, SS-GAN is worse than the GAN without the task.

The check fits a linear classifier of the four rotations on `RandomFeatures` and 8 x 8 grey means,
and tests it on other images. The means show what is at the same place in every image, which is
what makes aligned faces easy; without them the accuracy on real faces was that of a brick wall. It
is a lower bound of what D can learn, and no forecast of a run. docs/results/rotation-check.md has
the accuracies on real images from which the limits were chosen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float64, Int, UInt8
from numpy.typing import NDArray
from torch import Tensor

from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.linear_probe import solve_ridge
from ssgan.ops.pixels import from_uint8
from ssgan.ops.rotation import NUM_ROTATIONS, rotated_copies, rotation_labels
from ssgan.types import UserError

MOST = 256  # images that are checked, evenly spread over all
FEWEST = 100  # of fewer images the accuracy is meaningless
_FOLDS = 4  # each image is tested once, by a classifier of the other three quarters
_RIDGE = 0.1  # penalty on squared weights, as a share of the number of rows
_PLACES = 8  # grey means a side
_FLAT = 1e-6  # a feature with a smaller deviation is constant
HARDLY = 0.32  # accuracy; chance is 0.25, give or take 0.04 on 256 images
TRIVIAL = 0.92  # between real faces (0.94 and more) and other images (0.90 and less)


@dataclass(frozen=True)
class RotationReport:
    """How well a linear classifier recognises the rotations, and the same in words."""

    accuracy: float  # on images it was not fitted to, in [0, 1]; chance is 0.25
    num_images: int  # images checked, each in all four rotations
    margin: float  # half of a 95 % interval of the accuracy, over images; at least 3 / num_images
    sentence: str  # one line for people; a warning where the accuracy is very low or high

    @property
    def verdict(self) -> Literal["alike", "between", "easy"]:
        """Whether rotations look alike, or are easy to recognise, or neither."""
        if self.accuracy < HARDLY:
            return "alike"
        return "easy" if self.accuracy > TRIVIAL else "between"

    @property
    def is_warning(self) -> bool:
        """Whether the task may be empty here, or too easy to teach D much."""
        return self.verdict != "between"


def check_rotations_of(
    num_images: int, batch: Callable[[NDArray[np.int64]], NDArray[np.uint8]]
) -> RotationReport | None:
    """The report on up to 256 images, evenly spread; None for fewer than 100 images.

    `batch` returns the images of these numbers as uint8 [N, S, S, C].
    """
    if num_images < FEWEST:
        return None
    numbers = np.linspace(0, num_images - 1, min(MOST, num_images)).astype(np.int64)
    return check_rotations(torch.from_numpy(batch(numbers)).permute(0, 3, 1, 2))


def check_rotations(images: UInt8[Tensor, "N C S S"]) -> RotationReport:
    """The report on uint8 images with 1, 3 or 4 channels; the same for the same images.

    Raises UserError for fewer than 100 images.
    """
    if len(images) < FEWEST:
        raise UserError(f"{len(images)} images are too few for a rotation check; it needs {FEWEST}")
    count = min(MOST, len(images))
    some = images[torch.arange(count) * len(images) // count]
    rotated = rotated_copies(some.float()).to(torch.uint8)
    rows = _extract(torch.cat([some, rotated]))
    labels = rotation_labels(count, rows.device)
    image = torch.arange(count, device=rows.device).repeat(NUM_ROTATIONS)
    folds = [image % _FOLDS == fold for fold in range(_FOLDS)]
    correct = torch.cat(
        [_classify(rows, labels, tested).view(NUM_ROTATIONS, -1) for tested in folds], dim=1
    ).double()
    accuracy = float(correct.mean())
    margin = max(1.96 * float(correct.mean(dim=0).std()) / count**0.5, 3 / count)
    return RotationReport(accuracy, count, margin, _describe(accuracy))


def _extract(images: UInt8[Tensor, "L C S S"]) -> Float64[Tensor, "L F"]:
    """The inputs of the classifier: random features, then grey means by place."""
    grey = from_uint8(images.double().mean(dim=1, keepdim=True), torch.float64)
    places = F.adaptive_avg_pool2d(grey, _PLACES).flatten(1)
    features = RandomFeatures()(images).double()
    return torch.cat([features, places.to(features.device)], dim=1)


def _classify(
    rows: Float[Tensor, "L F"], labels: Int[Tensor, " L"], tested: Bool[Tensor, " L"]
) -> Bool[Tensor, " T"]:
    """For each tested row, whether a ridge classifier of the other rows is correct."""
    fitted = rows[~tested]
    mean, spread = fitted.mean(dim=0), fitted.std(dim=0).clamp(min=_FLAT)
    inputs, held_out = (fitted - mean) / spread, (rows[tested] - mean) / spread
    wanted = F.one_hot(labels[~tested], NUM_ROTATIONS).double() - 1 / NUM_ROTATIONS
    weights = solve_ridge(inputs, wanted, _RIDGE * len(inputs))
    return torch.eq((held_out @ weights).argmax(dim=1), labels[tested])


def _describe(accuracy: float) -> str:
    summary = f"{accuracy:.0%} recognised by a linear classifier on simple features (chance 25%)"
    if accuracy < HARDLY:
        return (
            f"{summary}: the images look much alike when rotated, so the rotation task may be empty"
        )
    if accuracy > TRIVIAL:
        return (
            f"{summary}: the rotation task is easy here, as on aligned faces, where published "
            "SS-GANs were worse than GANs without it"
        )
    return summary
