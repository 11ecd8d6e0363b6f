"""`folder:PATH`: every image below a folder, with first-level folders as classes."""

import hashlib
import os
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
from ssgan.data.class_folders import assign_classes, layout_warnings, passed_over_notes
from ssgan.data.preprocessing import decode, describe_failure, read_header_stats, read_image_file
from ssgan.data.scan import ENDINGS, FolderScan, FoundFile, scan
from ssgan.data.unsupported import describe_missing
from ssgan.files.names import readable
from ssgan.files.own_outputs import count_samples, is_run_directory, is_unfinished_sampling
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
        if is_run_directory(os.fsencode(self.path)):
            raise UserError(
                f"{self.name()}: this is a run directory, and its pictures are sheets: give a "
                f"folder of images, such as {readable(path / 'generated-seed-0')} after ssgan "
                f"sample {readable(self.path)}"
            )
        try:
            content = scan(os.fsencode(self.path))
        except PermissionError:
            raise UserError(
                f"{self.name()}: the folder cannot be read (permission denied); "
                "this user needs the right to read and enter it"
            ) from None
        if not any(not item.reject for item in content.found):
            raise UserError(f"{self.name()}: {_missing_reason(self.path, content)}")
        return FolderCollection(self, content)

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

    holds_files = True

    def __init__(self, spec: Folder, content: FolderScan) -> None:
        self._spec, self._content, self._found = spec, content, content.found
        self._classes, self._labels = assign_classes(content.found)
        if count_samples(os.fsencode(spec.path)) is not None:  # images/ is no class
            self._classes, self._labels = (), None

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

    def encoded(self, number: int) -> bytes:
        """The bytes of the file; raises OSError."""
        return self._bytes(self._found[number])

    def item(self, number: int) -> str:
        """The path within the folder, with unprintable bytes escaped."""
        return readable(self._found[number].name)

    def header_stats(self) -> HeaderStats:
        """From the headers of up to 256 evenly spread files."""
        return read_header_stats(self._spec.name(), len(self), self.encoded, self.item)

    def labels(self) -> Sequence[int] | None:
        """The number of the first-level folder of each image, if every image is in one."""
        return self._labels

    def classes(self) -> tuple[str, ...]:
        """The names of the first-level folders with images, sorted by their bytes."""
        return self._classes

    def warnings(self) -> tuple[str, ...]:
        """Oddities of the layout, and other files."""
        return layout_warnings(self._spec.path, self._content, self._classes)

    def notes(self) -> tuple[str, ...]:
        """Output of ssgan that is passed over, and samples that are not all there."""
        notes = passed_over_notes(self._content.passed_over)
        if is_unfinished_sampling(os.fsencode(self._spec.path)):
            notes += (f"{readable(self._spec.path)} lacks samples: ssgan sample was interrupted",)
        return notes

    def _bytes(self, item: FoundFile) -> bytes:
        if item.reject:
            raise OSError(item.reject)
        return read_image_file(os.path.join(os.fsencode(self._spec.path), item.name))


def _read_error(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "cannot be read: permission denied"
    if isinstance(error, FileNotFoundError):
        return "removed since the folder was listed"
    return str(error) if isinstance(error, OSError) else describe_failure(error)


def _missing_reason(path: str, content: FolderScan) -> str:
    found, others = content.found, content.others
    if found:
        first = found[0]
        return f"no image can be read; the first: {readable(first.name)}: {first.reject}"
    if content.passed_over:
        return (
            f"no image but output of ssgan (the first: {readable(content.passed_over[0])}); to use "
            "samples, give the folder that ssgan sample wrote"
        )
    if not others:
        return "the folder is empty"
    seen = ", ".join(f"{count} {ending}" for ending, count in others.most_common(3))
    way = describe_missing(os.listdir(path), others) or f"images end in {' '.join(sorted(ENDINGS))}"
    return f"no image among {others.total()} files ({seen}); {way}"
