"""The pieces of a preparation, and the data set assembled from them.

A piece is written atomically, and verified by its sha256 when it is read.
"""

import hashlib
import json
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
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
from ssgan.data.class_counts import count_classes, few_images_warnings
from ssgan.data.dataset import FORMAT_VERSION, IMAGES, LABELS, MANIFEST
from ssgan.data.preprocessing import CUT
from ssgan.files.atomic import open_atomic, write_atomic, write_json
from ssgan.files.links import read_regular
from ssgan.files.nesting import parse_json
from ssgan.types import UNLABELLED, UserError

_HEAD = struct.Struct("<Q")  # length of the JSON that follows
_SUM_BYTES = 32
_LISTED = 5  # examples named in a warning


@dataclass(frozen=True)
class Preparation:
    """One preparation: its source, its folder and the ranges of its pieces."""

    source: AbstractSource
    collection: AbstractCollection
    preprocessing: Preprocessing
    folder: Path  # of the result
    key: str
    ranges: Sequence[range]  # item numbers of each piece
    groups: Sequence[range]  # numbers of pieces that one worker decodes in order
    before: int | None  # inode of the folder at the start; None: there was none

    @property
    def partial(self) -> Path:
        """The folder of the pieces."""
        return self.folder.with_name(self.folder.name + ".partial")

    def chunk_path(self, index: int) -> Path:
        """The file of a piece."""
        return self.partial / f"chunk-{index:06d}"

    def claim_path(self, index: int) -> Path:
        """The file whose lock a process holds while it decodes a group, by its first piece."""
        return self.partial / f"claim-{index:06d}"

    def list_chunks(self) -> Iterator[int]:
        """The numbers of the pieces on disk."""
        for path in self.partial.glob("chunk-*"):
            number = path.name.removeprefix("chunk-")
            if number.isdecimal() and int(number) < len(self.ranges):
                yield int(number)


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
            for warning in result.warnings:
                chunk.warnings[warning] = chunk.warnings.get(warning, 0) + 1
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
        data = read_regular(job.chunk_path(index))
        if hashlib.sha256(memoryview(data)[_SUM_BYTES:]).digest() != data[:_SUM_BYTES]:
            return None
        (length,) = _HEAD.unpack_from(data, _SUM_BYTES)
        start = _SUM_BYTES + _HEAD.size
        facts: dict[str, Any] = parse_json(data[start : start + length])
        flat = np.frombuffer(data, np.uint8)[start + length :]
        pixels = flat.reshape(len(facts["kept"]), size, size, channels)
        warnings: dict[str, int] = facts["warnings"]
    except (OSError, ValueError, KeyError, struct.error):
        return None
    rejected = [Rejected(name, reason) for name, reason in facts["rejected"]]
    if len(facts["kept"]) + len(rejected) != len(job.ranges[index]):
        return None
    return Chunk(pixels, facts["kept"], rejected, warnings)


class _Tally:
    """Counts and digests over all chunks."""

    def __init__(self, kept: int) -> None:
        self.digest = hashlib.sha256()
        self.kept: list[int] = []
        self.rejected: list[Rejected] = []
        self.warnings: Counter[str] = Counter()
        self.pixels = np.empty((kept, 2), np.uint64)  # 16 bytes of a digest of each image

    def find_same(self) -> list[list[int]]:
        """The indices of images with the same pixels, in order of their second images."""
        order = np.lexsort(self.pixels.T)  # stable
        ordered = self.pixels[order]
        begins = np.flatnonzero(np.append(True, (ordered[1:] != ordered[:-1]).any(1)))
        ends = np.append(begins[1:], len(order))
        several = ends - begins > 1
        found = zip(begins[several].tolist(), ends[several].tolist(), strict=True)
        groups: list[list[int]] = [order[begin:end].tolist() for begin, end in found]
        return sorted(groups, key=lambda group: group[1])


def assemble(folder: Path, job: Preparation, kept: int) -> None:
    """Write the data set of these pieces to `folder`; raise UserError if no item is usable.

    A picture that cannot be used is listed once, though each of its views is rejected.
    `kept` is the number of usable images in all pieces.
    """
    tally, collection = _Tally(kept), job.collection
    _write_images(folder / IMAGES, job, kept, tally)
    if not tally.kept:
        name, why = tally.rejected[0] if tally.rejected else ("", "there is no item")
        raise UserError(
            f"{job.source.name()}: none of the {len(collection) // collection.views} items can be "
            f"used; the first: {name}: {why}"
        )
    labels = collection.labels()
    kept_labels = None if labels is None else np.asarray(labels, "<i8")[tally.kept]
    if kept_labels is not None:
        tally.digest.update(kept_labels.tobytes())
        with open_atomic(folder / LABELS) as file:
            np.lib.format.write_array(file, kept_labels)
    write_json(folder / MANIFEST, _describe(folder, job, tally, kept_labels))


