"""The rotation task: predict by which multiple of 90 degrees an image was rotated."""

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ssgan.methods.base import Method, check_shares
from ssgan.ops.rotation import NUM_ROTATIONS, rotation_labels
from ssgan.types import Scalar


def rotation_loss(
    upright: Float[Tensor, "N 4"], rotated: Float[Tensor, "M 4"]
) -> tuple[Scalar, Scalar]:
    """-E_r log Q_D(r | x^r), and the accuracy of the predicted rotations.

    The logits belong to the same N images, upright and rotated (M = 3 N).
    """
    logits, r = all_rotations(upright, rotated)
    return F.cross_entropy(logits, r), rotation_accuracy(logits, r)


def all_rotations(
    upright: Float[Tensor, "N K"], rotated: Float[Tensor, "M K"]
) -> tuple[Float[Tensor, "L K"], Int[Tensor, " L"]]:
    """The logits of N images, upright then rotated (L = 4 N), and the rotation of each row."""
    logits = torch.cat([upright, rotated])
    return logits, rotation_labels(len(upright), logits.device)


def rotation_accuracy(logits: Float[Tensor, "L 4"], r: Int[Tensor, " L"]) -> Scalar:
    """The share of rows whose highest logit is the one of their rotation r."""
    return (logits.detach().argmax(dim=1) == r).to(logits.dtype).mean()


@dataclass(frozen=True, kw_only=True)
class RotationMethod(Method, ABC):
    """A method whose D also predicts rotations, on a share of every global batch."""

    rotated_fraction: float = 0.25  # share of the batch that D reads in all four rotations, (0, 1]
    auxiliary_width: ClassVar[int] = NUM_ROTATIONS
    predicts_rotation: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_shares(rotated_fraction=self.rotated_fraction)

    def num_rotated(self, batch_size: int) -> int:
        """The number of images in a global batch that D also reads in the other rotations."""
        return round(self.rotated_fraction * batch_size)
