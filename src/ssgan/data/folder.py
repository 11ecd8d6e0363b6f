"""`folder:PATH`: every image below a folder, with first-level folders as classes."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ssgan.data.base import AbstractSource
from ssgan.data.class_folders import layout_warnings
from ssgan.data.image_files import NamedImageFiles
from ssgan.data.preprocessing import read_image_file
from ssgan.data.scan import Listing, scan
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
            listing = scan(os.fsencode(self.path))
        except PermissionError:
            raise UserError(
                f"{self.name()}: the folder cannot be read (permission denied); "
                "this user needs the right to read and enter it"
            ) from None
        if all(item.reject for item in listing.found):
            reason = describe_missing(listing, os.listdir(self.path), "folder")
            raise UserError(f"{self.name()}: {reason}")
        return FolderCollection(self, listing)

    def layout_warnings(self) -> tuple[str, ...]:
        """The warnings on the present layout of the folder; UserError as in `open`."""
        return self.open().warnings()

    def without_place(self) -> "Folder":
        """All folders are equal but for their content."""
        return Folder("")

    def name(self) -> str:
        """`folder:PATH`."""
        return f"folder:{readable(self.path)}"


class FolderCollection(NamedImageFiles):
    """The files that were in a `Folder` when it was opened."""

    def __init__(self, spec: Folder, listing: Listing) -> None:
        super().__init__(spec, listing)
        self._path = spec.path
        if count_samples(os.fsencode(spec.path)) is not None:  # images/ is no class
            self._classes, self._labels = (), None

    def fingerprint(self) -> str:
        """A digest of every file's name, size, and times of last change of content and inode."""
        digest = hashlib.sha256()
        for item in self._found:
            digest.update(item.name + b"\0")
            digest.update(f"{item.size} {item.modified} {item.changed} {item.reject}\0".encode())
        return digest.hexdigest()

    def warnings(self) -> tuple[str, ...]:
        """Oddities of the layout, and other files."""
        return layout_warnings(self._path, self._listing, self._classes)

    def notes(self) -> tuple[str, ...]:
        """Output of ssgan that is passed over, and samples that are not all there."""
        notes = super().notes()
        if is_unfinished_sampling(os.fsencode(self._path)):
            notes += (f"{readable(self._path)} lacks samples: ssgan sample was interrupted",)
        return notes

    def _read_file(self, number: int) -> bytes:
        return read_image_file(os.path.join(os.fsencode(self._path), self._found[number].name))

    def _describe_unread(self, error: Exception) -> str:
        if isinstance(error, PermissionError):
            return "cannot be read: permission denied"
        if isinstance(error, FileNotFoundError):
            return "removed since the folder was listed"
        return super()._describe_unread(error)
