"""Distances of feature rows, and their nearest neighbours: Euclidean, or by cosine to classify.

The product form |a|^2 + |b|^2 - 2 a.b loses all digits for rows that nearly coincide (in float32,
self-distances up to 0.035 were seen). Here rows are centred, everything is float64, and pairs
closer than a thousandth of their norms are computed again from differences: copies have distance
0. All loops run in blocks of bounded memory.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from ssgan.metrics.features import check_rows
from ssgan.types import UserError

NEIGHBOURS = 20  # votes of `classify_by_neighbours`
_FEW_NEIGHBOURS = 5  # votes of `neighbour_accuracy`
_CELLS = 2**22  # distances or similarities held at once (32 MB)
_CLOSE = 1e-6  # share of |a|^2 + |b|^2 below which a squared distance is computed again


def distance_blocks(
    a: Float[Tensor, "N F"], b: Float[Tensor, "M F"]
) -> Iterator[tuple[int, Float[Tensor, "R M"]]]:
    """Distances from rows `start`, `start + 1`, ... of a to all of b, block by block, in order."""
    centre = b.mean(dim=0)
    a, b = a - centre, b - centre
    norms = b.square().sum(dim=1)
    start = 0
    for part in torch.split(a, max(1, _CELLS // len(b))):
        yield start, _distances(part, b, norms)
        start += len(part)


def _distances(
    a: Float[Tensor, "R F"], b: Float[Tensor, "M F"], norms: Float[Tensor, " M"]
) -> Float[Tensor, "R M"]:
    both = a.square().sum(dim=1)[:, None] + norms
    squared = both - 2 * a @ b.T
    close = (squared < _CLOSE * both).nonzero()
    for pairs in torch.split(close, max(1, _CELLS // a.shape[1])):
        i, j = pairs.unbind(dim=1)
        squared[i, j] = (a[i] - b[j]).square().sum(dim=1)
    return squared.clamp(min=0).sqrt()


def neighbour_radii(rows: Float[Tensor, "N F"], k: int) -> Float[Tensor, " N"]:
    """The distance of every row to its k-th nearest other row; k from 1.

    Raises UserError unless there are more than k rows.
    """
    if not 1 <= k < len(rows):
        raise UserError(f"a {k}-th nearest neighbour needs more than {k} images, not {len(rows)}")
    radii = []
    for start, block in distance_blocks(rows, rows):
        own = torch.arange(len(block), device=block.device)
        block[own, start + own] = torch.inf
        radii.append(block.kthvalue(k, dim=1).values)
    return torch.cat(radii)


def find_nearest(
    rows: Float[Tensor, "N F"], reference: Float[Tensor, "M F"], count: int
) -> Int[Tensor, "N count"]:
    """The numbers of each row's `count` nearest reference rows, the nearest first."""
    blocks = distance_blocks(rows.double(), reference.double())
    return torch.cat([block.topk(count, largest=False).indices for _, block in blocks])


def mean_distance(features: Float[Tensor, "N F"]) -> float:
    """The mean Euclidean distance over all pairs of different rows; 0 when all are the same.

    Raises UserError for fewer than 2 rows, NaN or infinity.
    """
    rows = check_rows(features, "given")
    total = torch.stack([block.sum() for _, block in distance_blocks(rows, rows)]).sum()
    return float(total) / (len(rows) * (len(rows) - 1))


def classify_by_neighbours(
    training: Float[Tensor, "N F"],
    labels: Int[Tensor, " N"],
    test: Float[Tensor, "M F"],
    num_classes: int,
    k: int = NEIGHBOURS,
) -> Int[Tensor, " M"]:
    """The majority class of the k training rows of greatest cosine similarity.

    Each of the k has one vote; a tie goes to the greater sum of similarities. With fewer than k
    training rows all of them vote. Give centred rows: in features that are all positive every
    cosine is near 1.
    """
    k = min(k, len(training))
    lengths = training.norm(dim=1).clamp(min=torch.finfo(training.dtype).tiny)
    found = []
    for part in torch.split(test, max(1, _CELLS // len(training))):
        nearest = (F.normalize(part, dim=1) @ training.T / lengths).topk(k, dim=1)
        # Similarities of a class sum to at most k: this tie-break never outweighs a vote.
        votes = 1 + nearest.values.double() / (2 * k + 1)
        found.append(_elect(votes, labels[nearest.indices], num_classes))
    return torch.cat(found)


def neighbour_accuracy(
    training: Float[Tensor, "N F"],
    labels: Int[Tensor, " N"],
    test: Float[Tensor, "M F"],
    test_labels: Int[Tensor, " M"],
    num_classes: int,
) -> float:
    """The accuracy of the 5 training rows of greatest cosine, each vote weighing 1 + its cosine.

    It follows one run over its steps, on a few hundred rows: all in float64, in one block.
    """
    cosines = F.normalize(test.double(), dim=1) @ F.normalize(training.double(), dim=1).T
    nearest = cosines.topk(min(_FEW_NEIGHBOURS, len(training)), dim=1)
    classes = _elect(1 + nearest.values, labels[nearest.indices], num_classes)
    return float((classes == test_labels).double().mean())


def _elect(
    votes: Float[Tensor, "M k"], classes: Int[Tensor, "M k"], num_classes: int
) -> Int[Tensor, " M"]:
    """The class with the greatest sum of votes in every row."""
    tally = votes.new_zeros(len(votes), num_classes)
    return tally.scatter_add_(1, classes, votes).argmax(dim=1)
