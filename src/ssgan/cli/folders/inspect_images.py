"""`ssgan data inspect SOURCE`: reads a sample of a source and says what is in it."""

import json
import sys

from rich.console import Console

from ssgan.cli.folders.inspection import Inspection
from ssgan.cli.folders.inspection_page import write_inspection_page
from ssgan.cli.folders.inspection_text import format_inspection
from ssgan.cli.folders.options import SAMPLE, Data
from ssgan.cli.folders.pages import check_page
from ssgan.cli.progress import fetch_source, log_to_terminal, open_progress_bar
from ssgan.data.base import Preprocessing
from ssgan.data.inspection.copies import find_copies
from ssgan.data.inspection.reading import draw_numbers
from ssgan.data.inspection.suggestions import Sizes, suggest_settings
from ssgan.data.inspection.survey import survey_items
from ssgan.data.sources import parse_source
from ssgan.files.names import readable
from ssgan.metrics.rotation_check import check_rotations_of
from ssgan.recipes.auto import choose_training_size
from ssgan.types import ImageShape, UserError


def inspect_source(given: Data) -> int:
    """Inspect, print and write the page; returns the exit code."""
    check_page(given.page)
    found = inspect_images(given)
    if given.json:
        print(json.dumps(found.values(), indent=2))
    else:
        print(format_inspection(found))
    if given.page is not None:
        write_inspection_page(found, given.page)
        print(f"page: {readable(given.page)}", file=sys.stderr)
    return 0


def inspect_images(given: Data) -> Inspection:
    """What is in the source; raises UserError where no item that was read can be used."""
    source = fetch_source(parse_source(given.source))
    log_to_terminal(Console(stderr=True))
    print("listing the items", file=sys.stderr, flush=True)
    collection, seed = source.open(), given.seed or 0
    stats = collection.header_stats()
    red, green, blue = given.background
    preprocessing = Preprocessing(
        shape=ImageShape(1 if stats.grey else 3, given.size or choose_training_size(stats)),
        background=(red, green, blue),
        fit=given.fit,
    )
    numbers = draw_numbers(len(collection), given.sample or SAMPLE, seed)
    with open_progress_bar("reading items") as progress:
        survey = survey_items(collection, numbers, preprocessing, progress)
    if not survey.usable:
        name, why = survey.rejected[0]
        raise UserError(
            f"{source.name()}: none of the {len(numbers):,} items that were read can be used; "
            f"the first: {name}: {why}"
        )
    with open_progress_bar("comparing files") as progress:
        copies = find_copies(collection, survey, seed, progress)
    return Inspection(
        source=source.name(),
        collection=collection,
        preprocessing=preprocessing,
        seed=seed,
        survey=survey,
        copies=copies,
        sizes=Sizes.of(survey),
        suggestion=suggest_settings(collection, survey, stats, preprocessing.shape.size),
        rotation=check_rotations_of(len(survey.squares), survey.squares.__getitem__),
    )
