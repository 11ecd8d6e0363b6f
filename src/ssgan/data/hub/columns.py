"""The columns of a table of the hub: which hold images, and which classes."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssgan.files.names import printable, readable
from ssgan.types import UNLABELLED, UserError

_VALUES = ("string", "large_string", "bool", "int", "uint")  # types whose values may be classes
_MOST_CLASSES = 0.5  # different values by row; a column of more is no column of classes
_FEW = 100  # so many different values may always be classes


class RowLabels(NamedTuple):
    """The label of every row."""

    names: tuple[str, ...]  # of the classes, by number
    numbers: NDArray[np.int64]  # [N], UNLABELLED where a row has no label

    @property
    def missing(self) -> int:
        """The number of rows without a label."""
        return int((self.numbers == UNLABELLED).sum())


def image_columns(features: Mapping[str, Any]) -> list[str]:
    """The columns of type Image."""
    return [name for name, kind in features.items() if type(kind).__name__ == "Image"]


def class_columns(features: Mapping[str, Any]) -> list[str]:
    """The columns of type ClassLabel."""
    return [name for name, kind in features.items() if is_class_label(kind)]


def value_columns(features: Mapping[str, Any]) -> list[str]:
    """The columns of strings, integers or booleans, which are classes if the user says so."""
    return [name for name, kind in features.items() if type_name(kind).startswith(_VALUES)]


def is_class_label(kind: object) -> bool:
    """Whether the type lists the names of classes."""
    return type(kind).__name__ == "ClassLabel"


def type_name(kind: object) -> str:
    """The type of a column's values, such as string or int64."""
    return str(getattr(kind, "dtype", "")) if type(kind).__name__ == "Value" else ""


def read_labels(where: str, kind: Any, values: Iterable[Any]) -> RowLabels:
    """The labels in a column of this type; None, "" and negative numbers mean no label.

    A ClassLabel lists its classes. Other columns have one class for each different value, sorted:
    numbers by size and strings by their characters. Raises UserError, which begins with `where`,
    for numbers without a name, and for a column in which most values differ.
    """
    if is_class_label(kind):
        numbers = [UNLABELLED if v is None or v < 0 else int(v) for v in values]
        names = list(kind.names)
        if max(numbers, default=UNLABELLED) >= len(names):
            row = next(k for k, number in enumerate(numbers) if number >= len(names))
            raise UserError(
                f"{where}: row {row} has class number {numbers[row]}, and there are only "
                f"{len(names)} names of classes"
            )
    else:
        rows = [None if _is_missing(value) else value for value in values]
        different = sorted({value for value in rows if value is not None})
        if len(different) > max(_FEW, _MOST_CLASSES * len(rows)):
            raise UserError(
                f"{where} has {len(different):,} different values in {len(rows):,} rows: these are "
                "no classes"
            )
        place = {value: number for number, value in enumerate(different)}
        numbers = [UNLABELLED if value is None else place[value] for value in rows]
        names = [str(value) for value in different]
    shown = tuple(map(printable, names))
    if len(set(shown)) < len(set(names)):  # one is written as another is shown
        shown = tuple(map(readable, names))
    return RowLabels(shown, np.asarray(numbers, np.int64))


def _is_missing(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, int) and value < 0)
