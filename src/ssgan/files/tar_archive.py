"""The files in a tar, plain or compressed by gzip or bzip2, one header at a time.

`tarfile` parses each block of 512 bytes. It is not given the whole file, as it reads a long name of
any declared size into memory. Nothing is unpacked to a path.
"""

import bz2
import gzip
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ssgan.files.archive import (
    MAX_MEMBERS,
    PIECE,
    ArchiveError,
    Member,
    open_archive,
    unpacks_to_too_much,
)

_BLOCK = tarfile.BLOCKSIZE
_MOST_HEADER = 64 * 2**10  # bytes of a long name or of pax records
_MOST_HEADERS = 8  # of one file
_LONG_NAME, _LONG_LINK = tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE)
_OTHER_KINDS = {  # by the first bytes
    b"\xfd7zXZ\x00": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"\x89HDF": "an HDF5 file",
}


class TarReader:
    """A pass over the regular files of an open tar, which may be compressed.

    Iteration yields each Member; `read` gives its bytes until the next one is requested. Raises
    ArchiveError for what is no tar, is cut short, or unpacks to far more than it has.
    """

    def __init__(self, file: BinaryIO) -> None:
        start = file.read(6)
        file.seek(0)
        other = next((words for magic, words in _OTHER_KINDS.items() if start[:4] == magic[:4]), "")
        if other:
            raise ArchiveError(f"it is {other}: unpack it and give the folder")
        self._file, self._stream = file, file
        self.compressed = True
        if start[:2] == b"\x1f\x8b":
            self._stream = cast(BinaryIO, gzip.GzipFile(fileobj=file))
        elif start[:3] == b"BZh":
            self._stream = cast(BinaryIO, bz2.BZ2File(file))
        else:
            self.compressed = False
        self._at = 0  # bytes of the unpacked stream that were read
        self._size = os.fstat(file.fileno()).st_size

    def __iter__(self) -> Iterator[Member]:
        """The regular files in their order."""
        count = 0
        while (found := self._next_header()) is not None:
            info, name, size = found
            count += 1
            if count > MAX_MEMBERS:
                raise ArchiveError(
                    f"more than {MAX_MEMBERS:,} members: unpack it and give the folder"
                )
            start = self._at
            holds_data = info.isreg() or info.type not in tarfile.SUPPORTED_TYPES
            if info.isreg() and not name.endswith(b"/"):
                yield Member(name, start, size, size)
            if holds_data:
                self._skip(start + size - self._at, -size % _BLOCK)

    def read(self, size: int) -> Iterator[bytes]:
        """The next bytes of the present member, in pieces of at most 1 MiB."""
        while size > 0:
            piece = self._bytes(min(size, PIECE))
            if not piece:
                raise ArchiveError("the tar is cut short")
            size -= len(piece)
            yield piece

    def _next_header(self) -> tuple[tarfile.TarInfo, bytes, int] | None:
        """The next header that is no long name or pax record, with the name and size that hold."""
        name: bytes | None = None
        size: int | None = None
        for _ in range(_MOST_HEADERS):
            block = self._bytes(_BLOCK)
            if not block.strip(b"\0"):
                return None
            if len(block) < _BLOCK:
                raise ArchiveError("the tar is cut short")
            info = self._parse(block)
            if info.type in (_LONG_NAME, _LONG_LINK, *_PAX):
                text = self._header_text(info.size)
                if info.type == _LONG_NAME:
                    name = text.split(b"\0")[0]
                elif info.type in _PAX[:2]:
                    records = parse_pax(text)
                    name, size = records.get(b"path", name), _whole(records.get(b"size"), size)
                continue
            if info.type == tarfile.GNUTYPE_SPARSE:
                raise ArchiveError("it holds sparse files: unpack it and give the folder")
            own = info.name.encode("utf-8", "surrogateescape")
            return info, own if name is None else name, info.size if size is None else size
        raise ArchiveError(f"more than {_MOST_HEADERS} headers of one file")

    def _parse(self, block: bytes) -> tarfile.TarInfo:
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError):
            words = "no tar" if self._at == _BLOCK else "a damaged tar"
            raise ArchiveError(f"{words}: no header at byte {self._at - _BLOCK:,}") from None
        if info.size < 0:
            raise ArchiveError("a damaged tar: a negative size")
        return info

    def _header_text(self, size: int) -> bytes:
        if size > _MOST_HEADER:
            raise ArchiveError(
                f"a long name or pax header of {size:,} bytes; at most {_MOST_HEADER:,} are read"
            )
        return b"".join(self.read(size + -size % _BLOCK))[:size]

    def _bytes(self, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        except (EOFError, zlib.error, OSError) as error:
            text = " ".join(str(error).split())
            raise ArchiveError(f"cut short or damaged ({text})") from None
        self._at += len(data)
        if self.compressed and unpacks_to_too_much(self._file.tell(), self._at):
            raise ArchiveError("it unpacks to more than 200 times its size, as no images do")
        return data

    def _skip(self, size: int, padding: int) -> None:
        """Move behind so many bytes and the padding, which may be missing at the end."""
        if self.compressed:
            for _ in self.read(size):
                pass
            self._bytes(padding)
        elif self._at + size > self._size:
            raise ArchiveError("the tar is cut short")
        else:
            self._at = self._stream.seek(self._at + size + padding)


@contextmanager
def open_tar(path: Path | str) -> Iterator[TarReader]:
    """A pass over this file; OSError when it cannot be read."""
    with open_archive(path) as file:
        yield TarReader(file)


def parse_pax(text: bytes) -> dict[bytes, bytes]:
    """The records "LENGTH KEY=VALUE\\n" of a pax header; ArchiveError for any other text.

    Raises it for a sparse file, too, whose bytes are not in one piece.
    """
    found, start = {}, 0
    while start < len(text) and text[start]:
        space = text.find(b" ", start, start + 8)
        digits = text[start:space] if space > 0 else b""
        end = start + int(digits) if digits.isdigit() else start
        key, equals, value = text[space + 1 : end].partition(b"=")
        if end <= space or end > len(text) or not equals or not value.endswith(b"\n"):
            raise ArchiveError("a damaged tar: a pax header without its form")
        if key.startswith(b"GNU.sparse"):
            raise ArchiveError("it holds sparse files: unpack it and give the folder")
        found[key], start = value[:-1], end
    return found


def _whole(text: bytes | None, otherwise: int | None) -> int | None:
    if text is None:
        return otherwise
    if not text.isdigit() or len(text) > 19:
        raise ArchiveError("a damaged tar: a size that is no number")
    return int(text)
