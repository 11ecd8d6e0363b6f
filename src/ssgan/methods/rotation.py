"""The rotation task: tell by how much an image was turned."""

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
    upright: Float[Tensor, "N 4"], others: Float[Tensor, "M 4"]
) -> tuple[Scalar, Scalar]:
    """-E_r log Q_D(r | x^r) from the logits of the same N images upright and turned (M = 3 N).

    With it, the share of the 4 N logits that are highest at the right turn.
    """
    logits, turns = all_rotations(upright, others)
    return F.cross_entropy(logits, turns), rotation_accuracy(logits, turns)


def all_rotations(
    upright: Float[Tensor, "N K"], others: Float[Tensor, "M K"]
) -> tuple[Float[Tensor, "L K"], Int[Tensor, " L"]]:
    """Logits of the same N images upright, then turned (L = 4 N), and the turn of each row."""
    logits = torch.cat([upright, others])
    return logits, rotation_labels(len(upright), logits.device)


def rotation_accuracy(logits: Float[Tensor, "L 4"], turns: Int[Tensor, " L"]) -> Scalar:
    """The share of rows whose logit is highest at the right turn."""
    return (logits.detach().argmax(dim=1) == turns).to(logits.dtype).mean()


@dataclass(frozen=True, kw_only=True)
class RotationMethod(Method, ABC):
    """A method whose D also tells turns, on a share of every global batch."""

    rotated_fraction: float = 0.25  # share of the global batch seen in all four turns, in (0, 1]
    auxiliary_width: ClassVar[int] = NUM_ROTATIONS
    predicts_rotation: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_shares(rotated_fraction=self.rotated_fraction)

    def num_rotated(self, batch_size: int) -> int:
        """How many images of a global batch are also seen turned."""
        return round(self.rotated_fraction * batch_size)
