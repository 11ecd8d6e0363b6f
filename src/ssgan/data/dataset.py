"""A prepared data set: decoded images in one memory-mapped file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT_VERSION = 1  # of the prepared folder; raise it when its files change
IMAGES, LABELS, MANIFEST = "images.npy", "labels.npy", "manifest.json"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images numbered from 0, in an order that depends on the source only."""

    images: NDArray[np.uint8]  # [N, S, S, C], mapped read-only
    labels: NDArray[np.int64] | None  # [N], class numbers from 0, or None without labels
    classes: tuple[str, ...]  # names by number; empty without labels
    content_hash: str  # sha256 in hex over the pixels, then the labels as little-endian int64
    manifest: Mapping[str, Any]  # the content of manifest.json

    def __len__(self) -> int:
        return len(self.images)

    @property
    def num_classes(self) -> int:
        """The number of classes; 0 without labels."""
        return len(self.classes)

    def batch(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """A writable copy of these images, [B, S, S, C], 0 to 255; may raise IndexError."""
        return np.asarray(self.images)[numbers]


def load_prepared(folder: Path) -> Dataset:
    """Open a folder that `prepare` wrote; sizes are checked, the content is not hashed again.

    Raises ValueError, KeyError or OSError when the folder is incomplete.
    """
    manifest = json.loads((folder / MANIFEST).read_bytes())
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
    return Dataset(
        images=images,
        labels=labels,
        classes=tuple(manifest["classes"]),
        content_hash=manifest["content_hash"],
        manifest=manifest,
    )
