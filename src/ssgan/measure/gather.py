"""Features of a side, image by image, kept on disk as they are made.

Memory: one batch of images, one piece of `CHUNK_ROWS` rows, F x F moments in float64 (34 MB for
2048 features), and with `keep` all rows: count * F * 4 bytes, 82 MB for 10,000 images of Inception.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.files.errors import file_errors_in_words
from ssgan.measure.feature_cache import CHUNK_ROWS, FeatureCache
from ssgan.measure.sides import AbstractSide
from ssgan.metrics.features import AbstractFeatures
from ssgan.metrics.moments import Moments
from ssgan.metrics.rows import require_finite
from ssgan.metrics.statistics import Protocol

Progress = Callable[[int, int], None]  # (images done, images in total)


@dataclass(frozen=True)
class Gathered:
    """What is known of the features of one side."""

    count: int  # images
    moments: Moments  # float64, on the CPU
    rows: Float[Tensor, "N F"] | None  # float32, on the CPU; None when they were not kept


@dataclass(frozen=True, kw_only=True)
class Gatherer:
    """How features are made and where they are kept."""

    features: AbstractFeatures
    cache: Path  # folder of the cache
    device: str = "cpu"  # kind of device that the extractor is on; a part of the cache's key
    batch: int = 64  # images made and read at once: memory, not results
    on_wait: Callable[[], None] | None = None  # called when another process makes the same rows

    def gather(
        self,
        side: AbstractSide,
        count: int,
        *,
        seed: int = 0,
        keep: bool = True,
        remember: bool = False,
        progress: Progress | None = None,
    ) -> Gathered:
        """The features of the first `count` images; what the cache holds is not made again.

        With `remember` the moments are stored too (for the real side, which is measured against
        again). `progress` is called after each batch, not at all when nothing is to be made.
        Raises UserError for features that are NaN or infinite, DiskFull.
        """
        content = side.content(seed)
        store = FeatureCache(self.cache, content, side.shape, self.features, self.device)
        with file_errors_in_words(store.folder), store.turn(self.on_wait):
            stored = store.read_moments(count) if remember else None
            if stored is not None and not keep:
                return Gathered(count, stored, None)
            moments, kept = Moments(self.features.size), []
            for start in range(0, count, CHUNK_ROWS):
                numbers = range(start, min(start + CHUNK_ROWS, count))
                rows = store.read(numbers)
                if rows is None:
                    rows = self._extract(side, seed, numbers, count, progress)
                    store.write(numbers, rows)
                if stored is None:
                    moments.update(rows)
                if keep:
                    kept.append(rows)
            if stored is None and remember and count > 1:
                store.write_moments(moments, side_protocol(self.features, side, count))
                stored = store.read_moments(count)  # the same bits now as when it is found later
        return Gathered(count, stored or moments, torch.cat(kept) if keep else None)

    def _extract(
        self,
        side: AbstractSide,
        seed: int,
        numbers: range,
        count: int,
        progress: Progress | None,
    ) -> Float[Tensor, "B F"]:
        parts = []
        tell = progress or (lambda done, total: None)
        tell(numbers.start, count)
        for start in range(numbers.start, numbers.stop, self.batch):
            some = torch.arange(start, min(start + self.batch, numbers.stop))
            parts.append(self.features(side.images(seed, some)).cpu())
            tell(int(some[-1]) + 1, count)
        rows = torch.cat(parts)
        require_finite(rows, side.name)
        return rows


def side_protocol(features: AbstractFeatures, side: AbstractSide, count: int) -> Protocol:
    """The protocol of statistics of one side alone."""
    return Protocol(
        features=features.name,
        features_identity=features.identity(),
        resize=features.resize,
        num_real=count,
        num_fake=None,
        split=side.split,
        content=side.content(0),
        selection=side.selection(count),
    )
