"""`hub:ID[@REVISION][#SPLIT][?label=COLUMN&image=COLUMN&stream]`: a data set of the hub.

The optional `datasets` reads it. Pictures are decoded here, from bytes in the rows or from files of
the set itself.
"""

import hashlib
import importlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import quote

from ssgan.config.nearest import did_you_mean, nearest
from ssgan.config.serialize import added_setting
from ssgan.data.base import AbstractSource, DatasetInfo, Rejected
from ssgan.data.hub.columns import (
    RowLabels,
    class_columns,
    image_columns,
    read_labels,
    type_name,
    value_columns,
)
from ssgan.data.hub.streaming import ParquetStream, SplitPlace, open_stream
from ssgan.data.image_files import ImageFiles
from ssgan.data.prepare import default_cache
from ssgan.data.preprocessing import MAX_FILE_BYTES, read_image_file
from ssgan.files.names import readable
from ssgan.types import UserError

_LISTED = 5  # columns named in a message
_LONGEST = 300  # characters of a foreign error


@dataclass(frozen=True)
class Hub(AbstractSource):
    """A split of a hub data set with an image column, whose bytes `preprocessing` decodes."""

    id: str  # such as uoft-cs/cifar10, or a local folder of Parquet files
    revision: str | None = None  # commit, tag or branch; None: the latest, which may change
    split: str = "train"  # the name of the split
    image_column: str | None = None  # None: the only column of images
    label_column: str | None = None  # None: the only column of classes, if there is one
    # whether Parquet files are read where they lie; else they are downloaded and kept
    stream: bool = added_setting(False, in_repr=False)  # fingerprints are made of the repr

    def open(self) -> "HubCollection":
        """Load the table, from the cache of `datasets` if possible, and find its columns."""
        datasets = _library(self.name())
        if os.path.isabs(self.id) and not os.path.isdir(self.id):
            raise UserError(f"{self.name()}: there is no folder at {readable(self.id)}")
        if self.stream:
            return self._open_stream(datasets)
        try:
            with _quiet_library():
                table = datasets.load_dataset(self.id, revision=self.revision, split=self.split)
        except Exception as error:
            raise UserError(f"{self.name()}: cannot be loaded: {_chain(error)}") from None
        image, label = self._image(table.features), self._label(table.features)
        # decode=False yields the encoded bytes, for our own decoder.
        table = table.cast_column(image, datasets.Image(decode=False))
        collection = HubCollection(self, table, image, label, _own_folders(self, datasets))
        collection.labels()  # raises what is wrong with them before anything is decoded
        return collection

    def _open_stream(self, datasets: Any) -> "HubCollection":
        place = SplitPlace(self.id, self.revision, self.split, self.label_column)
        try:
            with _quiet_library():
                stream = open_stream(self.name(), datasets, place, self._label, default_cache())
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"{self.name()}: cannot be streamed: {_chain(error)}") from None
        image, label = self._image(stream.features), self._label(stream.features)
        collection = StreamedCollection(self, stream, image, label, _own_folders(self, datasets))
        collection.labels()
        return collection

    def without_place(self) -> "Hub":
        """Without the path of a local folder; an id of the hub stays."""
        return replace(self, id="") if os.path.isabs(self.id) else self

    def name(self) -> str:
        """`hub:ID[@REVISION][#SPLIT][?label=COLUMN&image=COLUMN&stream]`, without train."""
        revision = "" if self.revision is None else f"@{self.revision}"
        split = "" if self.split == "train" else f"#{self.split}"
        chosen = (("label", self.label_column), ("image", self.image_column))
        columns = [f"{key}={_quote(column)}" for key, column in chosen if column is not None]
        columns += ["stream"] if self.stream else []
        query = f"?{'&'.join(columns)}" if columns else ""
        return f"hub:{readable(self.id)}{revision}{split}{query}"

    def info(self) -> DatasetInfo:
        """The facts on a local folder or a stream; those on the hub need a download."""
        if self.stream or os.path.isdir(self.id):
            return super().info()
        raise UserError(
            f"{self.name()}: its size is unknown before the download; --data scenes shows the cost "
            "of a step"
        )

    def label_advice(self) -> str:
        """The source that has labels, in words that can be typed."""
        return self.open().label_advice()

    def with_label(self, column: str) -> str:
        """The notation of the same rows with the labels of a column, quoted for a shell."""
        return f"'{replace(self, label_column=column).name()}'"

    def _image(self, features: Any) -> str:
        found = image_columns(features)
        if self.image_column is not None:
            self._require(self.image_column, found, features, "holds no images")
            return self.image_column
        if not found:
            raise UserError(f"{self.name()}: no column of images among {', '.join(features)}")
        if len(found) > 1:
            ways = [f"'{replace(self, image_column=name).name()}'" for name in found[:_LISTED]]
            raise UserError(
                f"{self.name()}: columns {', '.join(found)} hold images; give {' or '.join(ways)}"
            )
        return found[0]

    def _label(self, features: Any) -> str | None:
        """The column of labels; None without one, or where there are several to choose from."""
        found = class_columns(features)
        if self.label_column is not None:
            fitting = found + value_columns(features)
            self._require(self.label_column, fitting, features, "holds no classes")
            return self.label_column
        return found[0] if len(found) == 1 else None

    def _require(self, wanted: str, fitting: list[str], features: Any, what: str) -> None:
        """Raise UserError unless the wanted column is there and fits."""
        if wanted in fitting:
            return
        possible = f"possible: {', '.join(fitting) or 'none'}"
        if wanted in features:
            raise UserError(f"{self.name()}: column {wanted!r} {what}; {possible}")
        hint = did_you_mean(nearest(wanted, fitting)) or possible
        raise UserError(f"{self.name()}: no column {wanted!r}; {hint}")


