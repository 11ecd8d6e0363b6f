"""Read the Parquet files of a data set row by row, where they lie: nothing is kept on disk.

An index of the rows and the labels is made once, from the ends of the files and one column.
"""

import hashlib
import importlib
import json
import logging
import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from ssgan.files.atomic import write_atomic
from ssgan.files.links import read_file_state, read_regular
from ssgan.files.names import readable
from ssgan.files.nesting import parse_json
from ssgan.types import UserError

SPAN_ROWS = 512  # rows that one worker reads in order; a larger row group is not cut
_BLOCK_BYTES = 8 * 2**20  # read ahead, of a file on the hub
_BATCH_ROWS = 16
_THREADS = 8  # that read the ends of the files
_REMOTE = "hf://"
_LOG = logging.getLogger("ssgan")


class SplitPlace(NamedTuple):
    """A split of a data set, and its column of labels if one is chosen."""

    id: str
    revision: str | None
    split: str
    label: str | None


class ParquetFile(NamedTuple):
    """What the end of a file says, and its labels."""

    place: str  # a path, or hf://datasets/ID@COMMIT/PATH
    group_rows: list[int]  # rows of each row group
    labels: list[Any] | None  # of every row; None without such a column


class ParquetStream:
    """The rows of a split, numbered over all its files.

    Each thread reads forward from where it is; another place costs the rows before it in its span.
    """

    def __init__(self, files: Sequence[ParquetFile], features: Any, identity: str) -> None:
        self.features, self.identity = features, identity
        self._files = files
        self._cut: list[tuple[int, int, int]] = []  # file, first row group, and the one after last
        self.spans: list[range] = []
        for number, file in enumerate(files):
            self._cut_file(number, file.group_rows)
        self._starts = [span.start for span in self.spans]
        self._own = threading.local()

    def __len__(self) -> int:
        return self.spans[-1].stop if self.spans else 0

    def labels(self) -> list[Any]:
        """The values in the column of labels."""
        return [value for file in self._files for value in file.labels or ()]

    def read(self, number: int, column: str) -> Any:
        """The value of a row; raises whatever the file or the connection raises."""
        where = getattr(self._own, "where", None)
        if where is None or where != (number, column):
            if where is not None:
                self._own.rows.close()
            index = bisect_right(self._starts, number) - 1
            self._own.rows = self._rows(index, column)
            for _ in range(number - self.spans[index].start):
                next(self._own.rows)
        self._own.where = None
        value = next(self._own.rows)
        after = number + 1
        if after in self.spans[bisect_right(self._starts, number) - 1]:
            self._own.where = after, column
        else:
            self._own.rows.close()
        return value

    def _cut_file(self, number: int, group_rows: Sequence[int]) -> None:
        """Add spans of whole row groups, of at most SPAN_ROWS rows where groups are small."""
        first, rows = 0, 0
        for group, more in enumerate([*group_rows, SPAN_ROWS + 1]):
            if rows and rows + more > SPAN_ROWS:
                self._cut.append((number, first, group))
                self.spans.append(range(len(self), len(self) + rows))
                first, rows = group, 0
            rows += more

    def _rows(self, index: int, column: str) -> Iterator[Any]:
        number, first, last = self._cut[index]
        with _open_file(self._files[number].place) as file:
            table = _parquet().ParquetFile(file, buffer_size=2**20, pre_buffer=False)
            batches = table.iter_batches(
                _BATCH_ROWS, row_groups=list(range(first, last)), columns=[column],
                use_threads=False,
            )  # fmt: skip
            for batch in batches:
                yield from batch.column(0).to_pylist()


def open_stream(
    name: str,
    datasets: Any,
    place: SplitPlace,
    choose_label: Callable[[Any], str | None],
    cache: Path,
) -> ParquetStream:
    """The rows of a split, with an index that is made now or found in the cache.

    `choose_label` finds the column of labels among the features. A place with a whole commit needs
    no connection when its index is there. Raises UserError, which begins with `name`, for a set
    without Parquet files or without the split, and what the library or the connection raises.
    """
    files, features = None, None
    if re.fullmatch(r"[0-9a-f]{40}", place.revision or ""):
        identity = repr(place)
    else:
        files, features = _find_files(name, datasets, place)
        identity = repr([place, *map(_state_of, files)])
    digest = hashlib.sha256(identity.encode()).hexdigest()
    path = cache / "hub" / f"index-{digest[:32]}.json"
    try:
        found = parse_json(read_regular(path))
        features = datasets.Features.from_dict(found["features"])
        listed = [ParquetFile(*entry) for entry in found["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        if files is None:
            files, features = _find_files(name, datasets, place)
        features = features or _read_features(datasets, files[0])
        listed = _read_ends(files, choose_label(features))
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"features": features.to_dict(), "files": listed})
        write_atomic(path, text.encode("ascii"))
    return ParquetStream(listed, features, digest)


def _find_files(name: str, datasets: Any, place: SplitPlace) -> tuple[list[str], Any]:
    """The files of the split in their order, the commit, and the features that the set names."""
    builder = datasets.load_dataset_builder(place.id, revision=place.revision)
    splits = builder.config.data_files or {}
    if place.split not in splits:
        listed = f"it has {', '.join(map(str, splits))}" if splits else "it names no files"
        raise UserError(f"{name}: no split {readable(place.split)} to stream; {listed}")
    files = [str(file) for file in splits[place.split]]
    if other := [file for file in files if not file.endswith(".parquet")]:
        raise UserError(
            f"{name}: {readable(other[0])} is no Parquet file, and only those are streamed: leave "
            "out ?stream, or add @refs/convert/parquet if the hub converts the set"
        )
    return files, builder.info.features


def _read_ends(files: Sequence[str], label: str | None) -> list[ParquetFile]:
    """The rows of each file, and its labels."""
    _LOG.info("reading the ends and the labels of %s Parquet files, once", f"{len(files):,}")

    def read(place: str) -> ParquetFile:
        with _open_file(place, ahead=False) as file:
            table = _parquet().ParquetFile(file)
            end = table.metadata
            rows = [end.row_group(group).num_rows for group in range(end.num_row_groups)]
            labels = None if label is None else table.read([label]).column(0).to_pylist()
            return ParquetFile(place, rows, labels)

    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(read, files))


def _read_features(datasets: Any, place: str) -> Any:
    with _open_file(place, ahead=False) as file:
        return datasets.Features.from_arrow_schema(_parquet().read_schema(file))


def _open_file(place: str, ahead: bool = True) -> Any:
    """A file of the hub or of this machine, open for reading."""
    if not place.startswith(_REMOTE):
        return open(place, "rb")
    hub = importlib.import_module("huggingface_hub").HfFileSystem()
    return hub.open(
        place, "rb", block_size=_BLOCK_BYTES, cache_type="readahead" if ahead else "none"
    )


def _state_of(place: str) -> str:
    """What changes when the content of a file may have changed."""
    return place if place.startswith(_REMOTE) else f"{place} {read_file_state(place)}"


def _parquet() -> Any:
    return importlib.import_module("pyarrow.parquet")
