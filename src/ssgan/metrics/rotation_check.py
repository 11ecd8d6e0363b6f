"""Can rotations of these images be recognised at all, and is it too easy? From the images alone.

The rotation task teaches D nothing where images look alike in all turns (textures, cells, maps
from above), and little where a glance is enough (aligned faces: in the paper's table on CelebA-HQ
and in published re-runs on CelebA, SS-GAN is worse than the GAN without the task).

The measure: a linear classifier of the four turns on `RandomFeatures` and 8 x 8 grey means, fitted
and tested on different images. The means see what stands at the same place in every image, which
is what makes aligned faces easy; without them the share of real faces was that of a brick wall. It
is a lower bound of what D can learn, and no forecast of a run. docs/data.md has the shares of real
images that the limits go by.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float64, Int, UInt8
from torch import Tensor

from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.linear_probe import solve_ridge
from ssgan.ops.pixels import from_uint8
from ssgan.ops.rotation import NUM_ROTATIONS, rotated_copies, rotation_labels
from ssgan.types import UserError

MOST = 256  # images that are looked at, evenly spread over those given
FEWEST = 100  # below this the classifier is too poor for its share to mean anything
_FOLDS = 4  # each image is tested once, by a classifier of the other three quarters
_RIDGE = 0.1  # penalty on squared weights, as a share of the number of rows
_PLACES = 8  # grey means a side
_FLAT = 1e-6  # a number that spreads less is the same in all images
_HARDLY = 0.32  # share told; chance is 0.25, give or take 0.04 on 256 images
_TRIVIAL = 0.92  # between real faces (0.94 and more) and other images (0.90 and less)


@dataclass(frozen=True)
class RotationReport:
    """How well a linear classifier recognises the turns, and the same in words."""

    accuracy: float  # share of turns recognised, on images it was not fitted to; chance is 0.25
    num_images: int  # images looked at, each in all four turns
    sentence: str  # one line for people, a warning where the share is at either end

    @property
    def is_warning(self) -> bool:
        """Whether the task may be empty here, or too easy to teach D much."""
        return not _HARDLY <= self.accuracy <= _TRIVIAL


def check_rotations(images: UInt8[Tensor, "N C S S"]) -> RotationReport:
    """The report on uint8 images with 1 or 3 channels; the same for the same images.

    Raises UserError for fewer than 100 images.
    """
    if len(images) < FEWEST:
        raise UserError(f"{len(images)} images are too few to tell turns by; it needs {FEWEST}")
    count = min(MOST, len(images))
    some = images[torch.arange(count) * len(images) // count]
    others = rotated_copies(some.float()).to(torch.uint8)
    rows = _rows(torch.cat([some, others]))
    turns = rotation_labels(count, rows.device)
    image = torch.arange(count, device=rows.device).repeat(NUM_ROTATIONS)
    told = torch.cat([_told(rows, turns, image % _FOLDS == fold) for fold in range(_FOLDS)])
    accuracy = float(told.double().mean())
    return RotationReport(accuracy, count, _sentence(accuracy))


def _rows(images: UInt8[Tensor, "L C S S"]) -> Float64[Tensor, "L F"]:
    """What the classifier sees of each image: random features, then grey means by place."""
    grey = from_uint8(images.double().mean(dim=1, keepdim=True), torch.float64)
    places = F.adaptive_avg_pool2d(grey, _PLACES).flatten(1)
    features = RandomFeatures()(images).double()
    return torch.cat([features, places.to(features.device)], dim=1)


def _told(
    rows: Float[Tensor, "L F"], turns: Int[Tensor, " L"], tested: Bool[Tensor, " L"]
) -> Bool[Tensor, " T"]:
    """For each tested row, whether a ridge classifier of the others names its turn."""
    fitted = rows[~tested]
    mean, spread = fitted.mean(dim=0), fitted.std(dim=0).clamp(min=_FLAT)
    inputs, held_out = (fitted - mean) / spread, (rows[tested] - mean) / spread
    wanted = F.one_hot(turns[~tested], NUM_ROTATIONS).double() - 1 / NUM_ROTATIONS
    weights = solve_ridge(inputs, wanted, _RIDGE * len(inputs))
    return torch.eq((held_out @ weights).argmax(dim=1), turns[tested])


def _sentence(accuracy: float) -> str:
    told = f"{accuracy:.0%} recognised by a linear classifier on simple features (chance 25%)"
    if accuracy < _HARDLY:
        return f"{told}: the images look much alike when turned, so the rotation task may be empty"
    if accuracy > _TRIVIAL:
        return (
            f"{told}: the rotation task is easy here, as on aligned faces, where published "
            "SS-GANs were worse than GANs without it"
        )
    return told
