"""The page of `ssgan data inspect`: facts, advice, and a contact sheet."""

from pathlib import Path

import numpy as np

from ssgan.cli.folders.inspection import GUIDE, MOST_LISTED, Inspection, count_words
from ssgan.cli.folders.pages import Tile, draw_tiles, write_page
from ssgan.data.inspection.contact_sheet import SheetPicture, draw_contact_sheet
from ssgan.pages.charts import histogram

_ON_SHEET = 48
_GROUPS, _IN_GROUP = 12, 6  # of copies


def write_inspection_page(found: Inspection, path: Path) -> None:
    """Write the page; it reads the pictures of the sheet once more."""
    survey, preprocessing = found.survey, found.preprocessing
    sheet = draw_contact_sheet(found.collection, survey, preprocessing, _ON_SHEET)
    groups = found.copies.groups[:_GROUPS]
    write_page(
        path,
        "inspection.html",
        found=found,
        guide=GUIDE,
        advice=found.advice[:1].upper() + found.advice[1:],
        sentence=_describe_sample(found),
        summary=_summarize(found),
        sheet=[Tile(one.number, one.pixels, one.name, _caption(one)) for one in sheet],
        sheet_sentence=_describe_sheet(found, len(sheet)),
        chart=histogram(
            np.array(found.sizes.short_sides, np.float64),
            title="Short sides of the pictures",
            x_label="pixels",
        ),
        groups=[draw_tiles(found.collection, group[:_IN_GROUP]) for group in groups],
        copies_sentence=_describe_copies(found),
        broken=[list(one) for one in survey.rejected[:MOST_LISTED]],
        classes=[(name, f"{count:,}") for name, count in found.class_counts.items()][:MOST_LISTED],
    )


def _describe_sample(found: Inspection) -> str:
    survey = found.survey
    if survey.is_whole:
        return f"All {survey.total:,} items were read; {len(survey.usable):,} are usable."
    return (
        f"{len(survey.numbers):,} of {survey.total:,} items were read, drawn with seed "
        f"{found.seed}; {len(survey.usable):,} of them are usable. Shares refer to these."
    )


def _summarize(found: Inspection) -> list[tuple[str, str]]:
    headers, sizes = found.survey.headers, found.sizes
    facts = [
        ("formats", count_words(header.format for header in headers if header.format)),
        ("modes", count_words(header.mode for header in headers)),
        ("widths", f"{sizes.widths[0]:,} to {sizes.widths[1]:,} pixels"),
        ("heights", f"{sizes.heights[0]:,} to {sizes.heights[1]:,} pixels"),
        ("orientation tags", _number(sum(header.orientation != 1 for header in headers))),
        ("transparent", _number(sum(header.transparent for header in headers))),
        ("animated", _number(sum(header.animated for header in headers))),
        ("classes", _number(len(found.class_counts))),
        ("copies", _describe_copies(found) if found.copies.groups else ""),
    ]
    return [(term, value) for term, value in facts if value]


def _number(count: int) -> str:
    return f"{count:,}" if count else ""


def _caption(one: SheetPicture) -> str:
    size = f"{one.header.width:,} x {one.header.height:,}"
    return f"{size}; loses {100 * one.lost:.0f} %" if one.lost else size


def _describe_sheet(found: Inspection, count: int) -> str:
    if found.collection.views > 1:
        return f"{count} random crops, as training reads them."
    fit = {
        "crop": "what the centred square leaves out is dark",
        "pad": "the whole picture stays, with margins",
        "squash": "the whole picture stays, and its sides are made equal",
    }[found.preprocessing.fit]
    return f"{count} pictures, evenly spread over those that were read; {fit}."


def _describe_copies(found: Inspection) -> str:
    copies = found.copies
    among = "by the bytes of all files" if copies.by_bytes else "by the pixels of the sample"
    more = f"; the first {_GROUPS} groups are below" if len(copies.groups) > _GROUPS else ""
    return (
        f"{copies.repeated:,} of {copies.compared:,} compared items have a copy, {among}, in "
        f"{len(copies.groups):,} groups{more}."
    )
