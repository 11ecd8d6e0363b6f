"""What an archive of tensors says of itself, bounded before anything in it is read."""

import io
import os
import zipfile
from pathlib import Path

_MOST_DIRECTORY = 4 * 2**20  # bytes; the largest networks here have a thousand tensors, of 100 each
_MOST_STRUCTURE = 8 * 2**20  # bytes that say which tensor is where, with the settings and classes


class SealedFile(io.FileIO):
    """An open file that ends with a trailer, to be read without it."""

    def __init__(self, path: Path, trailer: int) -> None:
        super().__init__(path)
        self.size = max(0, os.fstat(self.fileno()).st_size - trailer)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """As of a file of that size."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self.size}[whence]
        return super().seek(start + offset)

    def read(self, size: int | None = -1, /) -> bytes:
        """As of a file of that size; ValueError for more at once than the directory may have."""
        left = max(0, self.size - self.tell())
        size = left if size is None or size < 0 else min(size, left)
        if size > _MOST_DIRECTORY:
            raise ValueError("too much at once")
        return super().read(size) or b""

    def check_archive(self) -> None:
        """Raise ValueError unless this is an archive of tensors, none of which is compressed or
        said to be larger than the file, with as many names as networks have.

        Its directory alone is read, so whatever the file says of its size costs nothing.
        """
        try:
            with zipfile.ZipFile(self) as archive:
                members = archive.infolist()
        except Exception as error:  # zipfile has many types for one thing
            raise ValueError("its list of tensors cannot be read, or is too long") from error
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("it is compressed, and may unpack to anything")
        if sum(member.file_size for member in members) > self.size:
            raise ValueError("it holds less than it says")
        structures = [m.file_size for m in members if m.filename.endswith("data.pkl")]
        if sum(structures) > _MOST_STRUCTURE:
            raise ValueError("it has more names than any network")
