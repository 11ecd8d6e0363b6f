"""Members of archives: where each lies, and the limits that hold before anything is unpacked."""

import os
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ssgan.files.atomic import FULL, DiskFull, free_bytes
from ssgan.files.links import open_regular

MAX_MEMBERS = 300_000  # of an archive
PIECE = 2**20  # bytes that are unpacked at a time
_FREE_BYTES = 64 * 2**20  # an archive may unpack to this, however small it is
_MAX_RATIO = 200  # times its size that it may unpack to beyond that


class ArchiveError(OSError):  # as gzip's own error is
    """An archive or a member cannot be used; the message is why, in one line."""


class Member(NamedTuple):
    """A regular file in an archive."""

    name: bytes  # as stored: it never becomes a path
    offset: int  # zip: of its local header; tar: of its first byte
    packed: int  # bytes in the archive
    size: int  # bytes when unpacked
    deflated: bool = False
    checksum: int | None = None  # CRC-32; None: the archive has none
    reject: str = ""  # why it cannot be used; empty if it may be usable


def unpacks_to_too_much(packed: int, size: int) -> bool:
    """Whether `size` bytes from `packed` ones are more than pictures give: above 64 MiB, 200 times.

    Deflate reaches 1,032 times on zeros.
    """
    return size > _FREE_BYTES and size > _MAX_RATIO * packed


def open_archive(path: Path | str) -> BinaryIO:
    """The file, open for reading; OSError when it is no regular file."""
    return os.fdopen(open_regular(path, follow=True), "rb")


def read_exactly(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The next `size` bytes in pieces; ArchiveError if there are fewer."""
    while size > 0:
        data = file.read(min(size, PIECE))
        if not data:
            raise ArchiveError("cut short")
        size -= len(data)
        yield data


class Spool:
    """A temporary file without a name, for what has no random access in its archive.

    It takes as much disk as is added and vanishes with the object. Threads may read it.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed below
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()

    def add(self, pieces: Iterable[bytes]) -> int:
        """Append these bytes; returns their offset. DiskFull when they do not fit."""
        with self._lock:
            start = self._file.seek(0, os.SEEK_END)
            try:
                for piece in pieces:
                    self._file.write(piece)
                self._file.flush()
            except OSError as error:
                if error.errno not in FULL:
                    raise
                raise DiskFull(self._folder, None, free_bytes(self._folder)) from error
        return start

    def read(self, offset: int, size: int) -> bytes:
        """Bytes that were added."""
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)
