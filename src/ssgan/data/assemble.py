"""The last step of a preparation writes the images, the labels and the manifest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssgan.data.base import AbstractCollection, Preprocessing, Rejected
from ssgan.data.chunks import read_chunk
from ssgan.data.class_folders import few_images_warnings
from ssgan.data.dataset import FORMAT_VERSION, IMAGES, LABELS, MANIFEST
from ssgan.files.atomic import AtomicFile, open_atomic, write_json
from ssgan.types import UserError

_LISTED = 5  # examples named in a warning


class _Tally:
    """Counts and digests over all chunks."""

    def __init__(self) -> None:
        self.digest = sha256()
        self.kept: list[int] = []
        self.rejected: list[Rejected] = []
        self.warnings: Counter[str] = Counter()
        self.first: dict[bytes, int] = {}  # digest of the pixels -> index in the result
        self.same: dict[int, list[int]] = {}  # index -> later indices with the same pixels


def assemble(
    folder: Path,
    *,
    source: str,
    collection: AbstractCollection,
    preprocessing: Preprocessing,
    chunks: Sequence[tuple[Path, range]],
    kept: int,
    identity: Mapping[str, Any],
) -> None:
    """Write the data set of these chunks to `folder`; raise UserError if no item is usable.

    `kept` is the number of usable images in all chunks.
    """
    tally = _Tally()
    _write_images(folder / IMAGES, preprocessing, chunks, kept, tally)
    _require_images(source, collection, tally)
    labels = _labels(collection, tally.kept)
    if labels is not None:
        tally.digest.update(labels.astype("<i8").tobytes())
        _write_labels(folder / LABELS, labels)
    classes = collection.classes() if labels is not None else ()
    counts = [] if labels is None else np.bincount(labels, minlength=len(classes)).tolist()
    channels, size = preprocessing.shape
    manifest = {
        "format_version": FORMAT_VERSION,
        **identity,
        "source": source,
        "fingerprint": collection.fingerprint(),
        "size": size,
        "channels": channels,
        "background": list(preprocessing.background),
        "num_items": len(collection),
        "num_images": len(tally.kept),
        "classes": list(classes),
        "class_counts": counts,
        "content_hash": tally.digest.hexdigest(),
        "file_bytes": _file_bytes(folder),
        "duplicates": len(tally.kept) - len(tally.first),
        "warnings": [
            *collection.warnings(),
            *_decoding_warnings(tally.warnings),
            *few_images_warnings(classes, counts),
            *_duplicate_warnings(collection, tally, labels),
        ],
        "rejected": [[name, why] for name, why in tally.rejected],
    }
    write_json(folder / MANIFEST, manifest)


def _write_labels(path: Path, labels: NDArray[np.int64]) -> None:
    with open_atomic(path) as file:
        _write_array_header(file, labels.shape, "<i8")
        file.write(labels.astype("<i8").tobytes())


def _file_bytes(folder: Path) -> dict[str, int]:
    paths = [folder / name for name in (IMAGES, LABELS)]
    return {path.name: path.stat().st_size for path in paths if path.exists()}


def _require_images(source: str, collection: AbstractCollection, tally: _Tally) -> None:
    if tally.kept:
        return
    name, why = tally.rejected[0] if tally.rejected else ("", "there is no item")
    raise UserError(
        f"{source}: none of the {len(collection)} items can be used; the first: {name}: {why}"
    )


def _write_images(
    path: Path,
    preprocessing: Preprocessing,
    chunks: Sequence[tuple[Path, range]],
    kept: int,
    tally: _Tally,
) -> None:
    """Write the pixels of all chunks as one .npy; on a full disk a mapped file would crash."""
    channels, size = preprocessing.shape
    with open_atomic(path, kept * size * size * channels) as file:
        _write_array_header(file, (kept, size, size, channels), "|u1")
        for chunk_path, numbers in chunks:
            chunk = read_chunk(chunk_path, numbers, preprocessing)
            if chunk is None or len(tally.kept) + len(chunk.kept) > kept:
                raise UserError(f"{chunk_path} changed while it was in use; prepare again")
            for index, image in enumerate(chunk.pixels, start=len(tally.kept)):
                first = tally.first.setdefault(blake2b(image, digest_size=16).digest(), index)
                if first != index:
                    tally.same.setdefault(first, []).append(index)
            tally.digest.update(chunk.pixels.data)
            tally.kept += chunk.kept
            tally.rejected += chunk.rejected
            tally.warnings.update(chunk.warnings)
            file.write(chunk.pixels.tobytes())


def _write_array_header(file: AtomicFile, shape: tuple[int, ...], descr: str) -> None:
    facts = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, facts)


def _labels(collection: AbstractCollection, kept: Sequence[int]) -> NDArray[np.int64] | None:
    labels = collection.labels()
    if labels is None:
        return None
    return np.asarray(labels, np.int64)[np.asarray(kept, np.int64)]


def _decoding_warnings(warnings: Counter[str]) -> list[str]:
    return [
        f"{count:,} {'image is' if count == 1 else 'images are'} {warning}"
        for warning, count in sorted(warnings.items())
    ]


def _duplicate_warnings(
    collection: AbstractCollection, tally: _Tally, labels: NDArray[np.int64] | None
) -> list[str]:
    """The number of images that repeat an earlier one, and the pictures in two classes."""
    groups = [[first, *later] for first, later in tally.same.items()]
    if not groups:
        return []
    first = " and ".join(collection.item(tally.kept[index]) for index in groups[0][:2])
    extra = sum(len(group) - 1 for group in groups)
    noun = "image has" if extra == 1 else "images have"
    warnings = [f"{extra:,} {noun} the same pixels as an earlier one (such as {first})"]
    if labels is None:
        return warnings
    torn = [group for group in groups if len({int(labels[index]) for index in group}) > 1]
    if torn:
        listed = "; ".join(
            ", ".join(collection.item(tally.kept[index]) for index in group[:_LISTED])
            for group in torn[:_LISTED]
        )
        noun = "picture is" if len(torn) == 1 else "pictures are"
        warnings.append(f"{len(torn):,} {noun} in more than one class: {listed}")
    return warnings
