"""Predict which way up pictures are, by the rotation head of a trained discriminator.

D reads each picture in all four rotations, and its four predictions are combined: if the picture
was rotated by class r, then its copy that is rotated by k more has class r + k.

    log p(r | x) = 2 mean over k of log Q_D(r + k | x^k), normalised over r

With the factor 2 the four count as two independent predictions. On the demo's D it is the best of
1, 1.5, 2, 2.5, 3 and 4 by likelihood: of 2,000 held-out pictures 96 % with p of 0.9 or more are
right. docs/orient-similar.md has the recall.

A rotated picture has the same p, shifted. So upright held-out pictures suffice to measure how well
rotated ones are found.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from numpy.typing import NDArray
from torch import Tensor

from ssgan.ops.rotation import NUM_ROTATIONS, rotated_copies
from ssgan.types import UserError

_WEIGHT = 2.0  # of the mean of the four predictions
_Z = 1.96  # of a 95 % interval

# (images [M, S, S, C] as uint8) -> logits [M, 4] of the rotations
RotationHead = Callable[[NDArray[np.uint8]], Tensor]


def predict_orientations(
    pixels: UInt8[np.ndarray, "N S S C"], head: RotationHead
) -> Float64[np.ndarray, "N 4"]:
    """The probability that each picture was rotated by 0, 90, 180 or 270 degrees.

    Degrees count counter-clockwise, from upright.
    """
    images = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
    every = torch.cat([images.float(), rotated_copies(images.float())]).to(torch.uint8)
    logits = head(every.permute(0, 2, 3, 1).contiguous().numpy()).double().cpu()
    by_copy = logits.log_softmax(dim=1).view(NUM_ROTATIONS, len(pixels), NUM_ROTATIONS)
    # column r of copy k is moved from r + k
    aligned = torch.stack([copy.roll(-k, dims=1) for k, copy in enumerate(by_copy)])
    probabilities: NDArray[np.float64] = (_WEIGHT * aligned.mean(dim=0)).softmax(dim=1).numpy()
    return probabilities


@dataclass(frozen=True)
class Orientations:
    """The predicted rotation of each picture, and its confidence."""

    rotation: NDArray[np.int8]  # [N], 0 to 3: quarter rotations counter-clockwise from upright
    confidence: NDArray[np.float32]  # [N], the probability of that rotation

    @staticmethod
    def of(probabilities: Float64[np.ndarray, "N 4"]) -> "Orientations":
        """The most probable rotation of each row."""
        rotation = probabilities.argmax(axis=1).astype(np.int8)
        return Orientations(rotation, probabilities.max(axis=1).astype(np.float32))

    def is_listed(self, threshold: float) -> NDArray[np.bool_]:
        """Whether each picture is predicted as not upright, with at least this confidence."""
        found: NDArray[np.bool_] = (self.rotation != 0) & (self.confidence >= threshold)
        return found


@dataclass(frozen=True, kw_only=True)
class OrientationQuality:
    """How well rotated pictures are found at a threshold; all values are shares."""

    threshold: float  # confidence from which a picture is listed
    recall: float  # of rotated pictures, those that are listed with the right rotation
    misplaced: float  # of rotated pictures, those that are listed with a wrong rotation
    false_alarms: float  # of upright pictures, those that are listed

    def precision(self, rotated: float) -> float | None:
        """The share of listed pictures that are rotated as listed.

        `rotated` is the share of pictures that are rotated. None where none is listed.
        """
        right = rotated * self.recall
        listed = right + rotated * self.misplaced + (1 - rotated) * self.false_alarms
        return right / listed if listed > 0 else None

    def estimate_rotated(self, listed: int, pictures: int) -> tuple[float, float] | None:
        """The share of rotated pictures where so many are listed, and half of a 95 % interval.

        It assumes that pictures are as those that were measured. None where that says nothing.
        """
        span = self.recall + self.misplaced - self.false_alarms
        if span <= 0:
            return None
        share = listed / pictures
        half = _Z * (share * (1 - share) / pictures) ** 0.5 / span
        return min(1.0, max(0.0, (share - self.false_alarms) / span)), half


def measure_orientations(upright: Orientations, threshold: float) -> OrientationQuality:
    """The quality on upright pictures and their rotated copies, each rotation as often.

    Raises UserError without pictures.
    """
    if not len(upright.rotation):
        raise UserError("no upright picture to measure on")
    sure = upright.confidence >= threshold
    recall = float((sure & (upright.rotation == 0)).mean())
    false_alarms = float((sure & (upright.rotation != 0)).mean())
    # A prediction that is off by r calls the copy upright that is rotated by -r, one of three.
    return OrientationQuality(
        threshold=threshold,
        recall=recall,
        misplaced=false_alarms * (NUM_ROTATIONS - 2) / (NUM_ROTATIONS - 1),
        false_alarms=false_alarms,
    )
