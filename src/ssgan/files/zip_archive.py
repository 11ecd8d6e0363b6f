"""The members of a zip file, and their bytes. What it declares is checked before it is believed.

`zipfile` reads the list of members; a member is then read by its place, without a shared handle,
so threads may read at the same time. Nothing is unpacked to disk.
"""

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ssgan.files.archive import (
    MAX_MEMBERS,
    PIECE,
    ArchiveError,
    Member,
    open_archive,
    read_exactly,
    unpacks_to_too_much,
)
from ssgan.files.links import open_regular

SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")  # of a zip file with and without members
_DIRECTORY_ENTRY = b"PK\x01\x02"
_MOST_DIRECTORY = 128 * 2**20  # bytes of the list of members
_LOCAL = struct.Struct("<4s22xHH")  # signature, lengths of name and extra field
_ENCRYPTED, _UNIX = 0x1, 3


class _Directory(io.FileIO):
    """An open file that refuses to read a list of too many members."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as usual; ArchiveError for more than a list of members may have."""
        left = max(0, os.fstat(self.fileno()).st_size - self.tell())
        size = left if size is None or size < 0 else min(size, left)
        data = (super().read(size) or b"") if size <= _MOST_DIRECTORY else b""
        if size > _MOST_DIRECTORY or data.count(_DIRECTORY_ENTRY) > MAX_MEMBERS:
            raise ArchiveError(f"more than {MAX_MEMBERS:,} members: unpack it and give the folder")
        return data


def list_zip(path: Path | str) -> list[Member]:
    """The files in a zip, in the order of its list; ArchiveError unless it is whole and plain.

    Members lie one behind the other within the file. One that is encrypted, a link, compressed in
    another way than deflate, or that unpacks to too much, has the reason as its `reject`.
    """
    try:
        with _Directory(open_regular(path, follow=True)) as file, zipfile.ZipFile(file) as archive:
            infos, end = archive.infolist(), archive.start_dir
    except OSError:
        raise
    except Exception as error:  # zipfile has many types for foreign bytes
        text = " ".join(str(error).split())
        raise ArchiveError(f"no whole zip file ({text or type(error).__name__})") from None
    placed = sorted(infos, key=lambda info: info.header_offset)
    ends = [*(info.header_offset for info in placed[1:]), end]
    for info, after in zip(placed, ends, strict=False):  # an empty zip has the last end alone
        least = info.header_offset + _LOCAL.size + info.compress_size
        if info.header_offset < 0 or least > after:
            raise ArchiveError("damaged or a bomb: its members overlap or lie outside the file")
    return [_member(info) for info in infos if not info.filename.endswith("/")]


def _member(info: zipfile.ZipInfo) -> Member:
    name = info.filename.encode("utf-8", "surrogateescape")
    if info.create_system != _UNIX:
        name = name.replace(b"\\", b"/")
    deflated = info.compress_type == zipfile.ZIP_DEFLATED
    reject = ""
    if info.flag_bits & _ENCRYPTED:
        reject = "encrypted"
    elif info.create_system == _UNIX and stat.S_ISLNK(info.external_attr >> 16):
        reject = "a link"
    elif not deflated and info.compress_type != zipfile.ZIP_STORED:
        reject = "compressed in a way that is not read; pack it with deflate"
    elif info.file_size != info.compress_size and not deflated:
        reject = "stored with two sizes"
    elif unpacks_to_too_much(info.compress_size, info.file_size):
        reject = f"{info.compress_size:,} bytes that unpack to {info.file_size:,}, as no image does"
    place = (info.header_offset, info.compress_size, info.file_size)
    return Member(name, *place, deflated, info.CRC, reject)


def read_zip_member(path: Path | str, member: Member) -> Iterator[bytes]:
    """The bytes of a member in pieces of at most 1 MiB; ArchiveError if they are not as declared.

    It never yields more than the declared size. OSError when the file cannot be read.
    """
    left, checksum = member.size, 0
    with open_archive(path) as file:
        seek_member(file, member)
        raw = read_exactly(file, member.packed)
        for piece in _inflate(raw, member.size) if member.deflated else raw:
            left, checksum = left - len(piece), zlib.crc32(piece, checksum)
            yield piece
    if left or checksum != member.checksum:
        raise ArchiveError("damaged: it does not match its checksum")


def seek_member(file: BinaryIO, member: Member) -> int:
    """Move to the first byte of a member, and return its offset; ArchiveError if it has moved."""
    file.seek(member.offset)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size or not head.startswith(SIGNATURES[0]):
        raise ArchiveError("the archive is damaged or has changed")
    return file.seek(sum(_LOCAL.unpack(head)[1:]), os.SEEK_CUR)


def _inflate(raw: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The unpacked bytes of a deflated member; ArchiveError if they are no deflate or too many."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for data in raw:
            full = True
            while (data or full) and not engine.eof:
                piece = engine.decompress(data, PIECE)
                size -= len(piece)
                if size < 0:
                    raise ArchiveError("damaged: it unpacks to more than it declares")
                # After a full piece some output may be left, though all input is taken.
                data, full = engine.unconsumed_tail, len(piece) == PIECE
                yield piece
    except zlib.error as error:
        raise ArchiveError(f"damaged: {error}") from None
    if not engine.eof:
        raise ArchiveError("damaged: it is cut short")
