"""The number of images of each class, and sentences on classes with few or none."""

import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def count_classes(labels: NDArray[np.int64], num_classes: int) -> list[int]:
    """The number of images of each class; unlabelled ones count for none."""
    counts: list[int] = np.bincount(labels[labels >= 0], minlength=num_classes).tolist()
    return counts


def few_images_warnings(names: Sequence[str], counts: Sequence[int]) -> list[str]:
    """Classes with less than a tenth of the median number of images, where they have any."""
    used = [count for count in counts if count]
    median = statistics.median(used) if len(used) > 1 else 0
    return [
        f"class {name} has {count:,} usable image{'' if count == 1 else 's'}; "
        f"the median is {median:g}"
        for name, count in zip(names, counts, strict=True)
        if 0 < count < median / 10
    ]


def empty_classes_warnings(names: Sequence[str], counts: Sequence[int]) -> list[str]:
    """A sentence on the classes without images, if there are any."""
    empty = [name for name, count in zip(names, counts, strict=True) if not count]
    if not empty:
        return []
    verbs = "has no usable image and is" if len(empty) == 1 else "have no usable image and are"
    dots = ", ..." if len(empty) > 1 else ""
    return [f"{len(empty):,} of {len(names):,} classes {verbs} left out: {empty[0]}{dots}"]
