"""`ssgan orient FOLDER --model MODEL`: finds pictures that are not upright, and copies them."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssgan.cli.folders.discriminators import (
    describe_model,
    load_model,
    open_source,
    read_squares,
    require_rotation_head,
    rotation_head,
)
from ssgan.cli.folders.options import Orient
from ssgan.cli.folders.orientation_page import write_orientation_page
from ssgan.cli.folders.orientation_report import OrientationReport, format_report
from ssgan.cli.folders.pages import check_page
from ssgan.cli.progress import open_progress_bar
from ssgan.data.base import AbstractCollection, AbstractSource, Rejected
from ssgan.data.folder import Folder
from ssgan.data.image_files import NamedImageFiles
from ssgan.data.inspection.reading import draw_numbers
from ssgan.data.inspection.upright_copies import NotCopiedError, rotate_upright
from ssgan.data.sources import parse_source
from ssgan.evaluation.orientation import Orientations, predict_orientations
from ssgan.export.model import Model
from ssgan.files.atomic import write_atomic
from ssgan.files.errors import require_writable
from ssgan.files.names import readable
from ssgan.types import UserError

_HELD_OUT = 1000  # pictures on which precision and recall are measured


def main(given: Orient) -> int:
    """Find, print and copy; returns the exit code."""
    assert given.model is not None  # required
    check_page(given.page)
    model = load_model(given.model, given.device, given.trust)
    require_rotation_head(given.model, model)
    source, collection = open_source(given.source)
    if given.copy_to is not None:
        _check_target(given.copy_to, source, collection)
    held_out, upright = _measure(given.held_out, model)
    rejected: list[Rejected] = []
    every = range(len(collection))
    numbers, orientations = _predict(collection, every, model, rejected, "reading pictures")
    if not len(numbers):
        raise UserError(
            f"{source.name()}: no picture can be used; the first: {': '.join(rejected[0])}"
        )
    found = OrientationReport(
        source=source.name(),
        model=describe_model(given.model, model),
        threshold=given.threshold,
        collection=collection,
        numbers=numbers,
        orientations=orientations,
        rejected=rejected,
        held_out=held_out,
        upright=upright,
    )
    print(json.dumps(found.values(), indent=2) if given.json else format_report(found, given.show))
    if given.page is not None:
        write_orientation_page(found, given.page)
        print(f"page: {readable(given.page)}", file=sys.stderr)
    if given.copy_to is not None:
        assert isinstance(collection, NamedImageFiles)  # which was checked
        written = _copy_upright(found, collection, given.copy_to)
        copied = f"copies      {written:,} upright ones in {readable(given.copy_to)}"
        print(copied, file=sys.stderr if given.json else sys.stdout)
    return 0


def _predict(
    collection: AbstractCollection,
    numbers: Sequence[int],
    model: Model,
    rejected: list[Rejected],
    what: str,
) -> tuple[NDArray[np.int64], Orientations]:
    """The usable items, and their orientations: 13 bytes an item."""
    head, usable = rotation_head(model), [np.empty(0, np.int64)]
    parts = [Orientations(np.empty(0, np.int8), np.empty(0, np.float32))]
    with open_progress_bar(what) as progress:
        for chunk, pixels in read_squares(collection, numbers, model, rejected, progress):
            usable.append(np.array(chunk, np.int64))
            parts.append(Orientations.of(predict_orientations(pixels, head)))
    rotation = np.concatenate([part.rotation for part in parts])
    confidence = np.concatenate([part.confidence for part in parts])
    return np.concatenate(usable), Orientations(rotation, confidence)


def _measure(held_out: str | None, model: Model) -> tuple[str, Orientations | None]:
    """The source of the held-out pictures and the predictions on them; else why there are none."""
    if held_out is not None:
        source: AbstractSource | None = parse_source(held_out)
    else:
        source = model.config.data.source.held_out()
    if source is None:
        return "the model's source has no held-out pictures; give upright ones: --held-out", None
    if held_out is None and source.info().download:
        return f"{source.name()} is not here; give upright pictures: --held-out SOURCE", None
    collection, rejected = source.open(), list[Rejected]()
    numbers = draw_numbers(len(collection), _HELD_OUT, seed=0)
    _, upright = _predict(collection, numbers, model, rejected, "measuring on held-out pictures")
    if not len(upright.rotation):
        return f"no picture of {source.name()} can be used", None
    return source.name(), upright


def _check_target(folder: Path, source: AbstractSource, collection: AbstractCollection) -> None:
    """Raise UserError unless copies of the source can be written into a new or empty folder."""
    if not isinstance(collection, NamedImageFiles):
        raise UserError(f"--copy-to: {source.name()} has no image files; give a folder or archive")
    if isinstance(source, Folder) and _is_within(folder, Path(source.path)):
        raise UserError(
            f"--copy-to {readable(folder)} is within {source.name()}, whose pictures it would add "
            "to: give a folder outside of it"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"--copy-to {readable(folder)} is not empty: give a new or empty folder")
    require_writable(folder)


def _is_within(folder: Path, root: Path) -> bool:
    return folder.resolve().is_relative_to(root.resolve())


def _copy_upright(found: OrientationReport, collection: NamedImageFiles, folder: Path) -> int:
    """Write an upright copy of every listed picture, under its name in the source; how many."""
    rows, written = found.rows(), 0
    folder.mkdir(parents=True, exist_ok=True)
    with open_progress_bar("copying pictures") as progress:
        for done, row in enumerate(rows, 1):
            number, rotation = int(found.numbers[row]), int(found.orientations.rotation[row])
            data = collection.read_bytes(number)
            try:
                if isinstance(data, Rejected):
                    raise NotCopiedError(data.reason)
                copy = rotate_upright(data, rotation)
            except NotCopiedError as error:
                print(f"not copied: {found.item(row)}: {error}", file=sys.stderr)
            else:
                path = folder / os.fsdecode(collection.path_in_folder(number))
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(path, copy)
                written += 1
            progress(done, len(rows))
    return written
