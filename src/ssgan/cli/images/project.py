"""`ssgan project RUN IMAGE ...`: the latents of pictures, and the images that G makes of them."""

import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssgan.cli.config_args import import_trusted
from ssgan.cli.images.options import Project
from ssgan.cli.images.sample import find_class
from ssgan.cli.progress import Meter
from ssgan.config.merge import read_json
from ssgan.data.base import DecodedWithWarning, Preprocessing, Rejected
from ssgan.data.preprocessing import decode, quiet_pillow, read_image_file
from ssgan.evaluation.projection import Projection, ProjectionSettings, Projector
from ssgan.files.alpha import straighten
from ssgan.files.atomic import remove_strays, write_atomic, write_json
from ssgan.files.errors import explain, require_writable
from ssgan.files.image_grid import image_grid, save_png, stretch
from ssgan.files.links import refuse_links
from ssgan.files.locks import hold_lock
from ssgan.files.names import readable
from ssgan.ops.cpu import keep_freed_memory
from ssgan.runs.checkpoint import Checkpoint
from ssgan.runs.model_file import find_networks
from ssgan.runs.precision import resolve_device
from ssgan.runs.sampling import load_discriminator, load_generator, used_classes
from ssgan.types import UserError

_RECORD, _KIND = "projections.json", "ssgan projections"
_FILE = re.compile(r"projection-\d{5,}\.(png|npz)")


def main(given: Project) -> int:
    """Project every picture and write it; returns the exit code."""
    assert given.out is not None  # required
    saved, passed_over = find_networks(given.run, trusted_modules=import_trusted(given.trust))
    for sentence in passed_over:
        print(f"skipped: {sentence}")
    require_writable(given.out)
    earlier = _earlier_files(given.out)
    targets = read_pictures(given.images, saved.config.data.preprocessing)
    projector = _projector(saved, given)
    keep_freed_memory()
    given.out.mkdir(parents=True, exist_ok=True)
    with hold_lock(given.out / ".lock"):
        remove_strays(given.out)
        rows: list[dict[str, object]] = []
        record = {"kind": _KIND, "run": str(given.run), "step": saved.step, "images": rows}
        write_json(given.out / _RECORD, record)  # first: from here on the files are ours
        for file in earlier:
            file.unlink(missing_ok=True)
        total = len(targets) * given.steps
        with Meter("step", total, 0, per_step=given.starts, unit="images") as meter:
            for number, target in enumerate(targets):
                found = projector.project(target, _progress(meter, number * given.steps))
                rows.append(_write(given, number, target, found, saved))
                write_json(given.out / _RECORD, record)
    print(f"{len(rows)} projections of step {saved.step} in {readable(given.out)}")
    return 0


def read_pictures(paths: tuple[Path, ...], preprocessing: Preprocessing) -> list[NDArray[np.uint8]]:
    """Image files of any size as uint8 [S, S, C]; raises UserError for one that cannot be read."""
    found = []
    with quiet_pillow():
        for path in paths:
            if path.is_dir():
                raise UserError(f"{readable(path)} is a folder; give image files")
            try:
                picture = decode(str(path), read_image_file(os.fspath(path)), preprocessing)
            except OSError as error:
                raise UserError(f"{readable(path)}: {explain(error)}") from None
            if isinstance(picture, Rejected):
                raise UserError(f"{readable(path)}: {picture.reason}")
            found.append(picture.pixels if isinstance(picture, DecodedWithWarning) else picture)
    return found


def _projector(saved: Checkpoint, given: Project) -> Projector:
    classes = None
    if given.class_name is not None:
        classes = [find_class(saved, given.class_name)]
    elif saved.config.method.conditional:
        classes = used_classes(saved)
    settings = ProjectionSettings(
        steps=given.steps, starts=given.starts, pixel_weight=given.pixels, seed=given.seed
    )
    device = resolve_device(given.device)
    networks = load_generator(saved, device), load_discriminator(saved, device)
    return Projector(*networks, saved.config.generator, classes, settings)


def _progress(meter: Meter, before: int) -> Callable[[int], None]:
    return lambda step: meter.advance(before + step)


def _write(
    given: Project,
    number: int,
    target: NDArray[np.uint8],
    found: Projection,
    saved: Checkpoint,
) -> dict[str, object]:
    """Write one projection and print its line; returns its part of the record."""
    assert given.out is not None
    stem = given.out / f"projection-{number:05d}"
    pair = straighten(np.stack([target, found.image]))
    sheet = image_grid(stretch(pair, saved.config.data.ratio), 2)
    save_png(stem.with_suffix(".png"), sheet)
    arrays: dict[str, NDArray[np.generic]] = {"latents": found.latents.numpy()}
    if found.label is not None:
        arrays["labels"] = np.array([found.label])
    encoded = io.BytesIO()
    np.savez(encoded, allow_pickle=False, **arrays, image=pair[1], target=pair[0])
    write_atomic(stem.with_suffix(".npz"), encoded.getvalue())
    named = "" if found.label is None else f", class {saved.classes[found.label]}"
    source = given.images[number]
    print(
        f"{stem.name}: {readable(source)}: distance {found.distance:.4f} (features "
        f"{found.features:.4f}, pixels {found.pixels:.4f}); nearest sample "
        f"{found.nearest_sample:.4f}{named}"
    )
    return {
        "file": stem.name,
        "image": readable(source),
        "label": found.label,
        "distance": found.distance,
        "features": found.features,
        "pixels": found.pixels,
        "nearest_sample": found.nearest_sample,
        "steps": given.steps,
        "starts": given.starts,
        "pixel_weight": given.pixels,
        "seed": given.seed,
    }


def _earlier_files(out: Path) -> list[Path]:
    """The files of an earlier projection without its record.

    Raises UserError where there are others, or links.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {readable(out)} is a file; give a new folder")
    files = sorted(out.iterdir()) if out.is_dir() else []
    refuse_links(out, *files)
    record = out / _RECORD
    own = record.is_file() and read_json(record).get("kind") == _KIND
    for file in files:
        known = file.name == _RECORD or _FILE.fullmatch(file.name) is not None
        if not file.name.startswith(".") and not (own and known):
            raise UserError(
                f"{readable(out)} holds other files (the first: {readable(file)}); give an empty "
                "or new folder with --out"
            )
    return [file for file in files if _FILE.fullmatch(file.name)]
