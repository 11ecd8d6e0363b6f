"""Rows of features on disk, in pieces that are each whole and verified, or not there.

    <cache>/features/<extractor>-<16 hex of key>/rows-00000000-00001000.f32

The key covers the content of the images, the extractor's identity and the kind of device. The
folder may be removed at any time; what is missing is computed again.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.evaluation.image_sets import ImageSet
from ssgan.files.atomic import remove_strays, write_atomic
from ssgan.files.errors import translate_file_errors
from ssgan.files.locks import wait_for_lock
from ssgan.metrics.feature_rows import require_finite
from ssgan.metrics.features import AbstractFeatures
from ssgan.metrics.moments import Moments
from ssgan.metrics.protocol import Protocol, read_statistics, write_statistics
from ssgan.types import ImageShape, UserError

FORMAT_VERSION = 1  # raise it when rows of the same key may change
CHUNK_ROWS = 1000  # images a piece; with Inception, 8 MB and a minute on a CPU core
_SUM_BYTES = 32


class FeatureCache:
    """The features of one stream of images."""

    def __init__(
        self,
        cache: Path,
        content: str,
        shape: ImageShape,
        features: AbstractFeatures,
        device: str,
    ) -> None:
        words = [FORMAT_VERSION, content, list(shape), features.identity(), device]
        self.key = hashlib.sha256(json.dumps(words).encode()).hexdigest()
        slug = re.sub(r"[^A-Za-z0-9]+", "-", features.name).strip("-").lower()[:40]
        self.folder = cache / "features" / f"{slug}-{self.key[:16]}"
        self._locks, self._size = cache / ".locks", features.size

    @contextmanager
    def turn(self, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """One process at a time; `on_wait` is called when another one works on the same rows."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._locks.mkdir(parents=True, exist_ok=True)
        with wait_for_lock(self._locks / self.folder.name, on_wait):
            remove_strays(self.folder)
            yield

    def read(self, numbers: range) -> Float[Tensor, "B F"] | None:
        """The rows of these images, float32; None when they are missing, torn or damaged."""
        try:
            data = self._path(numbers).read_bytes()
        except OSError:
            return None
        body = memoryview(data)[_SUM_BYTES:]
        if len(body) != 4 * len(numbers) * self._size:
            return None
        if self._digest(numbers, body) != data[:_SUM_BYTES]:
            return None
        flat = np.frombuffer(body, "<f4").astype(np.float32)
        return torch.from_numpy(flat.reshape(len(numbers), self._size))

    def write(self, numbers: range, rows: Float[Tensor, "B F"]) -> None:
        """Store the rows of these images; raises DiskFull."""
        body = rows.contiguous().numpy().astype("<f4").tobytes()
        # not forced to the disk: whoever reads it verifies it
        write_atomic(self._path(numbers), self._digest(numbers, body) + body, durable=False)

    def read_moments(self, count: int) -> Moments | None:
        """The moments of the first `count` images, if they are stored whole."""
        try:
            found = read_statistics(self._moments(count))
            return found.moments() if len(found.mean) == self._size else None
        except UserError:
            return None

    def write_moments(self, moments: Moments, protocol: Protocol) -> None:
        """Store the moments that the protocol describes."""
        write_statistics(self._moments(moments.count), moments, protocol)

    def _path(self, numbers: range) -> Path:
        return self.folder / f"rows-{numbers.start:08d}-{numbers.stop:08d}.f32"

    def _moments(self, count: int) -> Path:
        return self.folder / f"moments-{count:08d}.npz"

    def _digest(self, numbers: range, body: bytes | memoryview) -> bytes:
        head = f"{self.key} {numbers.start} {numbers.stop} ".encode()
        return hashlib.sha256(head + body).digest()


Progress = Callable[[int, int], None]  # (images done, images in total)


@dataclass(frozen=True)
class FeatureSet:
    """What is known of the features of one side."""

    count: int  # images
    moments: Moments  # float64, on the CPU
    rows: Float[Tensor, "N F"] | None  # float32, on the CPU; None when they were not kept


@dataclass(frozen=True, kw_only=True)
class FeatureExtraction:
    """How features are made and where they are kept."""

    features: AbstractFeatures
    cache: Path  # folder of the cache
    device: str = "cpu"  # kind of device that the extractor is on; a part of the cache's key
    batch: int = 64  # images made and read at once: memory, not results
    on_wait: Callable[[], None] | None = None  # called when another process makes the same rows

    def gather(
        self,
        side: ImageSet,
        count: int,
        *,
        seed: int = 0,
        keep: bool = True,
        remember: bool = False,
        progress: Progress | None = None,
    ) -> FeatureSet:
        """The features of the first `count` images; what the cache holds is not made again.

        With `remember` the moments are stored too (for the real side, which is measured against
        again). `progress` is called after each batch, not at all when nothing is to be made.
        Raises UserError for features that are NaN or infinite, DiskFull.
        """
        content = side.content(seed)
        store = FeatureCache(self.cache, content, side.shape, self.features, self.device)
        with translate_file_errors(store.folder), store.turn(self.on_wait):
            stored = store.read_moments(count) if remember else None
            if stored is not None and not keep:
                return FeatureSet(count, stored, None)
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
                store.write_moments(moments, set_protocol(self.features, side, count))
                stored = store.read_moments(count)  # the same bits now as when it is found later
        return FeatureSet(count, stored or moments, torch.cat(kept) if keep else None)

    def _extract(
        self,
        side: ImageSet,
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


def set_protocol(features: AbstractFeatures, side: ImageSet, count: int) -> Protocol:
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
