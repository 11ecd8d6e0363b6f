"""`hub:ID[@REVISION]`: a data set of the Hugging Face hub, read by the optional `datasets`."""

import hashlib
import importlib
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ssgan.data.base import (
    AbstractCollection,
    AbstractSource,
    DatasetInfo,
    DecodedWithWarning,
    HeaderStats,
    Pixels,
    Preprocessing,
    Rejected,
)
from ssgan.data.preprocessing import decode, read_header_stats
from ssgan.data.scan import readable
from ssgan.types import UserError


@dataclass(frozen=True)
class Hub(AbstractSource):
    """A split of a hub data set with an image column, whose bytes `preprocessing` decodes."""

    id: str  # such as uoft-cs/cifar10, or a local folder of Parquet files
    revision: str | None = None  # commit, tag or branch; None: the latest, which may change
    split: str = "train"  # the name of the split
    image_column: str | None = None  # None: the only column of images
    label_column: str | None = None  # None: the only column of classes, if there is one

    def open(self) -> "HubCollection":
        """Load the table, from the cache of `datasets` if possible, and find its columns."""
        datasets = _library(self.name())
        try:
            table = datasets.load_dataset(self.id, revision=self.revision, split=self.split)
        except Exception as error:
            raise UserError(f"{self.name()}: cannot be loaded: {_line(error)}") from None
        image, label = self._columns(table.features)
        # decode=False yields the encoded bytes, for our own decoder.
        table = table.cast_column(image, datasets.Image(decode=False))
        return HubCollection(self, table, image, label)

    def without_place(self) -> "Hub":
        """Without the path of a local folder; an id of the hub stays."""
        return replace(self, id="") if os.path.isabs(self.id) else self

    def name(self) -> str:
        """`hub:ID[@REVISION][#SPLIT]`, without the split if it is train."""
        revision = "" if self.revision is None else f"@{self.revision}"
        split = "" if self.split == "train" else f"#{self.split}"
        return f"hub:{readable(self.id)}{revision}{split}"

    def info(self) -> DatasetInfo:
        """The facts on a local folder; those on the hub need a download."""
        if os.path.isdir(self.id):
            return super().info()
        raise UserError(
            f"{self.name()}: its size is unknown before the download; --data scenes shows the cost "
            "of a step"
        )

    def _columns(self, features: Any) -> tuple[str, str | None]:
        """The names of the image column and of the label column."""
        images = [name for name, kind in features.items() if type(kind).__name__ == "Image"]
        labels = [name for name, kind in features.items() if type(kind).__name__ == "ClassLabel"]
        image = self._choose("image_column", self.image_column, images, features)
        if image is None:
            raise UserError(f"{self.name()}: no column of images among {', '.join(features)}")
        return image, self._choose("label_column", self.label_column, labels, features)

    def _choose(self, setting: str, wanted: str | None, found: list[str], all_: Any) -> str | None:
        if wanted is not None:
            if wanted in found:
                return wanted
            fitting = ", ".join(found) or f"none (columns: {', '.join(all_)})"
            raise UserError(
                f"{self.name()}: {setting} {wanted!r} has another type; possible: {fitting}"
            )
        if len(found) > 1:
            raise UserError(f"{self.name()}: set {setting} to one of {', '.join(found)}")
        return found[0] if found else None


class HubCollection(AbstractCollection):
    """The rows of a loaded split."""

    def __init__(self, spec: Hub, table: Any, image: str, label: str | None) -> None:
        self._spec, self._table, self._image, self._label = spec, table, image, label
        self._reading = threading.Lock()
        if len(table) == 0:
            raise UserError(f"{spec.name()}: the split is empty")

    def __len__(self) -> int:
        return len(self._table)

    def fingerprint(self) -> str:
        """A digest of the library's fingerprint of the rows, which follows its cached files."""
        state = [getattr(self._table, "_fingerprint", ""), self._spec, self._image, self._label]
        return hashlib.sha256(f"{state} {len(self)}".encode()).hexdigest()

    def read(
        self, numbers: range, preprocessing: Preprocessing
    ) -> Iterator[Pixels | DecodedWithWarning | Rejected]:
        """Decode these rows."""
        for number in numbers:
            try:
                data = self._bytes(number)
            except Exception as error:
                yield Rejected(self.item(number), f"cannot be read: {_line(error)}")
            else:
                yield decode(self.item(number), data, preprocessing)

    def item(self, number: int) -> str:
        """The row number, as rows have no names."""
        return f"row {number}"

    def header_stats(self) -> HeaderStats:
        """From the headers of up to 256 evenly spread rows."""
        return read_header_stats(self._spec.name(), len(self), self._bytes, self.item)

    def labels(self) -> Sequence[int] | None:
        """The class column; UserError if a row has no label (-1)."""
        if self._label is None:
            return None
        labels = [-1 if label is None else int(label) for label in self._table[self._label]]
        if min(labels) < 0:
            raise UserError(
                f"{self._spec.name()}: row {labels.index(-1)} has no label in column "
                f"{self._label}; use a split in which all rows have one"
            )
        return labels

    def classes(self) -> tuple[str, ...]:
        """The class names of the label column."""
        return () if self._label is None else tuple(self._table.features[self._label].names)

    def warnings(self) -> tuple[str, ...]:
        """A warning without a revision, as the data may change."""
        if self._spec.revision is not None:
            return ()
        return (f"{self._spec.name()} names no revision: add one (@...) for repeatable runs",)

    def _bytes(self, number: int) -> bytes:
        with self._reading:
            value = self._table[number][self._image]
        if value and value.get("bytes") is not None:
            return bytes(value["bytes"])
        if value and value.get("path"):
            with open(value["path"], "rb") as file:
                return file.read()
        raise ValueError("no image in this row")


def _library(name: str) -> Any:
    try:
        return importlib.import_module("datasets")
    except ImportError:
        raise UserError(f"{name} requires the package datasets: pip install 'ssgan[hub]'") from None


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:300] or type(error).__name__
