"""What can mislead in a comparison: equal images, JPEG on one side, samples taken for real ones."""

import hashlib
import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ssgan.data.folder import Folder
from ssgan.evaluation.evaluate import EvaluationSettings
from ssgan.evaluation.image_sets import GeneratedImages, ImageSet
from ssgan.evaluation.inputs import EvaluationInput
from ssgan.evaluation.splits import LabelledImages, Split
from ssgan.files.own_outputs import holds_samples

_MOST_BYTES = 2**33  # pixels to read for a count; a core hashes about 1 GB a second
_AT_ONCE = 256  # images in memory
_LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif")


def describe_overlap(
    images: ImageSet, count: int, reference: ImageSet, reference_count: int
) -> list[str]:
    """Sentences on equal images among the first ones of both sets; none where none are equal."""
    if images.content(0) == reference.content(0):
        return [f"both sets are the same images: {images.name}"]
    size, channels = images.shape.size, images.shape.channels
    if images.redrawable or (count + reference_count) * size**2 * channels > _MOST_BYTES:
        return []  # of samples, the metric authenticity counts the duplicates
    ours, theirs = list(_digests(images, count)), list(_digests(reference, reference_count))
    notes = [
        f"all {len(digests):,} images of {one.name} are equal"
        for one, digests in ((images, ours), (reference, theirs))
        if len(set(digests)) == 1 < len(digests)
    ]
    known = set(theirs)
    shared = sum(digest in known for digest in ours)
    if sorted(ours) == sorted(theirs):
        notes.append(f"both sets are the same {count:,} images")
    elif shared:
        notes.append(f"{shared:,} of the {count:,} images are in the reference too")
    return notes


def count_trained_on(split: Split) -> int | None:
    """How many test images are training images too; None when they are too many to compare."""
    train, test = split.train, split.test
    if (len(train.rows) + len(test.rows)) * train.dataset.images[0].nbytes > _MOST_BYTES:
        return None
    known = set(_digests_of(train))
    return sum(digest in known for digest in _digests_of(test))


def _digests(images: ImageSet, count: int) -> Iterator[bytes]:
    for batch in images.batches(count, _AT_ONCE):
        yield from map(_digest, batch.permute(0, 2, 3, 1).numpy())


def _digests_of(part: LabelledImages) -> Iterator[bytes]:
    for start in range(0, len(part.rows), _AT_ONCE):
        yield from map(_digest, part.dataset.batch(part.rows[start : start + _AT_ONCE]))


def _digest(image: NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()


def describe_formats(images: EvaluationInput, reference: EvaluationInput | None) -> list[str]:
    """A sentence when the files of two folders differ in their share of JPEG, else none."""
    if not (isinstance(images, Folder) and isinstance(reference, Folder)):
        return []
    ours, theirs = _count_lossy(images), _count_lossy(reference)
    if ours[0] * theirs[1] == theirs[0] * ours[1]:
        return []
    counts = " and ".join(
        f"{lossy:,} of the {count:,} files of {source.name()}"
        for (lossy, count), source in ((ours, images), (theirs, reference))
    )
    return [f"{counts} are JPEG: a part of the distance is compression, not content"]


def describe_generated(option: str, source: EvaluationInput | None) -> list[str]:
    """A sentence when a folder that is taken for real images holds samples of ssgan, else none."""
    if not (isinstance(source, Folder) and holds_samples(os.fsencode(source.path))):
        return []
    return [f"{option} {source.name()} holds samples that ssgan generated, and no real images"]


def _count_lossy(source: Folder) -> tuple[int, int]:
    """The number of JPEG files by their names, and of all."""
    collection = source.open()
    names = [collection.item(number).lower() for number in range(len(collection))]
    return sum(name.endswith(_LOSSY) for name in names), len(names)


def describe_authenticity(
    images: ImageSet, reference: ImageSet, settings: EvaluationSettings
) -> list[str]:
    """What the authenticity of a run's samples says, where it is not of all its training images."""
    if not isinstance(images, GeneratedImages) or "authenticity" not in settings.metrics:
        return []
    if images.checkpoint.data_hash != reference.content(0):
        source = images.checkpoint.config.data.source.name()
        return [
            "these are not the images the run was trained on: to find memorised ones, "
            f"evaluate against {source}"
        ]
    if settings.real_count != reference.available:
        return [
            f"authenticity compares with {settings.real_count:,} of {reference.available:,} "
            f"training images (--real-n {reference.available} for all)"
        ]
    return []
