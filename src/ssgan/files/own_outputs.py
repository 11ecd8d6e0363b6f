"""Output of ssgan, recognised by its files: it holds no pictures to train on or to measure.

Sheets and figures carry a mark in the file, and a folder of samples has a record. Earlier versions
wrote neither: there a picture is recognised by its name and the files that were written with it.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ssgan.files.archive import ArchiveError
from ssgan.files.links import open_regular
from ssgan.files.names import readable
from ssgan.files.nesting import parse_json
from ssgan.files.npz import list_arrays
from ssgan.files.sealed_file import SealedFile
from ssgan.types import UserError

SHEET, SAMPLE = "ssgan sheet", "ssgan sample"  # marks: a sheet or figure for people; a sample
SAMPLE_RECORD, SAMPLE_IMAGES = "samples.json", "images"  # in a folder of samples
SAMPLE_SHEETS = ("sheet.png", "interpolation.png", "interpolation.gif")
RECORD_KIND = "ssgan samples"  # of the record
_IMAGE = re.compile(rb"image-(\d{5})\.png")
_RUN = re.compile(rb'\s*{\s*"kind": "ssgan\.[\w.]+:\w+"')
_SHEET_NAME = re.compile(
    rb"(step-\d{8,}|projection-\d{5,}|sheet|interpolation|probe|forgetting|figure|(.+-)?neighbours)"
    rb"\.(png|gif)"
)
_STEP = re.compile(rb"step-\d{8,}\.ckpt")
MARK_BYTES = 1024  # a mark is within
_RECORD_BYTES = 1 << 24  # more than a file of results
_SHEET_PIXELS = 1 << 25  # more than a sheet of 400 samples of 256 x 256


def png_info(mark: str) -> PngInfo:
    """The mark as the metadata of a PNG file."""
    info = PngInfo()
    info.add_text("Software", mark)
    return info


def read_mark(path: str | bytes | os.PathLike[str]) -> str:
    """The mark of a PNG or GIF file; empty for the file of anybody else."""
    return find_mark(_head(os.fsencode(path), MARK_BYTES))


def find_mark(head: bytes) -> str:
    """The mark in the first MARK_BYTES of a PNG or GIF file; empty for the file of anybody else."""
    for mark in (SHEET, SAMPLE):
        text = mark.encode()
        if head.startswith(b"\x89PNG") and b"tEXtSoftware\0" + text in head:
            return mark
        if head.startswith(b"GIF8") and b"!\xfe" + bytes([len(text)]) + text + b"\0" in head:
            return mark
    return ""


def names_sheet(name: bytes) -> bool:
    """Whether ssgan gives this name to sheets and figures; a mark in the file decides."""
    return _SHEET_NAME.fullmatch(name) is not None


def is_run_directory(folder: bytes) -> bool:
    """Whether a folder is the directory of a run: settings with a data set, or checkpoints."""
    if _RUN.match(_head(os.path.join(folder, b"config.json"), 256)):
        others = (b"manifest.json", b".lock")
        if any(os.path.exists(os.path.join(folder, name)) for name in others):
            return True
    checkpoints = os.path.join(folder, b"checkpoints")
    try:
        names = [name for name in os.listdir(checkpoints) if _STEP.fullmatch(name)]
    except OSError:
        return False
    return any(_is_sealed(os.path.join(checkpoints, name)) for name in names)


def _is_sealed(path: bytes) -> bool:
    try:
        if not os.path.isfile(path):
            return False
        with SealedFile(Path(os.fsdecode(path))) as file:
            return file.has_seal()
    except OSError:
        return False


def count_samples(folder: bytes) -> int | None:
    """The number of images in the record of a folder of samples; None without a record."""
    for facts in _rows(os.path.join(folder, os.fsencode(SAMPLE_RECORD))):
        count = facts.get("images")
        if facts.get("kind") == RECORD_KIND and type(count) is int:
            return count
    return None


def find_own_names(folder: bytes, names: Collection[bytes], *, given: bool) -> set[bytes]:
    """Those of the files `names` in a folder that ssgan wrote, by what lies beside them.

    Samples are not among them where the user gave that folder. A mark is read by `read_mark`.
    """
    names = set(names)
    own = {name for name in names if name.endswith(b".png") and _has_record(folder, name)}
    if is_flat_sampling(folder, names):
        own |= {os.fsencode(name) for name in SAMPLE_SHEETS} & names
        own |= set() if given else flat_samples(names)
    elif not given and (count := _count_images_in(folder)):
        own |= {n for n in names if (m := _IMAGE.fullmatch(n)) and int(m[1]) < count}
    return own


def _has_record(folder: bytes, name: bytes) -> bool:
    """Whether an earlier version wrote this sheet or figure, by the file written with it."""
    stem = name.removesuffix(b"-neighbours.png")
    record, needed = _RECORDS.get(name, (stem + b".jsonl", _RESULTS if stem != name else None))
    if needed is None:
        return False
    rows = _rows(os.path.join(folder, record))
    if not rows or not rows[0].keys() >= needed:
        return False
    measured = [str(row.get("name")) for row in rows]
    return needed is not _RESULTS or any(name.startswith(_NEAREST) for name in measured)


def _count_images_in(folder: bytes) -> int | None:
    """The number of images in the record beside a folder, if they are in this one."""
    above = os.path.join(folder, b"..")
    try:
        same = os.path.samefile(folder, os.path.join(above, os.fsencode(SAMPLE_IMAGES)))
    except OSError:
        return None
    return count_samples(above) if same else None


def holds_samples(folder: bytes) -> bool:
    """Whether ssgan sampled into a folder, or it is the images/ of such a folder."""
    if count_samples(folder) is not None or _count_images_in(folder) is not None:
        return True
    try:
        return is_flat_sampling(folder, os.listdir(folder))
    except OSError:
        return False


def is_unfinished_sampling(folder: bytes) -> bool:
    """Whether fewer images than recorded are in a folder of samples, or in its images/."""
    images, count = os.path.join(folder, os.fsencode(SAMPLE_IMAGES)), count_samples(folder)
    if count is None:
        images, count = folder, _count_images_in(folder)
    try:
        return count is not None and len(flat_samples(set(os.listdir(images)))) < count
    except OSError:
        return True


def refuse_other_picture(path: Path) -> None:
    """Raise UserError where a picture of anybody else would be replaced by a sheet or figure."""
    folder, name = os.fsencode(path.parent), os.fsencode(path.name)
    if not path.is_file() or read_mark(path) == SHEET:
        return
    if name not in find_own_names(folder, set(os.listdir(folder)), given=True):
        raise UserError(f"{path} is not output of ssgan: move it, or write to another place")


def refuse_other_images(path: Path) -> None:
    """Raise UserError where images of anybody else, as arr_0 of a .npz, would be replaced."""
    try:
        if not path.is_file() or "arr_0" not in list_arrays(path):
            return
        with open(path, "rb") as file:
            file.seek(-len(SAMPLE), os.SEEK_END)  # the comment of the archive
            if file.read() == SAMPLE.encode():
                return
    except (ArchiveError, OSError):  # it holds no images that can be lost
        return
    raise UserError(f"{readable(path)} holds images that ssgan did not sample: give another name")


def flat_samples(names: Collection[bytes]) -> set[bytes]:
    """image-00000.png and those that follow it without a gap."""
    found: set[bytes] = set()
    while (name := b"image-%05d.png" % len(found)) in names:
        found.add(name)
    return found


def is_flat_sampling(folder: bytes, names: Collection[bytes]) -> bool:
    """Whether an earlier version sampled here: sheet.png begins with image-00000.png."""
    pair = [os.path.join(folder, name) for name in (b"image-00000.png", b"sheet.png")]
    if not ({b"image-00000.png", b"sheet.png"} <= set(names) and all(map(os.path.isfile, pair))):
        return False
    try:
        image, page = map(_pixels, pair)
    except Exception:  # whatever a damaged picture raises: then it is none of ours
        return False
    size = len(image)
    if image.shape[1] != size:
        return False
    for columns in range(1, 21):  # as `image_grid` lays them out
        width = columns * (size + 1) + 1
        zoom = max(1, 768 // width)
        if page.shape[1] == width * zoom and page.shape[0] % ((size + 1) * zoom) == zoom:
            cell = slice(zoom, (size + 1) * zoom, zoom)
            return np.array_equal(page[cell, cell], image)
    return False


def _pixels(path: bytes) -> NDArray[np.uint8]:
    with Image.open(os.fsdecode(path), formats=["PNG"]) as picture:
        if picture.width * picture.height > _SHEET_PIXELS:
            raise ValueError("too large for a sheet")
        return np.asarray(picture)


def _head(path: bytes, size: int) -> bytes:
    """The beginning of a file; empty where it cannot be read. A pipe does not block."""
    try:
        descriptor = open_regular(path, follow=True)
        try:
            return os.read(descriptor, size)
        finally:
            os.close(descriptor)
    except OSError:
        return b""


def _rows(path: bytes) -> list[dict[str, Any]]:
    """The objects in a file of JSON or JSON lines; empty where anything else is in it."""
    head = _head(path, _RECORD_BYTES)
    try:
        rows = [parse_json(line) for line in (head.splitlines() if path.endswith(b"l") else [head])]
    except ValueError:
        return []
    return rows if all(isinstance(row, dict) for row in rows) else []


_RESULTS = {"subject", "against", "values", "protocol"}
_NEAREST = ("authenticity", "too close")  # metrics with a sheet of nearest images, old name last
_RECORDS: dict[bytes, tuple[bytes, set[str]]] = {  # of each picture, with facts only it has
    b"neighbours.png": (b"results.jsonl", _RESULTS),
    b"probe.png": (b"probe.jsonl", {"run", "step", "block", "top1"}),
    b"forgetting.png": (b"forgetting.json", {"format", "settings", "classes"}),
    b"figure.png": (b"results.json", {"study", "title", "variants", "commands"}),
}
