"""Frechet distances and diversity of generated images, which choose the best state of a run."""

import logging
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from ssgan.data.dataset import Dataset
from ssgan.files.run_directory import RunDirectory
from ssgan.metrics.features import AbstractFeatures
from ssgan.metrics.frechet import frechet_from_moments
from ssgan.metrics.moments import Moments
from ssgan.metrics.protocol import Protocol, read_statistics, write_statistics
from ssgan.metrics.representation import mean_distance
from ssgan.ops.rng import Key, permutation
from ssgan.runs.config import RunConfig
from ssgan.training.history import EvaluationRow
from ssgan.training.selection_metric import load_extractors
from ssgan.types import UserError

_LOG = logging.getLogger("ssgan")
DIVERSITY = "diversity"
_PAIRED = 1000  # images, at most, whose pairwise distances are computed
_AT_ONCE = 256  # real images in memory


class SampleQuality:
    """Compares generated images with a fixed subset of the training images."""

    def __init__(self, layout: RunDirectory, config: RunConfig, dataset: Dataset) -> None:
        self.extractors = load_extractors(config)
        self.num_real = min(config.evaluate.images, len(dataset))
        self._layout, self._dataset, self._seed = layout, dataset, config.seed
        order = permutation(Key(config.seed, "score"), len(dataset))
        self._numbers = order[: self.num_real].sort().values.numpy()
        random, *trained = self.extractors
        (real,), rows = _extract([random], self._reals())
        self.real = [real, *(self._real_moments(features) for features in trained)]
        self.real_distance = mean_distance(rows) if len(rows) > 1 else 0.0

    def evaluate(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[EvaluationRow]:
        """Frechet distances (lower is better) and the diversity of images uint8 [n, S, S, C].

        Diversity is the mean distance of two generated images over that of two real ones: 0 when
        all are the same, 1 when they differ as much as real ones. There are no rows when all real
        images are the same.
        """
        fakes, rows = _extract(self.extractors, batches)
        if self.real_distance == 0:
            return
        for features, real, fake in zip(self.extractors, self.real, fakes, strict=True):
            value = float(frechet_from_moments(real, fake))
            yield EvaluationRow(features.distance_name, value, "train", self._facts(features, fake))
        share = mean_distance(rows) / self.real_distance
        facts = self._facts(self.extractors[0], fakes[0])
        yield EvaluationRow(DIVERSITY, share, "train", {**facts, "num_paired": len(rows)})

    def _facts(self, features: AbstractFeatures, fake: Moments) -> dict[str, object]:
        facts = {"num_real": self.num_real, "num_fake": fake.count}
        return {**facts, "features": features.identity()}

    def _reals(self) -> Iterator[NDArray[np.uint8]]:
        for start in range(0, self.num_real, _AT_ONCE):
            yield self._dataset.batch(self._numbers[start : start + _AT_ONCE])

    def _real_moments(self, features: AbstractFeatures) -> Moments:
        """Moments of the real images, computed once a run and stored in its directory."""
        protocol = Protocol(
            features=features.name,
            features_identity=features.identity(),
            resize=features.resize,
            num_real=self.num_real,
            num_fake=None,
            split="train",
            content=self._dataset.content_hash,
            selection=f"first of keyed permutation {self._seed}",
        )
        path = self._layout.real_statistics(features.name)
        try:
            stored = read_statistics(path)
            if stored.protocol == protocol:
                return stored.moments()
        except UserError:
            pass  # not there yet, or damaged
        _LOG.info("%s of %d real images, once a run", features.distance_name, self.num_real)
        (moments,), _ = _extract([features], self._reals())
        path.parent.mkdir(exist_ok=True)
        write_statistics(path, moments, protocol)
        return moments


def _extract(
    extractors: list[AbstractFeatures], batches: Iterable[NDArray[np.uint8]]
) -> tuple[list[Moments], Float[Tensor, "N F"]]:
    """Moments of all images by each extractor, and the first one's rows of up to 1000 images."""
    moments = [Moments(features.size) for features in extractors]
    rows, paired = [], 0
    for images in batches:
        pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        found = [features(pixels).cpu() for features in extractors]
        for total, of_batch in zip(moments, found, strict=True):
            total.update(of_batch)
        rows.append(found[0][: _PAIRED - paired])
        paired += len(rows[-1])
    return moments, torch.cat(rows)
