"""A prepared data set: decoded images in one memory-mapped file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssgan.data.class_counts import count_classes, empty_classes_warnings, leave_out_empty
from ssgan.data.scan import printable
from ssgan.files.nesting import parse_json
from ssgan.types import UNLABELLED

FORMAT_VERSION = 1  # of the prepared folder; raise it when its files change
IMAGES, LABELS, MANIFEST = "images.npy", "labels.npy", "manifest.json"

# What earlier versions wrote for every class without images.
_ONE_EMPTY = re.compile(r"class .* has 0 usable images; the median is .*", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images numbered from 0, in an order that depends on the source only."""

    images: NDArray[np.uint8]  # [N, S, S, C], mapped read-only
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
        """A writable copy of these images, [B, S, S, C], 0 to 255; may raise IndexError."""
        return np.asarray(self.images)[numbers]


def load_prepared(folder: Path) -> Dataset:
    """Open a folder that `prepare` wrote; sizes are checked, the content is not hashed again.

    Raises ValueError, KeyError or OSError when the folder is incomplete.
    """
    manifest = parse_json((folder / MANIFEST).read_bytes())
    if not isinstance(manifest, dict) or manifest["format_version"] != FORMAT_VERSION:
        raise ValueError(f"{folder} is not a prepared data set of this version")
    for name, size in manifest["file_bytes"].items():
        if name not in (IMAGES, LABELS) or (folder / name).stat().st_size != size:
            raise ValueError(f"{folder / name} does not have the size in its manifest")
    count, size, channels = (manifest[key] for key in ("num_images", "size", "channels"))
    images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
    if images.shape != (count, size, size, channels) or images.dtype != np.uint8:
        raise ValueError(f"{folder / IMAGES} does not match its manifest")
    if "notices" in manifest:  # their name in version 0.1.0
        manifest["warnings"] = manifest.pop("notices")
    labels = None
    if LABELS in manifest["file_bytes"]:
        labels = np.load(folder / LABELS, allow_pickle=False)
        if labels.shape != (count,) or labels.dtype != np.int64:
            raise ValueError(f"{folder / LABELS} does not match its manifest")
        labels, names, counts = leave_out_empty(labels, manifest["classes"])
        warnings = [text for text in manifest["warnings"] if not _ONE_EMPTY.fullmatch(text)]
        warnings += empty_classes_warnings(manifest["classes"], names)
        manifest |= {"classes": list(names), "class_counts": counts, "warnings": warnings}
    return Dataset(
        images=images,
        labels=labels,
        classes=tuple(map(printable, manifest["classes"])),
        content_hash=manifest["content_hash"],
        manifest=manifest,
    )
