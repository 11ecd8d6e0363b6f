"""Arrays in an `.npz` file: their headers first, then only what is requested. Nothing is pickled.

`numpy.load` unpacks whatever a header declares; here a declared size is checked before.
"""

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssgan.files.archive import ArchiveError, Member
from ssgan.files.zip_archive import list_zip, read_zip_member

_MOST_ARRAYS = 1000


class ArrayHeader(NamedTuple):
    """What an .npz file declares of an array, consistent with the size of its member."""

    member: Member
    start: int  # bytes of the header
    dtype: "np.dtype[Any]"
    shape: tuple[int, ...]
    fortran: bool  # the first axis varies fastest

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


def list_arrays(path: Path | str) -> dict[str, ArrayHeader]:
    """The arrays in a file by name; raises ArchiveError, also for pickled objects, and OSError."""
    members = [m for m in list_zip(path) if m.name.endswith(b".npy")]
    if len(members) > _MOST_ARRAYS:
        raise ArchiveError(f"{len(members):,} arrays; at most {_MOST_ARRAYS:,} are read")
    return {m.name[:-4].decode("utf-8", "replace"): _read_header(path, m) for m in members}


def read_array(path: Path | str, header: ArrayHeader, most: int) -> NDArray[Any]:
    """The array; ArchiveError for more than `most` bytes or damaged ones."""
    if header.size > most:
        raise ArchiveError(f"an array of {header.size:,} bytes; at most {most:,} are read")
    data, at = np.empty(header.size, np.uint8), 0
    for piece in read_values(path, header):
        data[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
        at += len(piece)
    order = "F" if header.fortran else "C"
    return data.view(header.dtype).reshape(header.shape, order=order)  # type: ignore[call-overload,no-any-return]


def read_values(path: Path | str, header: ArrayHeader) -> Iterator[bytes]:
    """The bytes of the values in pieces; errors as for a member."""
    skipped = header.start
    for piece in read_zip_member(path, header.member):
        yield piece[skipped:]
        skipped = max(0, skipped - len(piece))


def _read_header(path: Path | str, member: Member) -> ArrayHeader:
    name = ascii(member.name.decode("utf-8", "replace"))
    if member.reject:
        raise ArchiveError(f"{name}: {member.reject}")
    stream = io.BytesIO(next(read_zip_member(path, member), b""))
    try:
        version = np.lib.format.read_magic(stream)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        shape, fortran, dtype = readers[version](stream)
    except Exception:  # numpy has many types for foreign bytes
        raise ArchiveError(f"{name} is no array of numpy, or its header is damaged") from None
    if dtype.hasobject:
        raise ArchiveError(f"{name} holds Python objects, which are pickles; only numbers are read")
    header = ArrayHeader(member, stream.tell(), dtype, shape, fortran)
    if min(shape, default=0) < 0 or header.size != member.size - header.start:
        raise ArchiveError(f"{name} is damaged: {shape} {dtype} has another size")
    return header
