"""The rotation task: tell by how much an image was turned."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ssgan.ops.rotation import turns_of
from ssgan.types import Scalar, UserError


def rotation_loss(
    upright: Float[Tensor, "N 4"], others: Float[Tensor, "M 4"]
) -> tuple[Scalar, Scalar]:
    """-E_r log Q_D(r | x^r) from the logits of the same N images upright and turned (M = 3 N).

    With it, the share of the 4 N logits that are highest at the right turn.
    """
    logits = torch.cat([upright, others])
    turns = turns_of(len(upright), logits.device)
    accuracy = (logits.detach().argmax(dim=1) == turns).to(logits.dtype).mean()
    return F.cross_entropy(logits, turns), accuracy


def checked_fraction(rotated_fraction: float) -> None:
    """Raise UserError unless the share lies in (0, 1]."""
    if not 0 < rotated_fraction <= 1:
        raise UserError(f"rotated_fraction must be above 0 and at most 1, not {rotated_fraction}")
