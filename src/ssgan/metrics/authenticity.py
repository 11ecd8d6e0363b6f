"""Does the generator repeat its training images?

A sample is *too close* when it is nearer to its nearest training image t than t is to any other
training image, or coincides with t. The share of such samples is 1 - authenticity (Alaa et al.
2022). It is not 0 for honest samples: new images of the same law are often nearer to t than the
old ones. Take the share of held-out real images as the level to compare with.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ssgan.metrics.distances import distance_blocks, neighbour_radii
from ssgan.metrics.feature_rows import check_rows, require_same_size


@dataclass(frozen=True)
class Authenticity:
    """How near samples come to training images, in feature distance."""

    distances: Float[Tensor, " M"]  # of every sample to its nearest training image
    nearest: Int[Tensor, " M"]  # the number of that image
    too_close: float  # share of samples too close, as defined above; [0, 1]
    copies: float  # share of samples at distance 0; [0, 1]
    typical: float  # median distance of a training image to its nearest other one


def measure_authenticity(
    training: Float[Tensor, "N F"], samples: Float[Tensor, "M F"]
) -> Authenticity:
    """Compare samples (or held-out reals, for the level to expect) with the training images.

    Exact float64 distances; at least 2 training images and 1 sample. Copies are found at distance
    0 only when the features are those of equal pixels taken in equal batches: float32 networks
    differ in the last bits. Raises UserError for too few rows, NaN or infinity.
    """
    require_same_size(training, samples)
    training = check_rows(training, "training")
    samples = check_rows(samples, "sampled", at_least=1).to(training.device)
    spacing = neighbour_radii(training, 1)
    blocks = [block.min(dim=1) for _, block in distance_blocks(samples, training)]
    distances = torch.cat([block.values for block in blocks])
    nearest = torch.cat([block.indices for block in blocks])
    copied = distances == 0
    return Authenticity(
        distances=distances,
        nearest=nearest,
        too_close=float(((distances < spacing[nearest]) | copied).double().mean()),
        copies=float(copied.double().mean()),
        typical=float(spacing.median()),
    )
