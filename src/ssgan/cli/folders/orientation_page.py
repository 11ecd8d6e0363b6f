"""The page of `ssgan orient`: the listed pictures, before and after."""

from pathlib import Path

import numpy as np

from ssgan.cli.folders.orientation_report import (
    ROTATIONS,
    OrientationReport,
    describe_estimate,
    format_quality_rows,
)
from ssgan.cli.folders.pages import draw_tiles, write_page

_MOST = 120  # pictures on the page, and files that cannot be used


def write_orientation_page(found: OrientationReport, path: Path) -> None:
    """Write the page; it reads the listed pictures once more."""
    every = found.rows()
    rows = every[:_MOST]
    numbers = [int(found.numbers[row]) for row in rows]
    rotations = dict(zip(numbers, found.orientations.rotation[rows].tolist(), strict=True))
    notes = [
        f"{ROTATIONS[found.orientations.rotation[row]]}, {found.orientations.confidence[row]:.3f}"
        for row in rows
    ]
    tiles = draw_tiles(found.collection, numbers, notes)
    pairs = [
        (tile, np.ascontiguousarray(np.rot90(tile.pixels, -rotations[tile.number])))
        for tile in tiles
    ]
    shown = "" if len(every) <= _MOST else f"; the {_MOST} most certain are shown"
    count = "1 picture is" if len(every) == 1 else f"{len(every):,} pictures are"
    sides = " Left: as it is; right: rotated upright." if every else ""
    upright = found.upright
    write_page(
        path,
        "orientation.html",
        found=found,
        sentence=f"{len(found.numbers):,} pictures, read by {found.model}.",
        listed_sentence=f"{count} probably not upright, with a "
        f"confidence of {found.threshold:g} or more{shown}.{sides}",
        pairs=pairs,
        rows=[_mark_used(found, row) for row in format_quality_rows(found)],
        measured="" if upright is None else f"{len(upright.rotation):,}",
        estimate=describe_estimate(found).replace("+-", "±"),
        broken=[list(one) for one in found.rejected[:_MOST]],
    )


def _mark_used(found: OrientationReport, row: tuple[str, ...]) -> tuple[str, ...]:
    threshold, *rest = row
    return (f"{threshold} (used)" if threshold == f"{found.threshold:g}" else threshold, *rest)
