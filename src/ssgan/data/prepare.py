"""Decode a source once into a folder of the cache, where training maps it.

    <cache>/<source>-<16 hex of key>/   images.npy, labels.npy (with labels), manifest.json
    <cache>/<...>.partial/              the pieces of a preparation that is under way

The key covers the source's name and fingerprint, the policy and the version of this code, so
changed images are prepared anew. A killed preparation goes on with the pieces it has. The order
and the bytes of the result do not depend on the number of workers.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from ssgan.data.assemble import assemble
from ssgan.data.base import AbstractCollection, AbstractSource, HeaderStats, Preprocessing
from ssgan.data.cache import default_cache, locked_folder
from ssgan.data.chunks import make_chunk, read_chunk, write_chunk
from ssgan.data.dataset import Dataset, load_prepared
from ssgan.data.preprocessing import quiet_pillow
from ssgan.files.atomic import DiskFull, free_bytes, remove_strays
from ssgan.files.first_good import outdated
from ssgan.types import UserError

__all__ = ["SIZES", "choose_size", "default_cache", "prepare"]

PREPARATION_VERSION = 1  # raise it when any decoded byte may change
SIZES = (32, 48, 64, 128)  # sides in pixels that networks are made for
_CHUNK_ITEMS = 512
_POLL_SECONDS = 0.2
_LOG = logging.getLogger("ssgan")

Progress = Callable[[int, int], None]  # (items done, items in total)


def prepare(
    source: AbstractSource,
    preprocessing: Preprocessing,
    cache: Path | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    *,
    collection: AbstractCollection | None = None,
    strict: bool = False,
    on_wait: Callable[[], None] | None = None,
) -> Dataset:
    """The images of `source` as the policy wants them, decoded now or found in the cache.

    `cache` is `default_cache()` when None. `progress` is called from this thread a few times a
    second; `workers` threads decode (None: one a core, at most 8). With `strict` one rejected
    item is an error. `collection` is the opened source, if the caller has it. `on_wait` is called
    when another process is preparing the same data; this one then waits for it. Raises
    UserError when nothing is usable, DiskFull when it cannot fit.
    """
    collection = source.open() if collection is None else collection
    cache = default_cache() if cache is None else cache
    job = _Job.plan(source, collection, preprocessing, cache)
    dataset = _existing(job.folder)
    if dataset is None:
        for sentence in outdated():
            _LOG.warning("%s", sentence)
        (cache / ".locks").mkdir(parents=True, exist_ok=True)
        with locked_folder(cache / ".locks" / job.folder.name, on_wait):
            dataset = _existing(job.folder) or _make(job, progress, workers)
    rejected = dataset.manifest["rejected"]
    if strict and rejected:
        raise UserError(
            f"{source.name()}: {len(rejected)} of {len(collection)} items cannot be used, which "
            f"--strict refuses; the first: {rejected[0][0]}: {rejected[0][1]}"
        )
    return dataset


def choose_size(survey: HeaderStats) -> int:
    """The largest of SIZES that does not enlarge more than half of the images; at least 32."""
    return max((size for size in SIZES if size <= survey.short_side), default=SIZES[0])


@dataclass
class _Job:
    """One preparation: of what, in which pieces, to where."""

    source: AbstractSource
    collection: AbstractCollection
    preprocessing: Preprocessing
    folder: Path
    key: str
    chunks: list[range] = field(default_factory=list)

    @classmethod
    def plan(
        cls,
        source: AbstractSource,
        collection: AbstractCollection,
        preprocessing: Preprocessing,
        cache: Path,
    ) -> "_Job":
        (channels, size), background = preprocessing.shape, list(preprocessing.background)
        identity = [source.name(), channels, size, background, collection.fingerprint()]
        text = json.dumps([PREPARATION_VERSION, *identity])
        key = hashlib.sha256(text.encode("ascii")).hexdigest()
        slug = re.sub(r"[^A-Za-z0-9]+", "-", source.name())[-60:].strip("-").lower() or "data"
        # Small collections in small pieces, so that every worker has some. Not by the number of
        # workers: another run may go on with the pieces.
        items = min(_CHUNK_ITEMS, max(8, len(collection) // 64))
        numbers = range(len(collection))
        chunks = [numbers[first : first + items] for first in range(0, len(collection), items)]
        return cls(source, collection, preprocessing, cache / f"{slug}-{key[:16]}", key, chunks)

    @property
    def partial(self) -> Path:
        return self.folder.with_name(self.folder.name + ".partial")

    def chunk_path(self, index: int) -> Path:
        return self.partial / f"chunk-{index:06d}"


def _existing(folder: Path) -> Dataset | None:
    try:
        return load_prepared(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _make(job: _Job, progress: Progress | None, workers: int | None) -> Dataset:
    """Decode what is missing, put the pieces together, and give the result its name."""
    _check_disk(job)
    job.partial.mkdir(parents=True, exist_ok=True)
    remove_strays(job.partial)
    kept = _decode_all(job, progress, workers or min(8, os.cpu_count() or 1))
    ready = job.partial / "ready"
    shutil.rmtree(ready, ignore_errors=True)
    ready.mkdir()
    paths = [job.chunk_path(index) for index in range(len(job.chunks))]
    assemble(
        ready,
        source=job.source.name(),
        collection=job.collection,
        preprocessing=job.preprocessing,
        chunks=list(zip(paths, job.chunks, strict=True)),
        kept=kept,
        identity={"key": job.key, "preparation_version": PREPARATION_VERSION},
    )
    if job.folder.exists():  # damaged, or it would have been used
        shutil.rmtree(job.folder)
    ready.rename(job.folder)
    shutil.rmtree(job.partial, ignore_errors=True)
    return load_prepared(job.folder)


def _check_disk(job: _Job) -> None:
    """Refuse what cannot fit: the pieces and the result stand side by side for a moment."""
    channels, size = job.preprocessing.shape
    there = sum(path.stat().st_size for path in job.partial.glob("chunk-*"))
    needed = 2 * len(job.collection) * (size * size * channels + 64) - there
    free = free_bytes(job.folder.parent)
    if needed > free:
        raise DiskFull(job.folder, needed, free)


def _decode_all(job: _Job, progress: Progress | None, workers: int) -> int:
    """Every piece is on disk when this returns; how many usable images they hold."""
    total, done, kept, stop = len(job.collection), 0, 0, threading.Event()

    def work(index: int) -> tuple[int, int]:
        if stop.is_set():
            return 0, 0
        numbers, path = job.chunks[index], job.chunk_path(index)
        try:
            chunk = read_chunk(path, numbers, job.preprocessing)
            if chunk is None:
                chunk = make_chunk(job.collection, numbers, job.preprocessing)
                write_chunk(path, chunk)
        except BaseException:
            stop.set()
            raise
        return len(numbers), len(chunk.kept)

    with quiet_pillow(), ThreadPoolExecutor(workers, "ssgan-prepare") as threads:
        waiting: set[Future[tuple[int, int]]] = {
            threads.submit(work, k) for k in range(len(job.chunks))
        }
        try:
            while waiting:
                finished, waiting = wait(waiting, _POLL_SECONDS, FIRST_EXCEPTION)
                for items, usable in (future.result() for future in finished):
                    done, kept = done + items, kept + usable
                if progress is not None:
                    progress(done, total)
        finally:
            stop.set()  # after an error the pieces under way are finished, no others begun
    return kept