class HubCollection(ImageFiles):
    """The rows of a loaded split."""

    def __init__(
        self, spec: Hub, table: Any, image: str, label: str | None, folders: Sequence[str]
    ) -> None:
        self._spec: Hub = spec
        self._table, self._image, self._label = table, image, label
        self._folders = folders  # pictures may be files in these alone
        # Without other columns, whose pictures `datasets` would decode.
        self._pictures = table if spec.stream else table.select_columns([image])
        self._reading = threading.Lock()
        if len(table) == 0:
            raise UserError(f"{spec.name()}: the split is empty")

    def __len__(self) -> int:
        return len(self._table)

    def fingerprint(self) -> str:
        """A digest of the library's fingerprint of the rows, which follows its cached files."""
        state = [getattr(self._table, "_fingerprint", ""), self._spec, self._image, self._label]
        return hashlib.sha256(f"{state} {len(self)}".encode()).hexdigest()

    def item(self, number: int) -> str:
        """The row number, as rows have no names."""
        return f"row {number}"

    def labels(self) -> Sequence[int] | None:
        """The class column, UNLABELLED in rows without a label; None if no row has one."""
        rows = self._labels
        return None if rows is None or rows.missing == len(self) else rows.numbers.tolist()

    def classes(self) -> tuple[str, ...]:
        """The class names of the label column, those of classes without rows too."""
        rows = self._labels
        return () if rows is None or rows.missing == len(self) else rows.names

    def num_unlabelled(self) -> int:
        """The rows without a label, in a split where others have one."""
        return 0 if self._labels is None else self._labels.missing % len(self)

    def warnings(self) -> tuple[str, ...]:
        """A warning without a revision, as the data may change."""
        if self._spec.revision is not None or os.path.isdir(self._spec.id):
            return ()
        return (f"{self._spec.name()} names no revision: add one (@...) for repeatable runs",)

    def label_warnings(self) -> tuple[str, ...]:
        """A sentence where labels are missing in spite of columns of classes."""
        rows, found = self._labels, class_columns(self._table.features)
        if rows is None:
            if len(found) < 2:
                return ()
            listed = " and ".join(found[:_LISTED])
            return (
                f"no labels are used, as columns {listed} hold classes; {self._choices(found)}",
            )
        if rows.missing == len(self):
            return (f"no row has a label in column {self._label}: the images are unlabelled",)
        if rows.missing:
            return (
                f"{rows.missing:,} of {len(self):,} rows have no label in column {self._label}",
            )
        return ()

    def label_advice(self) -> str:
        """What has labels, where these rows have none or of one class."""
        features = self._table.features
        named = class_columns(features)
        found = [name for name in named or value_columns(features) if name != self._label]
        if not found:
            if self._label is None:
                return f"no column ({', '.join(features)}) holds classes: take another data set"
            return f"take a split whose column {self._label} has several classes"
        if named:
            return self._choices(found)
        kinds = ", ".join(f"{name} ({type_name(features[name])})" for name in found[:_LISTED])
        return (
            f"no column has type ClassLabel; if one of {kinds} holds classes, "
            f"{self._choices(found)}"
        )

    def _choices(self, columns: Sequence[str]) -> str:
        return "give " + " or ".join(self._spec.with_label(name) for name in columns[:_LISTED])

    @cached_property
    def _labels(self) -> RowLabels | None:
        if self._label is None:
            return None
        where = f"{self._spec.name()}: column {self._label}"
        kind = self._table.features[self._label]
        return read_labels(where, kind, self._label_values(self._label))

    def _label_values(self, column: str) -> Sequence[Any]:
        values: Sequence[Any] = self._table[column][:]
        return values

    def encoded(self, number: int) -> bytes:
        """The bytes in the image column, or of the file that it names; raises for neither."""
        with self._reading:
            value = self._pictures[number][self._image]
        return self._bytes_of(value)

    def _bytes_of(self, value: Any) -> bytes:
        if value and value.get("bytes") is not None:
            if len(value["bytes"]) > MAX_FILE_BYTES:
                raise ValueError(f"the picture is larger than {MAX_FILE_BYTES:,} bytes")
            return bytes(value["bytes"])
        if value and value.get("path"):
            return self._file(value["path"])
        raise ValueError("no image in this row")

    def _describe_unread(self, error: Exception) -> str:
        return f"cannot be read: {_line(error)}"

    def _file(self, path: str) -> bytes:
        """A picture in a file; raises ValueError for one outside the set's folders."""
        roots = [os.path.realpath(folder) for folder in self._folders]
        real = os.path.realpath(os.path.join(*roots[:1], path))
        if not any(os.path.commonpath([root, real]) == root for root in roots):
            raise ValueError(f"the row names {readable(path)}, which is outside the data set")
        if not os.path.isfile(real):
            fault = "is not a regular file" if os.path.exists(real) else "is missing"
            raise ValueError(f"{readable(path)} {fault}")
        return read_image_file(real)


