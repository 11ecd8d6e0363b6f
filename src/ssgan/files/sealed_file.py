"""Files that end with the sha256 of their payload, an archive of tensors.

Neither torch.load nor safetensors notices a flipped bit, so every read checks the digest. The sizes
that an archive declares are bounded before anything in it is read.
"""

import hashlib
import io
import os
import zipfile
from pathlib import Path

from ssgan.files.atomic import Crash, write_atomic
from ssgan.files.environment import memory_bytes
from ssgan.files.links import require_file
from ssgan.types import UserError

_MAGIC = b"ssgan1"
_TRAILER = len(_MAGIC) + 32  # bytes: the magic, then the sha256 of all before it
_MOST_DIRECTORY = 4 * 2**20  # bytes; the largest networks here have a thousand tensors, of 100 each
_MOST_STRUCTURE = 8 * 2**20  # bytes of the index of tensors, with the settings and classes


class Damaged(Exception):  # noqa: N818 - the name of a state
    """A file differs from what was written; the message says how."""


class SealedFile(io.FileIO):
    """An open sealed file, read as if it ended before its trailer."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.size = max(0, os.fstat(self.fileno()).st_size - _TRAILER)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Seek as in a file of that size."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self.size}[whence]
        return super().seek(start + offset)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as in a file of that size; ValueError for more at once than a directory may have."""
        left = max(0, self.size - self.tell())
        size = left if size is None or size < 0 else min(size, left)
        if size > _MOST_DIRECTORY:
            raise ValueError("too much at once")
        return super().read(size) or b""

    def has_seal(self) -> bool:
        """Whether the trailer begins with the magic; moves to the start of the file."""
        super().seek(self.size)
        found = super().read(len(_MAGIC))
        super().seek(0)
        return found == _MAGIC

    def check_archive(self) -> None:
        """Raise ValueError for an archive that is compressed, or has too many bytes or names.

        Only its directory is read, so a false size in it costs nothing.
        """
        try:
            with zipfile.ZipFile(self) as archive:
                members = archive.infolist()
        except Exception as error:  # zipfile raises many types
            raise ValueError("its list of tensors cannot be read, or is too long") from error
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("it is compressed, so its size is unknown")
        if sum(member.file_size for member in members) > self.size:
            raise ValueError("its tensors are larger than the file")
        structures = [m.file_size for m in members if m.filename.endswith("data.pkl")]
        if sum(structures) > _MOST_STRUCTURE:
            raise ValueError("its index is larger than that of any network")


def write_sealed(path: Path, payload: bytes, crash: Crash | None = None) -> None:
    """Write the payload and its sha256, whole or not at all."""
    write_atomic(path, payload + _MAGIC + hashlib.sha256(payload).digest(), crash=crash)


def read_verified(path: Path) -> bytes:
    """The payload of a sealed file.

    Raises Damaged when its bytes have changed or would unpack to more than the file has, and
    UserError when it cannot be read or is larger than this machine's memory.
    """
    data = _read(path)
    payload, digest = data[:-_TRAILER], data[-_TRAILER + len(_MAGIC) :]
    if hashlib.sha256(payload).digest() != digest:
        raise Damaged(f"{path} does not match its sha256: its bytes have changed")
    return payload


def _read(path: Path) -> bytes:
    """All bytes, after checking the trailer's magic and the archive's directory."""
    require_file(path)
    try:
        with SealedFile(path) as file:
            if not file.has_seal():
                raise Damaged(f"{path} is cut short or not a checkpoint of ssgan")
            file.check_archive()
            _refuse_beyond_memory(path, file.size)
            file.seek(0)
            return file.readall()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise Damaged(f"{path} is not a file") from error
    except OSError as error:  # the bytes may be intact
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Damaged(f"{path} is damaged or not a checkpoint of ssgan: {error}") from error


def _refuse_beyond_memory(path: Path, size: int) -> None:
    memory = memory_bytes()
    if memory is not None and size > memory:
        raise UserError(
            f"{path} has {size / 1e9:.0f} GB, and this machine {memory / 1e9:.0f} GB of memory: "
            "it cannot be read here"
        )
