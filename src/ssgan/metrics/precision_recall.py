"""Precision, recall, density and coverage: fidelity and diversity of samples.

Precision and recall of Kynkaanniemi et al. (2019), density and coverage of Naeem et al. (2020),
with strict comparisons as in the latter's code. B(x) is the open ball around x up to its k-th
nearest other image of the same set.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.metrics.features import check_rows, require_same_size
from ssgan.metrics.knn import distance_blocks, neighbour_radii


class PrecisionRecall(NamedTuple):
    """Four shares of N real and M fake images, and their k."""

    precision: float  # share of fakes inside B(real) of any real; [0, 1]
    recall: float  # share of reals inside B(fake) of any fake; [0, 1]
    density: float  # mean over fakes of the number of B(real) around it, over k; from 0, can be > 1
    coverage: float  # share of reals whose B(real) contains a fake; [0, 1]
    k: int


def precision_recall(
    real: Float[Tensor, "N F"], fake: Float[Tensor, "M F"], *, k: int = 5
) -> PrecisionRecall:
    """All four, by exact float64 distances; memory is bounded whatever N and M.

    k = 5 is the choice of Naeem et al. (Kynkaanniemi et al.: 3); the numbers depend on k, N and M.
    Raises UserError when a set has no more than k images, or a value is NaN or infinite.
    """
    require_same_size(real, fake)
    real, fake = check_rows(real, "real"), check_rows(fake, "fake").to(real.device)
    real_radii, fake_radii = neighbour_radii(real, k), neighbour_radii(fake, k)
    balls_around_fake = torch.zeros(len(fake), dtype=torch.int64, device=real.device)
    recalled, covered = 0, 0
    for start, block in distance_blocks(real, fake):
        inside = block < real_radii[start : start + len(block), None]
        balls_around_fake += inside.sum(dim=0)
        covered += int(inside.any(dim=1).sum())
        recalled += int((block < fake_radii).any(dim=1).sum())
    return PrecisionRecall(
        precision=float((balls_around_fake > 0).double().mean()),
        recall=recalled / len(real),
        density=float(balls_around_fake.double().mean()) / k,
        coverage=covered / len(real),
        k=k,
    )
