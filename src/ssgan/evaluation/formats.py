"""Whether both sides of a comparison went through JPEG, which changes the features of an image."""

from ssgan.data.folder import Folder
from ssgan.evaluation.inputs import EvaluationInput

_LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif")


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


def _count_lossy(source: Folder) -> tuple[int, int]:
    """The number of JPEG files by their names, and of all."""
    collection = source.open()
    names = [collection.item(number).lower() for number in range(len(collection))]
    return sum(name.endswith(_LOSSY) for name in names), len(names)
