"""`npz:PATH`: images in `arr_0` of an .npz file, uint8 [N, H, W, C], and labels in `arr_1`.

This is the form in which guided-diffusion stores samples. `numpy.savez(path, images, labels)`
writes it.
"""

import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ssgan.data.base import (
    AbstractCollection,
    AbstractSource,
    HeaderStats,
    Pixels,
    Preprocessing,
    Rejected,
)
from ssgan.data.prepare import default_cache
from ssgan.data.preprocessing import MAX_PIXELS, describe_failure, from_array
from ssgan.files.archive import ArchiveError, Spool, open_archive
from ssgan.files.errors import explain
from ssgan.files.links import read_file_state
from ssgan.files.names import printable, readable
from ssgan.files.npz import ArrayHeader, list_arrays, read_array, read_values
from ssgan.files.zip_archive import seek_member
from ssgan.types import UNLABELLED, UserError

IMAGES, LABELS = "arr_0", "arr_1"
MAX_CLASSES = 100_000
_MOST_LABELS = 2**30  # bytes
_FORM = "numpy.savez(path, images, labels) with uint8 images [N, H, W, C]; labels may be left out"


@dataclass(frozen=True)
class Npz(AbstractSource):
    """Images in an .npz file, in their order; labels are whole numbers from 0.

    A negative label means that an image has none.
    """

    path: str  # the .npz file

    def open(self) -> "NpzCollection":
        """Read the headers and the labels; UserError if it has no images of that form."""
        try:
            state = read_file_state(self.path)
            return NpzCollection(self, _open(self.path, state), str(state[:3]))
        except OSError as error:
            raise UserError(f"{self.name()}: cannot be read: {explain(error)}") from None

    def without_place(self) -> "Npz":
        """All files are equal but for their content."""
        return Npz("")

    def name(self) -> str:
        """`npz:PATH`."""
        return f"npz:{readable(self.path)}"


def holds_images(path: Path) -> bool:
    """Whether a file is an .npz with images, rather than with statistics of features."""
    try:
        return path.suffix.lower() == ".npz" and IMAGES in list_arrays(path)
    except OSError:
        return False


class _Content(NamedTuple):
    header: ArrayHeader  # of the images
    labels: list[int] | None
    spool: Spool | None  # the pixels of a compressed file; None: they are read from the file
    start: int  # of the pixels, in the spool or the file


class NpzCollection(AbstractCollection):
    """The images of an opened `Npz`."""

    def __init__(self, spec: Npz, content: _Content, state: str) -> None:
        self._spec, self._content, self._state = spec, content, state
        self._shape = content.header.shape

    def __len__(self) -> int:
        return self._shape[0]

    def fingerprint(self) -> str:
        """A digest of the file's size and times, and of the images' shape and checksum."""
        header = self._content.header
        text = f"{self._state} {self._shape} {header.member.checksum} {self._content.labels}"
        return hashlib.sha256(text.encode()).hexdigest()

    def read(self, numbers: range, preprocessing: Preprocessing) -> Iterator[Pixels | Rejected]:
        """These images, resized unless they have the size, [S, S, C] each."""
        for number in numbers:
            try:
                yield from_array(self._image(number), preprocessing)
            except Exception as error:
                ours = isinstance(error, OSError)
                yield Rejected(self.item(number), str(error) if ours else describe_failure(error))

    def header_stats(self) -> HeaderStats:
        """From the shape."""
        _, height, width, channels = self._shape
        return HeaderStats(len(self), min(height, width), channels == 1, ratio=width / height)

    def stored_size(self) -> tuple[int, int]:
        """From the shape."""
        _, height, width, _ = self._shape
        return width, height

    def labels(self) -> Sequence[int] | None:
        """`arr_1`, UNLABELLED for an image without a label; None if no image has one."""
        return self._content.labels

    def num_unlabelled(self) -> int:
        """The images without a label, where others have one."""
        return (self._content.labels or []).count(UNLABELLED)

    def label_warnings(self) -> tuple[str, ...]:
        """A sentence where labels are missing."""
        missing = self.num_unlabelled()
        return (
            (f"{missing:,} of {len(self):,} images have no label in {LABELS}",) if missing else ()
        )

    def classes(self) -> tuple[str, ...]:
        """The numbers from 0 to the largest label, as names are not stored."""
        labels = self._content.labels
        return () if labels is None else tuple(str(k) for k in range(max(labels) + 1))

    def _image(self, number: int) -> Pixels:
        """An image as stored, [H, W, C]; a grey one as [H, W, 1] or in three equal channels."""
        content, (height, width, channels) = self._content, self._shape[1:]
        size = height * width * channels
        place = content.start + number * size
        if content.spool is not None:
            data = content.spool.read(place, size)
        else:
            with open_archive(self._spec.path) as file:
                file.seek(place)
                data = file.read(size)
        if len(data) < size:
            raise ArchiveError("the file was cut short since it was opened")
        pixels = np.frombuffer(data, np.uint8).reshape(height, width, channels)
        return np.repeat(pixels, 3, axis=2) if channels == 1 else pixels


@functools.lru_cache(maxsize=4)
def _open(path: str, state: tuple[int, ...]) -> _Content:
    """The content of a file in this state; opened once a process."""
    arrays = list_arrays(path)
    header = arrays.get(IMAGES)
    if header is None:
        listed = ", ".join(printable(name) for name in list(arrays)[:10]) or "no array"
        raise ArchiveError(f"it has no {IMAGES}, but {listed}; images are written by {_FORM}")
    _check_images(header)
    labels = None
    if LABELS in arrays:
        _check_labels(arrays[LABELS], header)
        labels = _labels(read_array(path, arrays[LABELS], _MOST_LABELS))
    if header.member.deflated:
        spool = Spool(default_cache())
        return _Content(header, labels, spool, spool.add(read_values(path, header)))
    with open_archive(path) as file:
        return _Content(header, labels, None, seek_member(file, header.member) + header.start)


def _check_images(header: ArrayHeader) -> None:
    shape, dtype = header.shape, header.dtype
    found = f"{IMAGES} is {dtype} {shape}"
    if len(shape) != 4 or dtype != np.uint8:
        raise ArchiveError(f"{found}; images are written by {_FORM}")
    if shape[3] not in (1, 3, 4):
        swap = "; transpose [N, C, H, W] to it with (0, 2, 3, 1)" if shape[1] in (1, 3, 4) else ""
        raise ArchiveError(f"{found}; images are [N, H, W, C] with 1, 3 or 4 channels{swap}")
    if header.fortran:
        raise ArchiveError(f"{found} in Fortran's order; store numpy.ascontiguousarray(images)")
    if 0 in shape:
        raise ArchiveError(f"{found}, which has no pixels")
    if shape[1] * shape[2] > MAX_PIXELS:
        raise ArchiveError(f"{found}; an image has at most {MAX_PIXELS:,} pixels")


def _check_labels(labels: ArrayHeader, images: ArrayHeader) -> None:
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise ArchiveError(
            f"{LABELS} is {labels.dtype} {labels.shape}; labels are one whole number an image, "
            f"{images.shape[:1]}"
        )


def _labels(values: "np.ndarray[tuple[int, ...], np.dtype[np.integer]]") -> list[int] | None:
    if (high := int(values.max())) >= MAX_CLASSES:
        raise ArchiveError(f"{LABELS} has labels up to {high}; they are 0 to 99,999")
    if high < 0:
        return None
    return [UNLABELLED if value < 0 else value for value in values.tolist()]
