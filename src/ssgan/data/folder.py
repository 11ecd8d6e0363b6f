"""`folder:PATH`: every image below a folder, with first-level folders as classes."""

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ssgan.data.base import (
    AbstractCollection,
    AbstractSource,
    DecodedWithWarning,
    HeaderStats,
    Pixels,
    Preprocessing,
    Rejected,
)
from ssgan.data.class_folders import assign_classes, layout_warnings
from ssgan.data.preprocessing import MAX_FILE_BYTES, decode, describe_failure, read_header_stats
from ssgan.data.scan import ENDINGS, FoundFile, readable, scan
from ssgan.types import UserError


@dataclass(frozen=True)
class Folder(AbstractSource):
    """Images in a folder and its subfolders, in the order of the bytes of their names."""

    path: str  # the folder; a relative path starts at the current folder

    def open(self) -> "FolderCollection":
        """List the files without reading them; UserError if there is no image."""
        path = Path(self.path)
        if not path.exists():
            raise UserError(f"{self.name()}: there is no folder at {readable(self.path)}")
        if not path.is_dir():
            raise UserError(
                f"{self.name()}: {readable(self.path)} is a file; give the folder that holds "
                "the images"
            )
        try:
            found, others = scan(os.fsencode(self.path))
        except PermissionError:
            raise UserError(
                f"{self.name()}: the folder cannot be read (permission denied); "
                "this user needs the right to read and enter it"
            ) from None
        if not any(not item.reject for item in found):
            raise UserError(f"{self.name()}: {_missing_reason(found, others)}")
        return FolderCollection(self, found, others)

    def layout_warnings(self) -> tuple[str, ...]:
        """The warnings on the present layout of the folder; UserError as in `open`."""
        return self.open().warnings()

    def without_place(self) -> "Folder":
        """All folders are equal but for their content."""
        return Folder("")

    def name(self) -> str:
        """`folder:PATH`."""
        return f"folder:{readable(self.path)}"


class FolderCollection(AbstractCollection):
    """The files that were in a `Folder` when it was opened."""

    def __init__(self, spec: Folder, found: Sequence[FoundFile], others: Counter[str]) -> None:
        self._spec, self._found, self._others = spec, found, others
        self._classes, self._labels = assign_classes(found)

    def __len__(self) -> int:
        return len(self._found)

    def fingerprint(self) -> str:
        """A digest of every file's name, size, and times of last change of content and inode."""
        digest = hashlib.sha256()
        for item in self._found:
            digest.update(item.name + b"\0")
            digest.update(f"{item.size} {item.modified} {item.changed} {item.reject}\0".encode())
        return digest.hexdigest()

    def read(
        self, numbers: range, preprocessing: Preprocessing
    ) -> Iterator[Pixels | DecodedWithWarning | Rejected]:
        """Decode these files, [S, S, C] each."""
        for number in numbers:
            item = self._found[number]
            try:
                data = self._bytes(item)
            except Exception as error:
                yield Rejected(readable(item.name), _read_error(error))
            else:
                yield decode(readable(item.name), data, preprocessing)

    def item(self, number: int) -> str:
        """The path within the folder, with unprintable bytes escaped."""
        return readable(self._found[number].name)

    def header_stats(self) -> HeaderStats:
        """From the headers of up to 256 evenly spread files."""
        return read_header_stats(
            self._spec.name(), len(self), lambda k: self._bytes(self._found[k]), self.item
        )

    def labels(self) -> Sequence[int] | None:
        """The number of the first-level folder of each image, if every image is in one."""
        return self._labels

    def classes(self) -> tuple[str, ...]:
        """The names of the first-level folders with images, sorted by their bytes."""
        return self._classes

    def warnings(self) -> tuple[str, ...]:
        """Oddities of the layout, and other files."""
        return layout_warnings(self._spec.path, self._found, self._classes, self._others)

    def _bytes(self, item: FoundFile) -> bytes:
        if item.reject:
            raise OSError(item.reject)
        if item.size > MAX_FILE_BYTES:
            raise OSError(f"the file is larger than {MAX_FILE_BYTES:,} bytes")
        path = os.path.join(os.fsencode(self._spec.path), item.name)
        # O_NONBLOCK: a pipe may have replaced the file since the scan, and would block.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError("no longer a regular file")
            return file.read(MAX_FILE_BYTES)


def _read_error(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "cannot be read: permission denied"
    if isinstance(error, FileNotFoundError):
        return "removed since the folder was listed"
    return str(error) if isinstance(error, OSError) else describe_failure(error)


def _missing_reason(found: Sequence[FoundFile], others: Counter[str]) -> str:
    if found:
        first = found[0]
        return f"no image can be read; the first: {readable(first.name)}: {first.reject}"
    if not others:
        return "the folder is empty"
    seen = ", ".join(f"{count} {ending}" for ending, count in others.most_common(3))
    return (
        f"no image among {others.total()} files ({seen}); images end in {' '.join(sorted(ENDINGS))}"
    )
