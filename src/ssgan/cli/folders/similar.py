"""`ssgan similar FOLDER --model MODEL`: near duplicates, outliers, and search by example."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssgan.cli.folders.discriminators import (
    block_maps,
    describe_model,
    load_model,
    open_source,
    read_squares,
)
from ssgan.cli.folders.options import Similar
from ssgan.cli.folders.pages import check_page
from ssgan.cli.folders.similarity_page import write_similarity_page
from ssgan.cli.folders.similarity_report import MOST_LISTED, SimilarityReport, format_similarity
from ssgan.cli.images.project import read_pictures
from ssgan.cli.progress import open_progress_bar
from ssgan.data.base import AbstractCollection, Rejected
from ssgan.data.inspection.reading import decode_chunk, draw_numbers
from ssgan.evaluation.similarity import (
    FeatureScale,
    NearestKept,
    choose_threshold,
    edit_picture,
    extract_rows,
    find_neighbours,
)
from ssgan.export.model import Model
from ssgan.files.names import readable
from ssgan.types import ImageShape, UserError

_EDITED = 200  # edited copies that set the distance of a near duplicate
_RESULTS = 100  # of a search that are kept
_SCALED = 2000  # pictures that scale the features of a search
_MOST_VALUES = 2**27  # feature values of the pictures that are compared: 512 MiB


def main(given: Similar) -> int:
    """Compare, print and write the page; returns the exit code."""
    assert given.model is not None  # required
    check_page(given.page)
    model = load_model(given.model, given.device, given.trust)
    source, collection = open_source(given.source)
    found = SimilarityReport(
        source=source.name(),
        model=describe_model(given.model, model),
        collection=collection,
        total=len(collection),
        seed=given.seed,
        numbers=[],
        rejected=[],
    )
    example = None
    if given.to is None:
        found = _compare(given, found, model)
    else:
        (example,) = read_pictures((given.to,), model.config.data.preprocessing)
        found = _search(given, found, model, example)
    print(
        json.dumps(found.values(), indent=2) if given.json else format_similarity(found, given.show)
    )
    if given.page is not None:
        write_similarity_page(found, given.page, example)
        print(f"page: {readable(given.page)}", file=sys.stderr)
    return 0


def _search(
    given: Similar, found: SimilarityReport, model: Model, example: NDArray[np.uint8]
) -> SimilarityReport:
    """The pictures nearest to an example among all; features are scaled by a sample."""
    assert given.to is not None
    collection, maps, rejected = found.collection, block_maps(model), list[Rejected]()
    sample = draw_numbers(len(collection), _SCALED, given.seed)
    _, rows = _rows(collection, sample, model, rejected, "scaling features")
    scale = FeatureScale.of(rows)
    kept = NearestKept(scale.apply(extract_rows(example[None], maps))[0], max(_RESULTS, given.show))
    numbers: list[int] = []
    rejected = []
    with open_progress_bar("reading pictures") as progress:
        every = range(len(collection))
        for chunk, pixels in read_squares(collection, every, model, rejected, progress):
            numbers += chunk
            kept.add(chunk, scale.apply(extract_rows(pixels, maps)))
    nearest = tuple((number, distance) for distance, number in kept.found)
    return replace(
        found, numbers=numbers, rejected=rejected, example=readable(given.to), nearest=nearest
    )


def _compare(given: Similar, found: SimilarityReport, model: Model) -> SimilarityReport:
    """Near duplicates and outliers among a sample."""
    collection, rejected = found.collection, list[Rejected]()
    shape = model.shape
    black = np.zeros((1, shape.size, shape.size, shape.channels), np.uint8)
    most = max(2, _MOST_VALUES // extract_rows(black, block_maps(model)).shape[1])
    sample = draw_numbers(len(collection), min(given.sample, most), given.seed)
    numbers, rows = _rows(collection, sample, model, rejected, "reading pictures")
    scale = FeatureScale.of(rows)
    rows = scale.apply(rows)
    edited = _edited_distances(collection, numbers, rows, scale, model, given.seed)
    threshold = choose_threshold(edited, given.recall)
    with open_progress_bar("comparing pictures") as progress:
        neighbours = find_neighbours(rows, progress)
    groups = neighbours.groups(threshold)
    outliers = neighbours.outliers(MOST_LISTED)
    return replace(
        found,
        numbers=numbers,
        rejected=rejected,
        threshold=threshold,
        recall=given.recall,
        num_edited=len(edited),
        groups=tuple(tuple(numbers[row] for row in group) for group in groups),
        outliers=tuple((numbers[row], distance) for row, distance in outliers),
    )


def _rows(
    collection: AbstractCollection,
    numbers: Sequence[int],
    model: Model,
    rejected: list[Rejected],
    what: str,
) -> tuple[list[int], Tensor]:
    """The usable items and their features; raises UserError for fewer than two."""
    maps, usable, rows = block_maps(model), list[int](), list[Tensor]()
    with open_progress_bar(what) as progress:
        for chunk, pixels in read_squares(collection, numbers, model, rejected, progress):
            usable += chunk
            rows.append(extract_rows(pixels, maps))
    if len(usable) < 2:
        why = f"; the first: {': '.join(rejected[0])}" if rejected else ""
        raise UserError(f"similar compares at least 2 pictures, and {len(usable)} can be used{why}")
    return usable, torch.cat(rows)


def _edited_distances(
    collection: AbstractCollection,
    numbers: Sequence[int],
    rows: Tensor,
    scale: FeatureScale,
    model: Model,
    seed: int,
) -> Tensor:
    """The distances of edited copies of some pictures to their originals."""
    places = draw_numbers(len(numbers), _EDITED, seed)
    preprocessing = model.config.data.preprocessing
    (channels, size), maps = preprocessing.shape, block_maps(model)
    doubled = replace(preprocessing, shape=ImageShape(channels, 2 * size))
    place_of = {numbers[place]: place for place in places}
    decoded = decode_chunk(collection, list(place_of), doubled)
    copies = np.stack([
        edit_picture(square, seed + number)
        for number, square in zip(decoded.numbers, decoded.pixels, strict=True)
    ])  # fmt: skip
    originals = rows[[place_of[number] for number in decoded.numbers]]
    differences = scale.apply(extract_rows(copies, maps)) - originals
    distances: Tensor = torch.linalg.vector_norm(differences, dim=1)
    return distances
