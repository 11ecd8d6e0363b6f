"""Kernel statistics: the distance of two sets, and the alignment of two sets of features.

The kernel distance (KID; Binkowski et al. 2018) is the squared MMD with a cubic kernel.

    k(x, y) = (x . y / F + 1)^3,   F features a row

The U-statistic leaves out k(x_i, x_i), so the estimate is unbiased at every N and may be negative.
On the 2015 Inception features it is the KID; on others it is named after them.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.metrics.features import check_rows, require_same_size
from ssgan.types import UserError

_CELLS = 2**22  # kernel values held at once (32 MB)


class KernelDistance(NamedTuple):
    """The mean over subsets, their standard deviation, and the parameters."""

    value: float
    std_within: float  # standard deviation over subsets (over n, not n - 1); not a standard error
    subsets: int
    subset_size: int


def kernel_distance(
    real: Float[Tensor, "N F"],
    fake: Float[Tensor, "M F"],
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> KernelDistance:
    """The mean of `squared_mmd` over random subsets, each without replacement.

    100 x 1000 is customary. Raises UserError when either set has fewer than `subset_size` images
    (a smaller size changes the deviation, so it must be explicit), a value is NaN or infinite, or
    `subset_size` < 2.
    """
    if subset_size < 2 or subsets < 1:
        raise UserError(
            f"kernel distance with {subsets} subsets of {subset_size} images is not possible; "
            "at least 1 subset of 2"
        )
    smaller = min(len(real), len(fake))
    if smaller < subset_size:
        raise UserError(
            f"kernel distance takes subsets of {subset_size} images and there are {smaller}; "
            f"set subset_size <= {smaller}, or use more images"
        )
    require_same_size(real, fake)
    real, fake = check_rows(real, "real"), check_rows(fake, "fake").to(real.device)
    generator = torch.Generator().manual_seed(seed)

    def some(rows: Float[Tensor, "L F"]) -> Float[Tensor, "K F"]:
        chosen = torch.randperm(len(rows), generator=generator)[:subset_size]
        return rows[chosen.to(rows.device)]

    values = torch.tensor(
        [_squared_mmd(some(real), some(fake)) for _ in range(subsets)], dtype=torch.float64
    )
    std_within = float(values.std(correction=0))
    return KernelDistance(float(values.mean()), std_within, subsets, subset_size)


def squared_mmd(real: Float[Tensor, "N F"], fake: Float[Tensor, "M F"]) -> float:
    """The unbiased estimate from all rows at once: the same expectation, the least variance.

    At least 2 rows each; memory is bounded whatever N and M. Raises UserError for NaN or infinity.
    """
    require_same_size(real, fake)
    real, fake = check_rows(real, "real"), check_rows(fake, "fake").to(real.device)
    return _squared_mmd(real, fake)


def _squared_mmd(real: Float[Tensor, "N F"], fake: Float[Tensor, "M F"]) -> float:
    within = _mean_of_pairs(real) + _mean_of_pairs(fake)
    across = sum(float(block.sum()) for block in _kernel_blocks(real, fake))
    return within - 2 * across / (len(real) * len(fake))


def _mean_of_pairs(rows: Float[Tensor, "N F"]) -> float:
    """The mean of k over the ordered pairs of different rows."""
    total = sum(float(block.sum()) for block in _kernel_blocks(rows, rows))
    itself = float((rows.square().sum(dim=1) / rows.shape[1] + 1).pow(3).sum())
    return (total - itself) / (len(rows) * (len(rows) - 1))


def _kernel_blocks(
    a: Float[Tensor, "N F"], b: Float[Tensor, "M F"]
) -> Iterator[Float[Tensor, "R M"]]:
    for part in torch.split(a, max(1, _CELLS // len(b))):
        yield (part @ b.T / a.shape[1] + 1).pow(3)


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
