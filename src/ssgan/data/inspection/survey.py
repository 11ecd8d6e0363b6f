"""Read a sample of the items of a source: headers, faults, warnings and a few decoded squares."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ssgan.data.base import AbstractCollection, Pixels, Preprocessing, Progress, Rejected
from ssgan.data.image_files import ImageFiles
from ssgan.data.inspection.reading import decode_chunk, map_chunks
from ssgan.data.preprocessing import PictureHeader, read_full_header

SQUARES = 256  # decoded squares that are kept, evenly spread over the sample


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What was found in the items of a sample."""

    total: int  # items of the source
    numbers: list[int]  # of the items that were read, ascending
    usable: list[int]  # those that can be decoded
    headers: list[PictureHeader]  # of the usable ones, in order
    from_files: bool  # whether the items are image files, with headers of their own
    rejected: list[Rejected]
    warnings: Counter[str]  # number of items with each warning
    digests: list[bytes]  # of the squares of the usable ones, in order
    squares: Pixels  # [at most 256, S, S, C], evenly spread over the usable ones

    @property
    def is_whole(self) -> bool:
        """Whether every item was read."""
        return len(self.numbers) == self.total


class _Chunk(NamedTuple):
    usable: list[int]
    headers: list[PictureHeader]
    rejected: list[Rejected]
    warnings: list[str]
    digests: list[bytes]
    squares: list[Pixels]


@dataclass
class _Tally:
    usable: list[int] = field(default_factory=list)
    headers: list[PictureHeader] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    digests: list[bytes] = field(default_factory=list)
    squares: list[Pixels] = field(default_factory=list)


def survey_items(
    collection: AbstractCollection,
    numbers: Sequence[int],
    preprocessing: Preprocessing,
    progress: Progress | None = None,
) -> Survey:
    """Read the header of each of these items, which ascend, and decode it.

    Memory: a header and a digest an item, and 256 squares. `progress` gets items done and in total.
    """
    kept = set(np.linspace(0, len(numbers) - 1, min(SQUARES, len(numbers))).astype(int).tolist())
    wanted = {numbers[place] for place in kept}
    tally = _Tally()

    def work(chunk: Sequence[int]) -> _Chunk:
        return _read(collection, chunk, preprocessing, wanted)

    for chunk in map_chunks(work, numbers, progress):
        tally.usable += chunk.usable
        tally.headers += chunk.headers
        tally.rejected += chunk.rejected
        tally.warnings.update(chunk.warnings)
        tally.digests += chunk.digests
        tally.squares += chunk.squares
    channels, size = preprocessing.shape
    return Survey(
        total=len(collection),
        numbers=list(numbers),
        usable=tally.usable,
        headers=tally.headers,
        from_files=isinstance(collection, ImageFiles),
        rejected=tally.rejected,
        warnings=tally.warnings,
        digests=tally.digests,
        squares=np.stack(tally.squares)
        if tally.squares
        else np.empty((0, size, size, channels), np.uint8),
    )


def _read(
    collection: AbstractCollection,
    numbers: Sequence[int],
    preprocessing: Preprocessing,
    wanted: set[int],
) -> _Chunk:
    decoded = decode_chunk(collection, numbers, preprocessing)
    usable, squares = decoded.numbers, decoded.pixels
    return _Chunk(
        usable=usable,
        headers=[read_item_header(collection, number) for number in usable],
        rejected=decoded.rejected,
        warnings=decoded.warnings,
        digests=[hashlib.blake2b(square, digest_size=16).digest() for square in squares],
        squares=[
            square.copy() for number, square in zip(usable, squares, strict=True)
            if number in wanted
        ],
    )  # fmt: skip


def read_item_header(collection: AbstractCollection, number: int) -> PictureHeader:
    """The header of a usable file; else one with what the source says."""
    if isinstance(collection, ImageFiles):
        data = collection.read_bytes(number)
        if isinstance(data, bytes):
            return read_full_header(data)
    stats = collection.header_stats()
    width, height = collection.stored_size() or (stats.short_side, stats.short_side)
    return PictureHeader(width, height, "L" if stats.grey else "RGB", "", 1, False, False)
