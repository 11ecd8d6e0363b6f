"""How alike two sets of features of the same images are, and how far apart the rows of one are."""

import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.metrics.features import check_rows
from ssgan.metrics.knn import distance_blocks


def linear_cka(a: Float[Tensor, "N F"], b: Float[Tensor, "N E"]) -> float:
    """How alike two sets of features of the same N images are, in [0, 1]; 1 for the same.

    Centred kernel alignment with linear kernels (Kornblith et al. 2019): blind to rotations and
    to one scale for all features. NaN when the features of a set are all the same.
    """
    first, second = _centred_gram(a), _centred_gram(b)
    return float((first * second).sum() / (first.norm() * second.norm()))


def _centred_gram(rows: Float[Tensor, "N F"]) -> Float[Tensor, "N N"]:
    centred = rows.double() - rows.double().mean(dim=0)
    return centred @ centred.T


def mean_distance(features: Float[Tensor, "N F"]) -> float:
    """The mean Euclidean distance over all pairs of different rows; 0 when all are the same.

    Raises UserError for fewer than 2 rows, NaN or infinity.
    """
    rows = check_rows(features, "given")
    total = torch.stack([block.sum() for _, block in distance_blocks(rows, rows)]).sum()
    return float(total) / (len(rows) * (len(rows) - 1))
