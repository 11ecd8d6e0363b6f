"""How good and how diverse generated images are, cheaply: it chooses the best state of a run."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from ssgan.data.dataset import Dataset
from ssgan.metrics.diversity import mean_distance
from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.frechet import frechet_from_moments
from ssgan.metrics.moments import Moments
from ssgan.ops.keyed import Key, permutation
from ssgan.training.config import RunConfig
from ssgan.training.measure import Measure

FD, DIVERSITY = "FD-random", "diversity"  # the first is no FID: its features are random
_PAIRED = 1000  # images, at most, whose distances from each other are taken


class Quality:
    """Compares generated images with one fixed choice of training images."""

    def __init__(self, config: RunConfig, dataset: Dataset) -> None:
        self.features = RandomFeatures()
        self.num_real = min(config.evaluate.images, len(dataset))
        order = permutation(Key(config.seed, "score"), len(dataset))
        numbers = order[: self.num_real].sort().values.numpy()
        batches = (dataset.batch(numbers[i : i + 256]) for i in range(0, self.num_real, 256))
        self.real, rows = self._seen(batches)
        self.real_distance = mean_distance(rows) if len(rows) > 1 else 0.0

    def measures(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[Measure]:
        """FD-random (lower is better) and the diversity of images uint8 [n, S, S, C].

        Diversity is the mean distance of two images as a share of that of two real ones: near 0
        G makes one image, at 1 its images differ as much as real ones. Real images that are all
        the same have neither.
        """
        fake, rows = self._seen(batches)
        if self.real_distance == 0:
            return
        protocol = {
            "num_real": self.num_real,
            "num_fake": fake.count,
            "features": self.features.identity(),
        }
        yield Measure(FD, float(frechet_from_moments(self.real, fake)), "train", protocol)
        share = mean_distance(rows) / self.real_distance
        yield Measure(DIVERSITY, share, "train", {**protocol, "num_paired": len(rows)})

    def _seen(
        self, batches: Iterable[NDArray[np.uint8]]
    ) -> tuple[Moments, Float[Tensor, "N {self.features.size}"]]:
        """The moments of all images' features, and the rows that are paired."""
        moments, rows, kept = Moments(self.features.size), [], 0
        for images in batches:
            pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
            features = self.features(pixels)
            moments.update(features)
            rows.append(features[: _PAIRED - kept])
            kept += len(rows[-1])
        return moments, torch.cat(rows)
