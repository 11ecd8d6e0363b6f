"""How good and how diverse generated images are: the numbers that choose a run's best state."""

import logging
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from ssgan.data.dataset import Dataset
from ssgan.evaluation.features import build_set_protocol, extract_features, read_moments
from ssgan.evaluation.image_sets import RealImages
from ssgan.evaluation.metrics import MetricValue, Parameters, compute_frechet
from ssgan.evaluation.selection_metric import load_extractors
from ssgan.files.run_directory import RunDirectory
from ssgan.metrics.features import AbstractFeatures
from ssgan.metrics.knn import mean_distance
from ssgan.metrics.moments import Moments
from ssgan.metrics.protocol import Statistics, write_statistics
from ssgan.ops.rng import Key, permutation
from ssgan.runs.config import RunConfig

_LOG = logging.getLogger("ssgan")
DIVERSITY = "diversity"
_PAIRED = 1000  # images, at most, whose distances from each other are computed
_AT_ONCE = 256  # real images in memory


class TrainingImages(RealImages):
    """A fixed random choice of a run's training images, in the order of the data set."""

    def __init__(self, dataset: Dataset, count: int, seed: int) -> None:
        super().__init__(dataset, "train")
        self.available, self._seed = count, seed
        chosen = permutation(Key(seed, "score"), len(dataset))[:count]
        self._order = chosen.sort().values

    def selection(self, count: int) -> str:
        """How they were chosen, for a protocol."""
        return f"first of keyed permutation {self._seed}"


class SampleQuality:
    """Compares generated images with one fixed choice of training images."""

    def __init__(self, layout: RunDirectory, config: RunConfig, dataset: Dataset) -> None:
        self.extractors = load_extractors(config)
        self.num_real = min(config.evaluate.images, len(dataset))
        self.images = TrainingImages(dataset, self.num_real, config.seed)
        self._layout = layout
        random, *trained = self.extractors
        (real,) = extract_features([random], self._batches(), _PAIRED)
        self.real = [real.moments, *(self._real_moments(features) for features in trained)]
        rows = real.rows
        self.real_distance = 0.0 if rows is None or len(rows) < 2 else mean_distance(rows)

    def evaluate(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[MetricValue]:
        """Frechet distances (lower is better) and the diversity of images uint8 [n, S, S, C].

        Diversity is the mean distance of two images as a share of that of two real ones: near 0
        G makes one image, at 1 its images differ as much as real ones. Nothing is yielded when
        all real images are the same.
        """
        pixels = (
            torch.from_numpy(np.ascontiguousarray(one)).permute(0, 3, 1, 2) for one in batches
        )
        fakes = extract_features(self.extractors, pixels, _PAIRED)
        if self.real_distance == 0:
            return
        for features, real, fake in zip(self.extractors, self.real, fakes, strict=True):
            sizes = self._sizes(features, fake.moments)
            yield compute_frechet(features, real, fake.moments, sizes)
        rows = fakes[0].rows
        assert rows is not None
        share = mean_distance(rows) / self.real_distance
        sizes = self._sizes(self.extractors[0], fakes[0].moments)
        yield MetricValue(
            name=DIVERSITY, value=share, parameters={**sizes, "num_paired": len(rows)}
        )

    def _sizes(self, features: AbstractFeatures, fake: Moments | Statistics) -> Parameters:
        counts = {"num_real": self.num_real, "num_fake": fake.count or 0}
        return {**counts, "features": features.identity}

    def _batches(self) -> Iterator[UInt8[Tensor, "B C S S"]]:
        return self.images.batches(self.num_real, _AT_ONCE)

    def _real_moments(self, features: AbstractFeatures) -> Moments | Statistics:
        """Computed once a run, and read from its directory afterwards."""
        protocol = build_set_protocol(features, self.images, self.num_real)
        path = self._layout.real_statistics(features.name)
        if (stored := read_moments(path, protocol)) is not None:
            return stored
        _LOG.info("%s of %d real images, once a run", features.distance_name, self.num_real)
        (found,) = extract_features([features], self._batches())
        path.parent.mkdir(exist_ok=True)
        write_statistics(path, found.moments, protocol)
        return found.moments
