"""The folder that `ssgan sample` writes: images alone in images/, sheets and a record beside it."""

import os
from collections.abc import Mapping
from pathlib import Path

from ssgan.data.scan import ENDINGS
from ssgan.files.atomic import remove_strays, write_json
from ssgan.files.links import refuse_links
from ssgan.files.names import readable
from ssgan.files.own_outputs import (
    RECORD_KIND,
    SAMPLE,
    SAMPLE_IMAGES,
    SAMPLE_RECORD,
    SAMPLE_SHEETS,
    SHEET,
    count_samples,
    flat_samples,
    is_flat_sampling,
    read_mark,
)
from ssgan.types import UserError


class SampleFolder:
    """Paths within one folder of samples; `start` makes it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images = root / SAMPLE_IMAGES
        self.sheet, self.interpolation, self.animation = (root / name for name in SAMPLE_SHEETS)
        self.record = root / SAMPLE_RECORD
        self.lock = root / ".lock"

    def image(self, number: int) -> Path:
        """The file of a sample, numbered from 0."""
        return self.images / f"image-{number:05d}.png"

    def refuse_other_files(self) -> None:
        """Raise UserError for a folder with links, or files that no sampling wrote."""
        sheets = (self.sheet, self.interpolation, self.animation)
        refuse_links(self.root, self.images, self.record, self.lock, *sheets)
        if (other := self._find_other()) is not None:
            raise UserError(
                f"{readable(self.root)} holds other files (the first: {readable(other)}); give an "
                "empty or new folder with --out"
            )

    def start(self, count: int, facts: Mapping[str, object]) -> None:
        """Replace an earlier sampling by the record of one of `count` images.

        The caller holds the lock. Raises UserError where the folder holds other files.
        """
        self.refuse_other_files()
        for folder in (self.root, self.images):
            remove_strays(folder)
        sheets = (self.sheet, self.interpolation, self.animation)
        for path in [*self._flat_samples(), *sheets, *self.images.glob("image-*.png")]:
            path.unlink(missing_ok=True)
        write_json(self.record, {"kind": RECORD_KIND, "images": count, **facts})
        self.images.mkdir(exist_ok=True)

    def _flat_samples(self) -> list[Path]:
        """The images of an earlier version, which lie beside their sheet."""
        names = {os.fsencode(path.name) for path in self.root.iterdir()}
        if not is_flat_sampling(os.fsencode(self.root), names):
            return []
        return [self.root / os.fsdecode(name) for name in sorted(flat_samples(names))]

    def _find_other(self) -> Path | None:
        """A file or folder that is not of a sampling; texts beside the images may be anybody's."""
        if not self.root.is_dir():
            return None
        flat = self._flat_samples()
        known = {self.images, self.record, *flat}
        sampled = bool(flat) or count_samples(os.fsencode(self.root)) is not None
        for path in sorted(self.root.iterdir()):
            if path.name.startswith(".") or (path in known and not path.is_symlink()):
                continue
            if path.name in SAMPLE_SHEETS:
                if not flat and read_mark(path) != SHEET:
                    return path
            elif path.suffix.lower() in ENDINGS or path in known or not (sampled or path.is_file()):
                return path
        for path in sorted(self.images.iterdir()) if self.images.is_dir() else ():
            if not path.name.startswith(".") and read_mark(path) != SAMPLE:
                return path
        return None
