"""The images of each class, and the classes that have any."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class UsedClasses(NamedTuple):
    """Labels over the classes that have images, in the order of the source."""

    labels: NDArray[np.int64]  # [N], UNLABELLED where an image has no label
    names: tuple[str, ...]
    counts: list[int]  # images of each class


def count_classes(labels: NDArray[np.int64], num_classes: int) -> list[int]:
    """The number of images of each class; unlabelled ones count for none."""
    counts: list[int] = np.bincount(labels[labels >= 0], minlength=num_classes).tolist()
    return counts


def empty_classes_warnings(names: Sequence[str], used: Sequence[str]) -> list[str]:
    """A sentence on the names of classes without images, if there are any."""
    empty = [name for name in names if name not in set(used)]
    if not empty:
        return []
    verbs = "has no usable image and is" if len(empty) == 1 else "have no usable image and are"
    dots = ", ..." if len(empty) > 1 else ""
    return [f"{len(empty):,} of {len(names):,} classes {verbs} left out: {empty[0]}{dots}"]


def leave_out_empty(labels: NDArray[np.int64], names: Sequence[str]) -> UsedClasses:
    """The labels and names without the classes that have no image."""
    counts = count_classes(labels, len(names))
    used = [number for number, count in enumerate(counts) if count]
    if len(used) < len(names):
        place = np.full(len(names), -1, np.int64)
        place[used] = np.arange(len(used))
        labels = np.where(labels >= 0, place[labels], labels)
    return UsedClasses(labels, tuple(names[k] for k in used), [counts[k] for k in used])
