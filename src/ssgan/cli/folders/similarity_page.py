"""The page of `ssgan similar`: near duplicates and outliers, or the results of a search."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssgan.cli.folders.pages import Tile, draw_tiles, write_page
from ssgan.cli.folders.similarity_report import SimilarityReport, describe_compared
from ssgan.evaluation.similarity import EDITS

_GROUPS, _IN_GROUP, _OUTLIERS, _NEAREST = 40, 8, 24, 48  # pictures on the page
_BROKEN = 120  # files that cannot be used


def write_similarity_page(
    found: SimilarityReport, path: Path, example: NDArray[np.uint8] | None
) -> None:
    """Write the page; it reads the pictures once more. `example` is uint8 [S, S, C]."""
    collection = found.collection
    groups = [draw_tiles(collection, group[:_IN_GROUP]) for group in found.groups[:_GROUPS]]
    write_page(
        path,
        "similarity.html",
        found=found,
        sentence=f"{describe_compared(found)}, read by {found.model}.",
        groups=groups,
        groups_sentence=_describe_groups(found),
        outliers=_with_distances(found, found.outliers[:_OUTLIERS]),
        nearest=_with_distances(found, found.nearest[:_NEAREST]),
        broken=[list(one) for one in found.rejected[:_BROKEN]],
        example=[] if example is None else [Tile(-1, example, found.example)],
    )


def _with_distances(found: SimilarityReport, pairs: tuple[tuple[int, float], ...]) -> list[Tile]:
    numbers = [number for number, _ in pairs]
    return draw_tiles(found.collection, numbers, [f"distance {one:.2f}" for _, one in pairs])


def _describe_groups(found: SimilarityReport) -> str:
    shown = f" The first {_GROUPS} are shown." if len(found.groups) > _GROUPS else ""
    groups = "1 group" if len(found.groups) == 1 else f"{len(found.groups):,} groups"
    return (
        f"{groups} of pictures at distances up to {found.threshold:.2f}: "
        f"{100 * found.recall:.0f} % of {found.num_edited:,} edited copies ({EDITS}) are nearer to "
        f"their originals than that. They are candidates: other pictures can be as near.{shown}"
    )
