"""A prepared data set: decoded images in one file, verified by its digests.

`hashes.json` holds sha256 digests of the manifest, the labels and each block of images.
"""

import io
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssgan.data.base import Progress
from ssgan.data.class_counts import count_classes, empty_classes_warnings
from ssgan.data.pixel_file import HASHES, WHOLE_BYTES, PixelFile
from ssgan.files.atomic import DiskFull, remove_strays, write_json
from ssgan.files.links import read_regular
from ssgan.files.names import printable
from ssgan.files.nesting import parse_json
from ssgan.files.sealed_file import Damaged
from ssgan.types import UNLABELLED

FORMAT_VERSION = 1  # of the prepared folder; raise it when its files change
_LOG = logging.getLogger("ssgan")
IMAGES, LABELS, MANIFEST = "images.npy", "labels.npy", "manifest.json"

# What earlier versions wrote for every class without images.
_ONE_EMPTY = re.compile(r"class .* has 0 usable images; the median is .*", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images numbered from 0, in an order that depends on the source only."""

    images: NDArray[np.uint8] | PixelFile  # [N, S, S, C], read-only
    # [N], class numbers from 0, UNLABELLED for an image without one; None without labels
    labels: NDArray[np.int64] | None
    classes: tuple[str, ...]  # names by number, each with images; empty without labels
    content_hash: str  # sha256 in hex over the pixels, then the labels as little-endian int64
    manifest: Mapping[str, Any]  # the content of manifest.json, without classes that are empty

    def __len__(self) -> int:
        return len(self.images)

    @property
    def num_classes(self) -> int:
        """The number of classes; 0 without labels."""
        return len(self.classes)

    @property
    def num_unlabelled(self) -> int:
        """The number of images without a label, where others have one; 0 without labels."""
        return 0 if self.labels is None else int((self.labels == UNLABELLED).sum())

    def used_classes(self) -> NDArray[np.int64]:
        """The numbers of the classes that have images, ascending; empty without labels."""
        if self.labels is None:
            return np.zeros(0, np.int64)
        return np.flatnonzero(count_classes(self.labels, self.num_classes))

    def with_classes(self, names: Sequence[str]) -> "Dataset":
        """The same images with these classes, as many as there are here or more.

        A run of an earlier version counts classes without images. Returns `self` when the names
        are the same, or do not contain the present ones.
        """
        if self.labels is None or tuple(names) == self.classes or not {*self.classes} <= {*names}:
            return self
        place = np.array([list(names).index(name) for name in self.classes], np.int64)
        labels = np.where(self.labels == UNLABELLED, UNLABELLED, place[self.labels])
        counts = count_classes(labels, len(names))
        manifest = {**self.manifest, "classes": list(names), "class_counts": counts}
        return replace(self, labels=labels, classes=tuple(names), manifest=manifest)

    def batch(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """A writable copy of these images, [B, S, S, C], 0 to 255.

        Raises IndexError for an unknown number, and UserError when the file of a prepared set is
        damaged while it is in use.
        """
        if isinstance(self.images, PixelFile):
            return self.images.rows(numbers)
        return self.images[numbers]


def load_prepared(
    folder: Path, *, verify: bool = False, progress: Progress | None = None
) -> Dataset:
    """Open a folder that `prepare` wrote, and verify its bytes by their digests.

    Of more than 1 GiB of pixels a sample is verified now, or all with `verify`, and each other
    block before its first use. A folder of an earlier version has no digests: all of its bytes are
    compared with the content hash, and their digests stored. `progress` gets images verified and
    in total. Raises Damaged for other bytes than were written, and ValueError, KeyError, TypeError
    or OSError when the folder is incomplete.
    """
    text = read_regular(folder / MANIFEST)
    manifest = _read_manifest(folder, text)
    count, size, channels = (manifest[key] for key in ("num_images", "size", "channels"))
    images = PixelFile(folder / IMAGES, (count, size, size, channels))
    stored = read_regular(folder / LABELS) if LABELS in manifest["file_bytes"] else b""
    dataset = Dataset(
        images=images,
        labels=_read_labels(folder / LABELS, stored, count) if stored else None,
        classes=tuple(map(printable, manifest["classes"])),
        content_hash=manifest["content_hash"],
        manifest=manifest,
    )
    digests = {"manifest": sha256(text).hexdigest(), "labels": sha256(stored).hexdigest()}
    if (folder / HASHES).exists():
        hashes = parse_json(read_regular(folder / HASHES))
        for name, digest in digests.items():
            if hashes[name] != digest:
                raise Damaged(f"{folder} has other {name} than were written")
        images.set_digests(bytes.fromhex(hashes["images"]))
        images.verify(verify, progress if verify else None)
    else:
        blocks = _hash_blocks(folder, dataset, images, progress)
        images.set_digests(blocks)
        with suppress(OSError, DiskFull):  # a cache that this user may not write stays without
            remove_strays(folder)
            write_json(folder / HASHES, {**digests, "images": blocks.hex()})
    return _leave_out_empty_classes(dataset)


def _read_manifest(folder: Path, text: bytes) -> dict[str, Any]:
    """The manifest, whose files have the sizes in it; ValueError if they have not."""
    manifest: dict[str, Any] = parse_json(text)
    if not isinstance(manifest, dict) or manifest["format_version"] != FORMAT_VERSION:
        raise ValueError(f"{folder} is not a prepared data set of this version")
    for name, size in manifest["file_bytes"].items():
        if name not in (IMAGES, LABELS) or (folder / name).stat().st_size != size:
            raise ValueError(f"{folder / name} does not have the size in its manifest")
    if not isinstance(manifest["rejected"], list):
        raise ValueError(f"{folder / MANIFEST} names no list of rejected items")
    if "notices" in manifest:  # their name in version 0.1.0
        manifest["warnings"] = manifest.pop("notices")
    return manifest


def _read_labels(path: Path, stored: bytes, count: int) -> NDArray[np.int64]:
    try:
        labels = np.load(io.BytesIO(stored), allow_pickle=False)
    except Exception as error:  # numpy parses a header as Python: syntax and token errors too
        raise ValueError(f"{path} is no array") from error
    if labels.shape != (count,) or labels.dtype != np.int64:
        raise ValueError(f"{path} does not match its manifest")
    return np.asarray(labels, np.int64)


def _hash_blocks(
    folder: Path, dataset: Dataset, images: PixelFile, progress: Progress | None
) -> bytes:
    """The digests of all blocks; Damaged unless all bytes have the content hash."""
    if progress is not None and images.num_bytes > WHOLE_BYTES:
        size = images.num_bytes / 1e9
        _LOG.info("verifying %.1f GB of prepared images in %s, once", size, folder)
    whole = sha256()
    digests = images.hash_blocks(whole, progress)
    if dataset.labels is not None:
        whole.update(dataset.labels.astype("<i8").tobytes())
    if whole.hexdigest() != dataset.content_hash:
        raise Damaged(f"{folder} has other bytes than its content hash")
    return digests


def _leave_out_empty_classes(dataset: Dataset) -> Dataset:
    """The same images with the classes that have any, and a warning on the others."""
    labels, names = dataset.labels, dataset.classes
    if labels is None:
        return dataset
    counts = count_classes(labels, len(names))
    warnings = [text for text in dataset.manifest["warnings"] if not _ONE_EMPTY.fullmatch(text)]
    warnings += empty_classes_warnings(names, counts)
    used = np.flatnonzero(counts)
    if len(used) < len(names):
        place = np.full(len(names), UNLABELLED, np.int64)
        place[used] = np.arange(len(used))
        labels = np.where(labels >= 0, place[labels], labels)
    classes = tuple(names[number] for number in used)
    facts = {"classes": list(classes), "class_counts": [counts[number] for number in used]}
    manifest = {**dataset.manifest, **facts, "warnings": warnings}
    return replace(dataset, labels=labels, classes=classes, manifest=manifest)
