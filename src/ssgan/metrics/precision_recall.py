"""Fidelity, diversity and authenticity of samples, by distances to nearest neighbours.

Precision and recall of Kynkaanniemi et al. (2019), density and coverage of Naeem et al. (2020),
with strict comparisons as in the latter's code. B(x) is the open ball around x up to its k-th
nearest other image of the same set. An image with k or more copies in its set has radius 0: B(x) is
then x itself, and of all such B(x) a fake at x counts k in the density, their limit for copies that
differ by a little.

Authenticity of Alaa et al. (2022): does the generator repeat its training images? A sample is
*authentic* unless it is nearer to its nearest training image t than t is to any other training
image, or coincides with t. The share of authentic samples is not 1 for honest ones: new images of
the same distribution are often nearer to t than the old ones. The authenticity of held-out real
images is the level to compare with.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
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
    at_copies = torch.zeros(len(fake), dtype=torch.bool, device=real.device)
    recalled, covered = 0, 0
    for start, block in distance_blocks(real, fake):
        inside, same = block < real_radii[start : start + len(block), None], block == 0
        balls_around_fake += inside.sum(dim=0)
        at_copies |= (same & ~inside).any(dim=0)
        covered += int((inside | same).any(dim=1).sum())
        recalled += int(((block < fake_radii) | same).any(dim=1).sum())
    balls_around_fake += k * at_copies
    return PrecisionRecall(
        precision=float((balls_around_fake > 0).double().mean()),
        recall=recalled / len(real),
        density=float(balls_around_fake.double().mean()) / k,
        coverage=covered / len(real),
        k=k,
    )


@dataclass(frozen=True)
class Authenticity:
    """How near samples come to training images, in feature distance."""

    distances: Float[Tensor, " M"]  # of every sample to its nearest training image
    nearest: Int[Tensor, " M"]  # the number of that image
    authenticity: float  # share of authentic samples, as defined above; [0, 1]
    duplicates: float  # share of samples at distance 0; [0, 1]
    median_spacing: float  # median distance of a training image to its nearest other one


def measure_authenticity(
    training: Float[Tensor, "N F"], samples: Float[Tensor, "M F"]
) -> Authenticity:
    """Compare samples (or held-out reals, for the level to expect) with the training images.

    Exact float64 distances; at least 2 training images and 1 sample. Duplicates have distance 0
    only when their features come from equal pixels in equal batches: float32 networks differ in
    the last bits. Raises UserError for too few rows, NaN or infinity.
    """
    require_same_size(training, samples)
    training = check_rows(training, "training")
    samples = check_rows(samples, "sampled", at_least=1).to(training.device)
    spacing = neighbour_radii(training, 1)
    blocks = [block.min(dim=1) for _, block in distance_blocks(samples, training)]
    distances = torch.cat([block.values for block in blocks])
    nearest = torch.cat([block.indices for block in blocks])
    duplicate = distances == 0
    too_close = (distances < spacing[nearest]) | duplicate
    return Authenticity(
        distances=distances,
        nearest=nearest,
        authenticity=1 - float(too_close.double().mean()),
        duplicates=float(duplicate.double().mean()),
        median_spacing=float(spacing.median()),
    )
