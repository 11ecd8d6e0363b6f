"""`cifar10`: CIFAR-10 in its binary version, which needs no pickle.

A record is a label byte and 3072 bytes: the red, green and blue planes, row by row.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ssgan.data.base import (
    AbstractCollection,
    AbstractSource,
    DatasetInfo,
    HeaderStats,
    Pixels,
    Preprocessing,
    Progress,
)
from ssgan.data.prepare import default_cache
from ssgan.data.preprocessing import from_array
from ssgan.data.unsupported import PYTHON_EDITION
from ssgan.files.download import fetch, file_sha256
from ssgan.files.links import read_file_state
from ssgan.files.names import readable
from ssgan.files.tar_archive import open_tar
from ssgan.types import UserError

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
ARCHIVE_BYTES = 170_052_171
FOLDER = "cifar-10-batches-bin"

SIZE = 32  # side in pixels
_RECORD_BYTES = 1 + 3 * SIZE * SIZE
_MAX_FILE_BYTES = 10_000 * _RECORD_BYTES
_MAX_MEMBERS = 100  # the archive has 9
_FILES = {
    "train": tuple(f"data_batch_{k}.bin" for k in range(1, 6)),
    "test": ("test_batch.bin",),
}

_PYTHON_FOLDER = "cifar-10-batches-py"

Records = NDArray[np.uint8]  # [N, 3073]


@dataclass(frozen=True)
class Cifar10(AbstractSource):
    """50,000 training or 10,000 test images of 32 x 32 pixels in ten classes."""

    path: str | None = None  # unpacked folder or .tar.gz archive; None: download to the cache
    split: Literal["train", "test"] = "train"

    def __post_init__(self) -> None:
        if self.split not in _FILES:
            raise UserError(f"cifar10: split must be train or test, not {self.split!r}")

    def open(self) -> "Cifar10Collection":
        """Find the records, downloading them if necessary; UserError if some are missing."""
        if self.path is None:
            self.fetch()
        place = Path(self.path) if self.path is not None else _downloaded()
        if place.is_dir():
            parts, state = _from_folder(place, self)
        elif place.is_file():
            parts, state = _from_archive(place, self)
        else:
            raise UserError(
                f"{self.name()}: nothing at {readable(str(place))}; give the folder {FOLDER} "
                "or the archive cifar-10-binary.tar.gz"
            )
        return Cifar10Collection(self, parts, state)

    def held_out(self) -> "Cifar10 | None":
        """The test split; None for the test split itself."""
        return replace(self, split="test") if self.split == "train" else None

    def without_place(self) -> "Cifar10":
        """The split, wherever its files are."""
        return replace(self, path=None)

    def name(self) -> str:
        """`cifar10[:PATH]`; the test split is `cifar10-test[:PATH]`."""
        kind = "cifar10" if self.split == "train" else "cifar10-test"
        return kind if self.path is None else f"{kind}:{readable(self.path)}"

    def fetch(self, progress: Progress | None = None) -> None:
        """Download the archive (170 MB) to the cache, unless it exists or a path is given."""
        if self.path is None:
            fetch(URL, _downloaded(), sha256=SHA256, max_bytes=ARCHIVE_BYTES, progress=progress)

    def info(self) -> DatasetInfo:
        """The published facts as long as the archive is missing."""
        archive = _downloaded()
        if self.path is not None or (archive.is_file() and file_sha256(archive) == SHA256):
            return super().info()
        num_images = 10_000 * len(_FILES[self.split])
        published = HeaderStats(num_images=num_images, short_side=SIZE, grey=False)
        return DatasetInfo(published, CLASSES, f"{ARCHIVE_BYTES / 1e6:.0f} MB from {URL}")


class Cifar10Collection(AbstractCollection):
    """The records of one split, in the order of the files."""

    def __init__(self, spec: Cifar10, parts: Sequence[Records], state: str) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self._labels = np.concatenate([part[:, 0] for part in parts])
        self._state = f"cifar10 {spec.split} {state}"
        if self._labels.max() >= len(CLASSES):
            raise UserError(
                f"{spec.name()}: label {self._labels.max()} is not 0 to 9; "
                "the file is damaged or belongs to another data set (CIFAR-100 has two label bytes)"
            )

    def __len__(self) -> int:
        return int(self._starts[-1])

    def fingerprint(self) -> str:
        """A digest of the split and of the names, sizes and times of change of the files."""
        return hashlib.sha256(self._state.encode()).hexdigest()

    def read(self, numbers: range, preprocessing: Preprocessing) -> Iterator[Pixels]:
        """The published pixels at 32 x 32 in colour, otherwise resized."""
        for number in numbers:
            part = int(np.searchsorted(self._starts, number, side="right")) - 1
            record = self._parts[part][number - self._starts[part]]
            planes = record[1:].reshape(3, SIZE, SIZE)
            yield from_array(np.ascontiguousarray(planes.transpose(1, 2, 0)), preprocessing)

    def header_stats(self) -> HeaderStats:
        """The published size."""
        return HeaderStats(num_images=len(self), short_side=SIZE, grey=False)

    def labels(self) -> Sequence[int]:
        """The published labels."""
        return [int(label) for label in self._labels]

    def classes(self) -> tuple[str, ...]:
        """The published names."""
        return CLASSES


def _downloaded() -> Path:
    return default_cache() / "downloads" / "cifar-10-binary.tar.gz"


def _from_folder(folder: Path, spec: Cifar10) -> tuple[list[Records], str]:
    """The records, read into memory, of an unpacked folder, and its state for the fingerprint."""
    if (folder / FOLDER).is_dir():
        folder = folder / FOLDER
    parts, states = [], []
    for name in _FILES[spec.split]:
        try:
            size, *times = read_file_state(folder / name)[:3]
            _check_size(spec, name, size)
            flat = np.fromfile(folder / name, np.uint8, count=size)
        except OSError as error:
            if any((folder / part / "data_batch_1").exists() for part in ("", _PYTHON_FOLDER)):
                raise UserError(f"{spec.name()}: {PYTHON_EDITION}") from None
            raise UserError(
                f"{spec.name()}: {name} cannot be read ({error.strerror}); the folder must hold "
                f"{', '.join(_FILES[spec.split])}"
            ) from None
        parts.append(np.asarray(flat).reshape(-1, _RECORD_BYTES))
        states.append(" ".join(map(str, (name, size, *times))))
    return parts, " ".join(states)


def _from_archive(archive: Path, spec: Cifar10) -> tuple[list[Records], str]:
    """The records of an archive, read into memory: no file is extracted."""
    wanted = {f"{FOLDER}/{name}".encode(): name for name in _FILES[spec.split]}
    parts: dict[str, Records] = {}
    try:
        state = read_file_state(archive)[:3]
        with open_tar(archive) as tar:
            for count, member in enumerate(tar):
                if member.name.startswith(f"{_PYTHON_FOLDER}/".encode()):
                    raise UserError(f"{spec.name()}: {PYTHON_EDITION}")
                if count >= _MAX_MEMBERS or member.size > _MAX_FILE_BYTES:
                    raise UserError(f"{spec.name()}: not the archive of CIFAR-10: {member.name!a}")
                name = wanted.get(member.name)
                if name is not None and name not in parts:
                    _check_size(spec, name, member.size)
                    data = b"".join(tar.read(member.size))
                    parts[name] = np.frombuffer(data, np.uint8).reshape(-1, _RECORD_BYTES)
    except OSError as error:
        raise UserError(
            f"{spec.name()}: the archive cannot be read ({error}); download {URL} again"
        ) from None
    missing = [name for name in _FILES[spec.split] if name not in parts]
    if missing:
        raise UserError(f"{spec.name()}: {FOLDER}/{missing[0]} is not in the archive")
    return [parts[name] for name in _FILES[spec.split]], " ".join(map(str, state))


def _check_size(spec: Cifar10, name: str, size: int) -> None:
    if size == 0 or size % _RECORD_BYTES or size > _MAX_FILE_BYTES:
        raise UserError(
            f"{spec.name()}: {name} has {size:,} bytes, not a multiple of {_RECORD_BYTES} up to "
            f"the published {_MAX_FILE_BYTES:,}"
        )
