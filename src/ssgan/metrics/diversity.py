"""How far apart the images of a set are."""

import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.metrics.distances import distance_blocks
from ssgan.metrics.rows import checked_rows


def mean_distance(features: Float[Tensor, "N F"]) -> float:
    """The mean Euclidean distance over all pairs of different rows; 0 when all are the same.

    Raises UserError for fewer than 2 rows, NaN or infinity.
    """
    rows = checked_rows(features, "given")
    total = torch.stack([block.sum() for _, block in distance_blocks(rows, rows)]).sum()
    return float(total) / (len(rows) * (len(rows) - 1))
