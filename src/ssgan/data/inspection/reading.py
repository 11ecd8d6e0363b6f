"""Read many items of a collection in order, by several threads, a few chunks at a time."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ssgan.data.base import (
    AbstractCollection,
    DecodedWithWarning,
    Pixels,
    Preprocessing,
    Progress,
    Rejected,
)
from ssgan.data.preprocessing import quiet_pillow

T = TypeVar("T")
CHUNK = 64  # items that one thread reads at a time
_MOST_THREADS = 8


def draw_numbers(total: int, most: int, seed: int) -> list[int]:
    """At most `most` of the numbers below `total`, ascending; all of them where they are fewer."""
    if total <= most:
        return list(range(total))
    drawn: list[int] = np.random.default_rng(seed).choice(total, most, replace=False).tolist()
    return sorted(drawn)


def map_chunks(
    work: Callable[[Sequence[int]], T],
    numbers: Sequence[int],
    progress: Progress | None = None,
    threads: int | None = None,
) -> Iterator[T]:
    """The result of `work` for every chunk of 64 numbers, in order.

    Only as many chunks are in memory as threads work, and as many again. `progress` gets numbers
    done and in total.
    """
    threads = threads or min(_MOST_THREADS, os.cpu_count() or 1)
    waiting: deque[tuple[int, Future[T]]] = deque()
    with quiet_pillow(), ThreadPoolExecutor(threads, "ssgan-read") as pool:
        try:
            for start in range(0, len(numbers), CHUNK):
                chunk = numbers[start : start + CHUNK]
                waiting.append((start + len(chunk), pool.submit(work, chunk)))
                if len(waiting) >= 2 * threads:
                    yield _take(waiting, len(numbers), progress)
            while waiting:
                yield _take(waiting, len(numbers), progress)
        finally:
            for _, future in waiting:
                future.cancel()


def _take(waiting: deque[tuple[int, Future[T]]], total: int, progress: Progress | None) -> T:
    done, future = waiting.popleft()
    result = future.result()
    if progress is not None:
        progress(done, total)
    return result


@dataclass(frozen=True)
class PictureChunk:
    """The decoded items among a chunk of numbers."""

    numbers: list[int]  # of the usable items, ascending
    pixels: Pixels  # [N, S, S, C], in that order
    rejected: list[Rejected]
    warnings: list[str]  # those of all items, with repetitions


def read_pictures(
    collection: AbstractCollection,
    numbers: Sequence[int],
    preprocessing: Preprocessing,
    progress: Progress | None = None,
    threads: int | None = None,
) -> Iterator[PictureChunk]:
    """The items of these ascending numbers as squares, in chunks of at most 64."""

    def work(chunk: Sequence[int]) -> PictureChunk:
        return decode_chunk(collection, chunk, preprocessing)

    return map_chunks(work, numbers, progress, threads)


def decode_chunk(
    collection: AbstractCollection, numbers: Sequence[int], preprocessing: Preprocessing
) -> PictureChunk:
    """These items as squares; consecutive numbers are read together."""
    channels, size = preprocessing.shape
    found: list[int] = []
    squares: list[Pixels] = []
    rejected: list[Rejected] = []
    warnings: list[str] = []
    for group in _group_consecutive(numbers):
        for number, result in zip(group, collection.read(group, preprocessing), strict=True):
            if isinstance(result, Rejected):
                rejected.append(result)
                continue
            if isinstance(result, DecodedWithWarning):
                warnings += result.warnings
                result = result.pixels
            found.append(number)
            squares.append(result)
    pixels = np.stack(squares) if squares else np.empty((0, size, size, channels), np.uint8)
    return PictureChunk(found, pixels, rejected, warnings)


def _group_consecutive(numbers: Sequence[int]) -> Iterator[range]:
    """The numbers as ranges, in order."""
    start = 0
    for place in range(1, len(numbers) + 1):
        if place == len(numbers) or numbers[place] != numbers[place - 1] + 1:
            yield range(numbers[start], numbers[place - 1] + 1)
            start = place
