"""Features of image sets: their moments and rows, computed now or read from the cache.

    <cache>/features/<extractor>-<16 hex of key>/rows-00000000-00001000.f32

Each file of rows is whole and verified, or not there. The key covers the content of the images,
the extractor's identity and the kind of device. The folder may be removed at any time; what is
missing is computed again.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ssgan.data.base import Progress
from ssgan.evaluation.image_sets import ImageSet
from ssgan.files.atomic import remove_strays, write_atomic
from ssgan.files.errors import translate_file_errors
from ssgan.files.links import read_regular, refuse_links
from ssgan.files.locks import wait_for_lock
from ssgan.files.ownership import warn_of_other_writers
from ssgan.metrics.features import AbstractFeatures, require_finite
from ssgan.metrics.moments import Moments
from ssgan.metrics.protocol import Protocol, Statistics, read_statistics, write_statistics
from ssgan.ops.collective import (
    Part,
    num_ranks,
    rank,
    share_choice,
    share_work,
    wait_for_ranks,
)
from ssgan.ops.threads import adapting_threads
from ssgan.types import UserError

FORMAT_VERSION = 1  # raise it when rows of the same key may change
CHUNK_ROWS = 1000  # images a file; with Inception, 8 MB and a minute on a CPU core
_SUM_BYTES = 32

ProgressBar: TypeAlias = Callable[[str, str], AbstractContextManager[Progress]]  # (what, unit)


@contextmanager
def no_progress(what: str, unit: str) -> Iterator[Progress]:
    """A progress bar that nobody sees."""
    yield lambda done, total: None


@dataclass(frozen=True)
class FeatureSet:
    """The features of an image set: moments of all images, and rows of the first ones."""

    moments: Moments | Statistics  # float64, on the CPU
    rows: Float[Tensor, "N F"] | None = None  # float32, on the CPU; None when none were kept


def extract_features(
    extractors: Sequence[AbstractFeatures],
    parts: Sequence[Part],
    read: Callable[[Part], UInt8[Tensor, "B C S S"]],
    keep: int = 0,
) -> list[FeatureSet]:
    """The features of the images of all parts by each extractor, with the first `keep` rows.

    `read` returns the images of a part. Of several ranks each does a share of the parts, and rank 0
    alone gets features: the others get moments of nothing. Raises UserError for features that are
    NaN or infinite.
    """
    moments = [Moments(features.size) for features in extractors]
    kept: list[list[Tensor]] = [[] for _ in extractors]
    done = 0

    def extract(part: Part) -> tuple[Tensor, ...]:
        pixels = read(part)
        return tuple(features(pixels).cpu() for features in extractors)

    for found in share_work(parts, extract):
        for rows, own, first in zip(found, moments, kept, strict=True):
            own.update(rows)
            if done < keep:
                first.append(rows[: keep - done])
        done += len(found[0])
    return [
        FeatureSet(own, torch.cat(first) if first else None)
        for own, first in zip(moments, kept, strict=True)
    ]


def read_moments(path: Path, protocol: Protocol) -> Moments | None:
    """Stored moments of exactly this protocol; None when they are missing, damaged or others."""
    if path.is_symlink():
        return None
    try:
        stored = read_statistics(path)
    except UserError:
        return None
    return stored.moments() if stored.protocol == protocol else None


class FeatureCache:
    """The features of one stream of images on disk."""

    def __init__(
        self, cache: Path, images: ImageSet, seed: int, features: AbstractFeatures, device: str
    ) -> None:
        shape = list(images.shape)
        words = [FORMAT_VERSION, images.content(seed), shape, features.identity, device]
        self.key = hashlib.sha256(json.dumps(words).encode()).hexdigest()
        slug = re.sub(r"[^A-Za-z0-9]+", "-", features.name).strip("-").lower()[:40]
        self.folder = cache / "features" / f"{slug}-{self.key[:16]}"
        self._cache, self._locks, self._size = cache, cache / ".locks", features.size

    @contextmanager
    def lock(self, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """One process at a time; `on_wait` is called when another one computes the same rows."""
        refuse_links(self._cache, self.folder, self._locks, self._locks / self.folder.name)
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in (self._locks.parent, self.folder.parent, self.folder):
            warn_of_other_writers(folder)
        self._locks.mkdir(parents=True, exist_ok=True)
        with wait_for_lock(self._locks / self.folder.name, on_wait):
            remove_strays(self.folder)
            yield

    def read(self, numbers: range) -> Float[Tensor, "B F"] | None:
        """The rows of these images, float32; None when they are missing, torn or damaged."""
        try:
            data = read_regular(self._path(numbers))
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

    def moments(self, count: int) -> Path:
        """Where the moments of the first `count` images are stored."""
        return self.folder / f"moments-{count:08d}.npz"

    def _path(self, numbers: range) -> Path:
        return self.folder / f"rows-{numbers.start:08d}-{numbers.stop:08d}.f32"

    def _digest(self, numbers: range, body: bytes | memoryview) -> bytes:
        head = f"{self.key} {numbers.start} {numbers.stop} ".encode()
        return hashlib.sha256(head + body).digest()


@dataclass(frozen=True, kw_only=True)
class FeatureExtraction:
    """How features of image sets are computed and where they are cached."""

    features: AbstractFeatures
    cache: Path  # folder of the cache
    device: str = "cpu"  # kind of device that the extractor is on; a part of the cache's key
    batch: int = 64  # images in memory at once; no effect on results
    on_wait: Callable[[], None] | None = None  # called when another process computes the same rows
    progress_bar: ProgressBar = no_progress  # not called when everything is cached

    def compute(
        self,
        images: ImageSet,
        count: int,
        *,
        seed: int = 0,
        keep_rows: bool = True,
        store_moments: bool = False,
        what: str = "images",
    ) -> FeatureSet:
        """The features of the first `count` images; cached rows are not computed again.

        Of several ranks each computes a part of what is missing, and rank 0 alone gets all of it:
        the others get no rows, and moments of nothing.

        With `store_moments` the moments are cached too (for real images, which are compared with
        again and again). `what` names the images in the progress bar.
        Raises UserError for features that are NaN or infinite, DiskFull.
        """
        cache = FeatureCache(self.cache, images, seed, self.features, self.device)
        protocol = build_set_protocol(self.features, images, count)
        files, bar = translate_file_errors(cache.folder), self.progress_bar(what, "images")
        lock = cache.lock(self.on_wait) if rank() == 0 else nullcontext()
        moments, kept = Moments(self.features.size), list[Tensor]()
        with files, lock, bar as progress:
            stored = read_moments(cache.moments(count), protocol) if store_moments else None
            if share_choice(stored is not None and not keep_rows):
                return FeatureSet(stored or moments)
            chunks = [range(n, min(n + CHUNK_ROWS, count)) for n in range(0, count, CHUNK_ROWS)]
            for numbers in chunks[rank() :: num_ranks()] if num_ranks() > 1 else ():
                if cache.read(numbers) is None:
                    cache.write(numbers, self._compute_rows(images, seed, numbers, count, progress))
            wait_for_ranks()
            for numbers in chunks if rank() == 0 else ():
                rows = cache.read(numbers)
                if rows is None:
                    rows = self._compute_rows(images, seed, numbers, count, progress)
                    cache.write(numbers, rows)
                if stored is None:
                    moments.update(rows)
                if keep_rows:
                    kept.append(rows)
            if rank() == 0 and stored is None and store_moments and count > 1:
                write_statistics(cache.moments(count), moments, protocol)
                # the same bits now as when they are found later
                stored = read_moments(cache.moments(count), protocol)
        return FeatureSet(stored or moments, torch.cat(kept) if kept else None)

    def _compute_rows(
        self, images: ImageSet, seed: int, numbers: range, count: int, progress: Progress
    ) -> Float[Tensor, "B F"]:
        parts = []
        progress(numbers.start, count)
        with adapting_threads(torch.device("cpu")) as threads:
            for start in range(numbers.start, numbers.stop, self.batch):
                some = torch.arange(start, min(start + self.batch, numbers.stop))
                parts.append(self.features(images.images(seed, some)).cpu())
                progress(int(some[-1]) + 1, count)
                threads.adapt()
        rows = torch.cat(parts)
        require_finite(rows, images.name)
        return rows


def build_set_protocol(features: AbstractFeatures, images: ImageSet, count: int) -> Protocol:
    """The protocol of statistics of one image set alone."""
    return Protocol(
        features=features.name,
        features_identity=features.identity,
        resize=features.resize,
        num_real=count,
        num_fake=None,
        split=images.split,
        content=images.content(0),
        selection=images.selection(count),
        dtype=features.dtype,
        fit=images.fit,
        alpha=describe_alpha(features, images),
    )


def describe_alpha(features: AbstractFeatures, images: ImageSet) -> str:
    """What became of transparency, for a protocol."""
    return "over white" if images.shape.channels == 4 and not features.reads_alpha else "none"