class StreamedCollection(HubCollection):
    """The rows of a split whose pictures are read where they lie, in order."""

    def __init__(
        self,
        spec: Hub,
        stream: ParquetStream,
        image: str,
        label: str | None,
        folders: Sequence[str],
    ) -> None:
        super().__init__(spec, stream, image, label, folders)
        self._stream = stream

    def fingerprint(self) -> str:
        """A digest of the files' names with the commit, and of the columns."""
        state = [self._stream.identity, self._image, self._label, len(self)]
        return hashlib.sha256(repr(state).encode()).hexdigest()

    def spans(self) -> Sequence[range]:
        """The rows that lie together in a file."""
        return self._stream.spans

    def read_bytes(self, number: int) -> bytes | Rejected:
        """The bytes of a picture, or why there are none; UserError when the rows cannot be read."""
        try:
            value = self._stream.read(number, self._image)
        except Exception as error:
            raise UserError(
                f"{self._spec.name()}: row {number} cannot be read: {_chain(error)}; the same "
                "command continues"
            ) from None
        try:
            return self._bytes_of(value)
        except Exception as error:
            return Rejected(self.item(number), self._describe_unread(error))

    def encoded(self, number: int) -> bytes:
        """The bytes in the image column; raises for a row without."""
        return self._bytes_of(self._stream.read(number, self._image))

    def sample_numbers(self) -> Sequence[int]:
        """The first rows, as others would be read from all files."""
        return range(len(self))

    def _label_values(self, column: str) -> Sequence[Any]:
        return self._stream.labels()


def _own_folders(spec: Hub, datasets: Any) -> list[str]:
    """The folders of a set's files: its own, or its part of the cache; then unpacked archives."""
    folders = [spec.id] if os.path.isdir(spec.id) else []
    with suppress(ImportError):
        cache = importlib.import_module("huggingface_hub.constants").HF_HUB_CACHE
        folders = folders or [os.path.join(cache, f"datasets--{spec.id.replace('/', '--')}")]
    unpacked = getattr(getattr(datasets, "config", None), "EXTRACTED_DATASETS_PATH", None)
    return folders if unpacked is None else [*folders, str(unpacked)]


def _library(name: str) -> Any:
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "datasets":
            raise UserError(
                f"{name} requires the package datasets: pip install 'ssgan[hub]'"
            ) from None
        raise UserError(
            f"{name}: the package datasets cannot be imported: {_chain(error)}; repair it with "
            "pip install --force-reinstall 'ssgan[hub]'"
        ) from None


@contextmanager
def _quiet_library() -> Iterator[None]:
    """Without the log of `datasets`, which repeats its errors in many lines."""
    log = logging.getLogger("datasets")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _chain(error: BaseException) -> str:
    """An error and its causes in one line, and the way out where the hub is not reached."""
    lines: list[str] = []
    step: BaseException | None = error
    while step is not None and len(lines) < _LISTED:
        if _line(step) not in lines:
            lines.append(_line(step))
        step = step.__cause__ or (None if step.__suppress_context__ else step.__context__)
    text = ": ".join(lines)
    if "OfflineModeIsEnabled" in text:
        return f"{text}; unset HF_HUB_OFFLINE to reach the hub"
    return f"{text}; check the connection" if isinstance(error, ConnectionError) else text


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    shown = "".join(c for c in text if c.isprintable())
    return shown[:_LONGEST] or type(error).__name__


def _quote(column: str) -> str:
    """A column's name in the notation: the signs of the notation are percent-encoded."""
    return "".join(c if c.isprintable() and c not in "%&#?'" else quote(c) for c in column)