def _describe(
    folder: Path, job: Preparation, tally: _Tally, labels: NDArray[np.int64] | None
) -> dict[str, Any]:
    """The manifest of the files in `folder`."""
    collection, preprocessing = job.collection, job.preprocessing
    classes = () if labels is None else collection.classes()
    counts = [] if labels is None else count_classes(labels, len(classes))
    same = tally.find_same()
    reading = [*collection.label_warnings(), *decoding_warnings(tally.warnings, len(tally.kept))]
    paths = [folder / name for name in (IMAGES, LABELS)]
    return {
        "format_version": FORMAT_VERSION,
        "key": job.key,
        "preparation_version": preprocessing.decoding,
        "source": job.source.name(),
        "fingerprint": collection.fingerprint(),
        "size": preprocessing.shape.size,
        "channels": preprocessing.shape.channels,
        "background": list(preprocessing.background),
        "fit": preprocessing.fit,
        "num_items": len(collection) // collection.views,
        "num_images": len(tally.kept),
        "classes": list(classes),
        "class_counts": counts,
        "content_hash": tally.digest.hexdigest(),
        "file_bytes": {path.name: path.stat().st_size for path in paths if path.exists()},
        "duplicates": sum(len(group) - 1 for group in same),
        "reading_warnings": reading,  # those that concern an evaluation, too
        "warnings": [
            *collection.warnings(),
            *reading,
            *few_images_warnings(classes, counts),
            *_duplicate_warnings(collection, tally.kept, same, labels),
        ],
        "rejected": [[name, why] for name, why in dict.fromkeys(tally.rejected)],
    }


def _write_images(path: Path, job: Preparation, kept: int, tally: _Tally) -> None:
    """Write the pixels of all pieces as one .npy; on a full disk a mapped file would crash."""
    channels, size = job.preprocessing.shape
    with open_atomic(path, kept * size * size * channels) as file:
        shape = (kept, size, size, channels)
        facts = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, facts)
        for number in range(len(job.ranges)):
            chunk = read_chunk(job, number)
            if chunk is None or len(tally.kept) + len(chunk.kept) > kept:
                place = job.chunk_path(number)
                raise UserError(f"{place} changed while it was in use; prepare again")
            for index, image in enumerate(chunk.pixels, start=len(tally.kept)):
                digest = hashlib.blake2b(image, digest_size=16).digest()
                tally.pixels[index] = np.frombuffer(digest, np.uint64)
            tally.digest.update(chunk.pixels.data)
            tally.kept += chunk.kept
            tally.rejected += chunk.rejected
            tally.warnings.update(chunk.warnings)
            file.write(chunk.pixels.tobytes())


def decoding_warnings(warnings: Counter[str], total: int) -> list[str]:
    """A sentence for each warning, with its images out of `total`; cuts to squares in one."""
    cuts = {CUT.format(percent): percent for percent in range(101)}
    lost = sorted(cuts[warning] for warning in warnings if warning in cuts)
    said = [
        f"{count:,} {'image is' if count == 1 else 'images are'} {warning}"
        for warning, count in sorted(warnings.items())
        if warning not in cuts
    ]
    if lost:
        count = sum(warnings[CUT.format(percent)] for percent in lost)
        share = f"{lost[0]}" if lost[0] == lost[-1] else f"{lost[0]} to {lost[-1]}"
        said.append(
            f"cut to squares: {count:,} of {total:,} pictures lose {share} % of their area; "
            "--fit pad or --fit squash keeps all of it"
        )
    return said


def _duplicate_warnings(
    collection: AbstractCollection,
    kept: Sequence[int],
    groups: Sequence[Sequence[int]],
    labels: NDArray[np.int64] | None,
) -> list[str]:
    """The number of images that repeat an earlier one, and the pictures in two classes."""
    if not groups:
        return []
    first = " and ".join(collection.item(kept[index]) for index in groups[0][:2])
    extra = sum(len(group) - 1 for group in groups)
    noun = "image has" if extra == 1 else "images have"
    warnings = [f"{extra:,} {noun} the same pixels as an earlier one (such as {first})"]
    if labels is None:
        return warnings
    torn = [group for group in groups if len({*labels[list(group)].tolist()} - {UNLABELLED}) > 1]
    if torn:
        listed = "; ".join(
            ", ".join(collection.item(kept[index]) for index in group[:_LISTED])
            for group in torn[:_LISTED]
        )
        noun = "picture is" if len(torn) == 1 else "pictures are"
        warnings.append(f"{len(torn):,} {noun} in more than one class: {listed}")
    return warnings
