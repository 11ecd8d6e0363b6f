"""A cheap score of sample quality during training: it chooses the best state of a run."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ssgan.data.dataset import Dataset
from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.frechet import frechet_from_moments
from ssgan.metrics.moments import Moments
from ssgan.ops.keyed import Key, permutation
from ssgan.training.config import RunConfig
from ssgan.training.sampling import generate_batches

NAME = "FD-random"  # a Fréchet distance on random features: not an FID


class Quality:
    """Scores generators against one fixed choice of real images; lower is better."""

    def __init__(self, config: RunConfig, dataset: Dataset) -> None:
        self.features = RandomFeatures()
        self.num_real = min(config.output.score_images, len(dataset))
        order = permutation(Key(config.seed, "score"), len(dataset))
        numbers = order[: self.num_real].sort().values.numpy()
        self.real = Moments(self.features.size)
        for start in range(0, self.num_real, 256):
            self._add(self.real, dataset.batch(numbers[start : start + 256]))
        self.num_fake = config.output.score_images

    def score(self, generator: nn.Module, latents: Tensor, labels: Tensor | None) -> float:
        """FD-random of the images made from these latents, against the reals."""
        fake = Moments(self.features.size)
        for images in generate_batches(generator, latents, labels):
            self._add(fake, images)
        return float(frechet_from_moments(self.real, fake))

    def protocol(self) -> dict[str, object]:
        """What the score's value depends on."""
        identity = self.features.identity()
        return {"num_real": self.num_real, "num_fake": self.num_fake, "features": identity}

    def _add(self, moments: Moments, images: NDArray[np.uint8]) -> None:
        pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        with torch.no_grad():
            moments.update(self.features(pixels))
