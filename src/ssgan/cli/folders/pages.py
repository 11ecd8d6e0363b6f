"""Write the pages of the verbs on folders, and refuse to replace the file of anybody else."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssgan import __version__
from ssgan.data.base import AbstractCollection
from ssgan.data.inspection.contact_sheet import read_thumbnails
from ssgan.files.atomic import write_atomic
from ssgan.files.errors import require_writable
from ssgan.files.names import readable
from ssgan.pages.page import render_page
from ssgan.types import UserError

_MARK = b"<!-- page of ssgan -->"  # near the end of cli/folders/base.html
_MARK_BYTES = 200


class Tile(NamedTuple):
    """A picture on a page, with its caption."""

    number: int  # of the item; -1: none
    pixels: NDArray[np.uint8]  # [H, W, C]
    name: str
    note: str = ""


def check_page(path: Path | None) -> None:
    """Raise UserError if the page cannot be written, or would replace the file of anybody else."""
    if path is None:
        return
    require_writable(path.parent)
    if path.is_dir():
        raise UserError(f"--page {readable(path)} is a folder; give the name of a file")
    if path.exists() and _MARK not in path.read_bytes()[-_MARK_BYTES:]:
        raise UserError(f"--page {readable(path)} is no page of ssgan: give another name")


def write_page(path: Path, template: str, **values: object) -> None:
    """Write the page of a template in this package, whole or not at all; see `render_page`."""
    html = render_page(f"cli/folders/{template}", version=__version__, **values)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, html.encode())


def draw_tiles(
    collection: AbstractCollection, numbers: Sequence[int], notes: Sequence[str] = ()
) -> list[Tile]:
    """The whole pictures of these items, with their names; one that cannot be read is left out."""
    pictures = read_thumbnails(collection, numbers)
    every = zip(numbers, notes or [""] * len(numbers), strict=True)
    return [
        Tile(number, pictures[number], collection.item(number), note)
        for number, note in every
        if number in pictures
    ]
