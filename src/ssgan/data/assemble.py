"""The last step of a preparation writes the images, the labels and the manifest."""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssgan.data.base import AbstractCollection, Rejected
from ssgan.data.chunks import Preparation, read_chunk
from ssgan.data.class_folders import few_images_warnings
from ssgan.data.dataset import FORMAT_VERSION, IMAGES, LABELS, MANIFEST, PREPARATION_VERSION
from ssgan.files.atomic import open_atomic, write_json
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


def assemble(folder: Path, job: Preparation, kept: int) -> None:
    """Write the data set of these pieces to `folder`; raise UserError if no item is usable.

    `kept` is the number of usable images in all pieces.
    """
    tally, collection = _Tally(), job.collection
    _write_images(folder / IMAGES, job, kept, tally)
    if not tally.kept:
        name, why = tally.rejected[0] if tally.rejected else ("", "there is no item")
        raise UserError(
            f"{job.source.name()}: none of the {len(collection)} items can be used; the first: "
            f"{name}: {why}"
        )
    labels = _labels(collection, tally.kept)
    if labels is not None:
        tally.digest.update(labels.tobytes())
        with open_atomic(folder / LABELS) as file:
            np.lib.format.write_array(file, labels)
    classes = collection.classes() if labels is not None else ()
    counts = [] if labels is None else np.bincount(labels, minlength=len(classes)).tolist()
    channels, size = job.preprocessing.shape
    paths = [folder / name for name in (IMAGES, LABELS)]
    manifest = {
        "format_version": FORMAT_VERSION,
        "key": job.key,
        "preparation_version": PREPARATION_VERSION,
        "source": job.source.name(),
        "fingerprint": collection.fingerprint(),
        "size": size,
        "channels": channels,
        "background": list(job.preprocessing.background),
        "num_items": len(collection),
        "num_images": len(tally.kept),
        "classes": list(classes),
        "class_counts": counts,
        "content_hash": tally.digest.hexdigest(),
        "file_bytes": {path.name: path.stat().st_size for path in paths if path.exists()},
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
                first = tally.first.setdefault(blake2b(image, digest_size=16).digest(), index)
                if first != index:
                    tally.same.setdefault(first, []).append(index)
            tally.digest.update(chunk.pixels.data)
            tally.kept += chunk.kept
            tally.rejected += chunk.rejected
            tally.warnings.update(chunk.warnings)
            file.write(chunk.pixels.tobytes())


def _labels(collection: AbstractCollection, kept: Sequence[int]) -> NDArray[np.int64] | None:
    labels = collection.labels()
    if labels is None:
        return None
    return np.asarray(labels, "<i8")[np.asarray(kept, np.int64)]


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
