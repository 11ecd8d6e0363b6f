"""Euclidean distances between feature rows, in float64 and in blocks of bounded memory.

The product form |a|^2 + |b|^2 - 2 a.b loses all digits for rows that nearly coincide (in float32,
self-distances up to 0.035 were seen). Here rows are centred, everything is float64, and pairs
closer than a thousandth of their norms are taken again by differences: copies have distance 0.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.types import UserError

_CELLS = 2**22  # distances held at once (32 MB)
_CLOSE = 1e-6  # share of |a|^2 + |b|^2 below which a squared distance is taken again


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
