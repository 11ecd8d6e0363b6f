"""The folder of an export, with a record of its files: only those are ever replaced.

A record says of which model and request the files are, so that a second export of the same does
nothing. A card that its user has edited stays.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ssgan.files.atomic import sync_folder, write_json
from ssgan.files.download import file_sha256
from ssgan.files.links import refuse_links
from ssgan.files.names import readable
from ssgan.files.nesting import parse_json
from ssgan.types import UserError

CARD = "README.md"
_KIND = "ssgan export"
_UNFINISHED = ".exporting-"  # how the folder of files that are being written begins


@dataclass(frozen=True)
class ExportedFile:
    """A file of an export."""

    name: str
    bytes: int
    sha256: str
    difference: float | None = None  # to our network; None: there is none to measure

    def is_plausible(self) -> bool:
        """Whether its fields, which a file may have given, have the right types."""
        words = isinstance(self.name, str) and isinstance(self.sha256, str)
        size = isinstance(self.bytes, int) and isinstance(self.difference, int | float | None)
        return words and size and self.name == os.path.basename(self.name) != ""

    @staticmethod
    def of(path: Path, difference: float | None = None) -> "ExportedFile":
        """The entry of a file that is there."""
        return ExportedFile(path.name, path.stat().st_size, file_sha256(path), difference)


class ExportFolder:
    """Paths within one folder of an export."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.record, self.lock = root / "export.json", root / ".lock"

    def refuse_other_files(self, names: Sequence[str]) -> None:
        """Raise UserError where one of these files is there and in no record, or is a link."""
        refuse_links(self.root, self.record, self.lock, *(self.root / name for name in names))
        known = self.read_files()
        for name in names:
            path = self.root / name
            if path.exists() and (name not in known or not path.is_file()):
                raise UserError(
                    f"{readable(path)} is not from an export of ssgan: move it, or give another "
                    "folder with --out"
                )

    def read_files(self) -> dict[str, ExportedFile]:
        """The files in the record, by name; empty without one that can be read."""
        rows = self._read().get("files")
        try:
            found = [ExportedFile(**row) for row in rows] if isinstance(rows, list) else []
        except TypeError:
            return {}
        return {one.name: one for one in found if one.is_plausible()}

    def read_formats(self) -> list[str]:
        """The formats of the files in the record; empty without one."""
        formats = self._read().get("formats")
        return [str(one) for one in formats] if isinstance(formats, list) else []

    def is_up_to_date(self, key: str) -> bool:
        """Whether the record has this key, and every file still has the bytes that were written.

        A card may have been edited since.
        """
        names = self.read_files()
        if self._read().get("key") != key or not names:
            return False
        edited = [name for name in names if name != CARD and self.is_edited(name)]
        return not edited and all((self.root / name).is_file() for name in names)

    def _read(self) -> Mapping[str, Any]:
        try:
            table = parse_json(self.record.read_bytes())
        except (OSError, ValueError):
            return {}
        return table if isinstance(table, dict) and table.get("kind") == _KIND else {}

    def is_edited(self, name: str) -> bool:
        """Whether a file of the record is there with another content."""
        path, entry = self.root / name, self.read_files().get(name)
        return entry is not None and path.is_file() and file_sha256(path) != entry.sha256

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """A folder for new files inside this one; it is removed afterwards."""
        for stray in self.root.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(stray, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=self.root) as folder:
            yield Path(folder)

    def replace(
        self,
        new: Path,
        key: str,
        formats: Sequence[str],
        files: Sequence[ExportedFile],
        kept: str | None,
    ) -> None:
        """Put the new files in place, all but the kept one, record them, and remove the others.

        A death in between leaves files that the next export replaces: the record comes first.
        """
        old = self.read_files()
        self._write("", formats, list({**old, **{one.name: one for one in files}}.values()))
        stale = [name for name in old if name not in {one.name for one in files}]
        for one in files:
            if one.name != kept:
                os.replace(new / one.name, self.root / one.name)
        for name in stale:
            if (self.root / name).is_file():
                (self.root / name).unlink()
        sync_folder(self.root)
        self._write(key, formats, files)

    def _write(self, key: str, formats: Sequence[str], files: Sequence[ExportedFile]) -> None:
        rows = [asdict(one) for one in files]
        facts = {"kind": _KIND, "key": key, "formats": list(formats), "files": rows}
        write_json(self.record, facts)
