"""Authenticity (Alaa et al. 2022): does the generator repeat its training images?

A sample is *authentic* unless it is nearer to its nearest training image t than t is to any other
training image, or coincides with t. Authenticity is the share of authentic samples. It is not 1
for honest samples: new images of the same distribution are often nearer to t than the old ones.
The authenticity of held-out real images is the level to compare with.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ssgan.metrics.features import check_rows, require_same_size
from ssgan.metrics.knn import distance_blocks, neighbour_radii


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
