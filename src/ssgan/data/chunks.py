"""A preparation and its pieces on disk, written atomically and verified by sha256 when read."""

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssgan.data.base import (
    AbstractCollection,
    AbstractSource,
    DecodedWithWarning,
    Preprocessing,
    Rejected,
)
from ssgan.files.atomic import write_atomic

_HEAD = struct.Struct("<Q")  # length of the JSON that follows
_SUM_BYTES = 32


@dataclass(frozen=True)
class Preparation:
    """One preparation: its source, its folder and the ranges of its pieces."""

    source: AbstractSource
    collection: AbstractCollection
    preprocessing: Preprocessing
    folder: Path  # of the result
    key: str
    ranges: Sequence[range]  # item numbers of each piece

    @property
    def partial(self) -> Path:
        """The folder of the pieces."""
        return self.folder.with_name(self.folder.name + ".partial")

    def chunk_path(self, index: int) -> Path:
        """The file of a piece."""
        return self.partial / f"chunk-{index:06d}"


@dataclass
class Chunk:
    """The decoded items of a range."""

    pixels: NDArray[np.uint8]  # the usable ones, [N, S, S, C]
    kept: list[int] = field(default_factory=list)  # their item numbers, ascending
    rejected: list[Rejected] = field(default_factory=list)
    warnings: dict[str, int] = field(default_factory=dict)  # number of images with each warning


def make_chunk(job: Preparation, index: int) -> Chunk:
    """Decode the items of a piece; raises ValueError for a result of another shape."""
    numbers, (channels, size) = job.ranges[index], job.preprocessing.shape
    pixels = np.empty((len(numbers), size, size, channels), np.uint8)
    chunk = Chunk(pixels)
    results = job.collection.read(numbers, job.preprocessing)
    for number, result in zip(numbers, results, strict=True):
        if isinstance(result, Rejected):
            chunk.rejected.append(result)
            continue
        if isinstance(result, DecodedWithWarning):
            chunk.warnings[result.warning] = chunk.warnings.get(result.warning, 0) + 1
            result = result.pixels
        if result.shape != pixels.shape[1:] or result.dtype != np.uint8:
            raise ValueError(f"item {number} is {result.dtype} {result.shape}")
        pixels[len(chunk.kept)] = result
        chunk.kept.append(number)
    chunk.pixels = pixels[: len(chunk.kept)]
    return chunk


def write_chunk(path: Path, chunk: Chunk) -> None:
    """Write sha256 of the rest, length of the JSON, JSON and pixels; raises DiskFull."""
    facts = {"kept": chunk.kept, "rejected": chunk.rejected, "warnings": chunk.warnings}
    text = json.dumps(facts).encode("ascii")
    body = _HEAD.pack(len(text)) + text + chunk.pixels.tobytes()
    # Without fsync: the reader verifies it.
    write_atomic(path, hashlib.sha256(body).digest() + body, durable=False)


def read_chunk(job: Preparation, index: int) -> Chunk | None:
    """The piece on disk; None if it is missing, damaged or has another number of items."""
    channels, size = job.preprocessing.shape
    try:
        data = job.chunk_path(index).read_bytes()
        if hashlib.sha256(memoryview(data)[_SUM_BYTES:]).digest() != data[:_SUM_BYTES]:
            return None
        (length,) = _HEAD.unpack_from(data, _SUM_BYTES)
        start = _SUM_BYTES + _HEAD.size
        facts: dict[str, Any] = json.loads(data[start : start + length])
        flat = np.frombuffer(data, np.uint8)[start + length :]
        pixels = flat.reshape(len(facts["kept"]), size, size, channels)
        warnings: dict[str, int] = facts["warnings"]
    except (OSError, ValueError, KeyError, struct.error):
        return None
    rejected = [Rejected(name, reason) for name, reason in facts["rejected"]]
    if len(facts["kept"]) + len(rejected) != len(job.ranges[index]):
        return None
    return Chunk(pixels, facts["kept"], rejected, warnings)
