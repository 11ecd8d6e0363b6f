"""Small pictures of a sample, whole, with what the square leaves out dimmed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ssgan.data.base import AbstractCollection, Fit, Pixels, Preprocessing
from ssgan.data.inspection.reading import read_pictures
from ssgan.data.inspection.survey import Survey, read_item_header
from ssgan.data.preprocessing import PictureHeader
from ssgan.types import ImageShape

SIDE = 192  # of a picture on the sheet, in pixels
_DIM = 0.3  # brightness of what a crop leaves out
_LINE = (255, 92, 0)  # colour of the crop's edge


@dataclass(frozen=True, kw_only=True)
class SheetPicture:
    """A picture on the sheet."""

    number: int  # of the item
    name: str  # of the item
    pixels: Pixels  # the whole picture without margins, [H, W, 3], longer side SIDE
    header: PictureHeader
    lost: float  # share of the area that the square leaves out


def draw_contact_sheet(
    collection: AbstractCollection, survey: Survey, preprocessing: Preprocessing, count: int
) -> list[SheetPicture]:
    """At most `count` pictures, evenly spread over the usable ones of the survey.

    With the fit `crop`, what is outside of the largest centred square is dimmed. Crops of `crops:`
    are drawn as they are.
    """
    places = np.linspace(0, len(survey.usable) - 1, min(count, len(survey.usable))).astype(int)
    numbers = [survey.usable[place] for place in places]
    headers = dict(zip(survey.usable, survey.headers, strict=True))
    background = preprocessing.background
    found = []
    for number, pixels in read_thumbnails(collection, numbers, background).items():
        lost = 0.0 if collection.views > 1 else _lost(headers[number], preprocessing.fit)
        found.append(
            SheetPicture(
                number=number,
                name=collection.item(number),
                pixels=dim_outside(pixels) if lost else pixels,
                header=headers[number],
                lost=lost,
            )
        )
    return found


def read_thumbnails(
    collection: AbstractCollection,
    numbers: Sequence[int],
    background: tuple[int, int, int] = (255, 255, 255),
) -> dict[int, Pixels]:
    """The whole pictures of these items, [H, W, 3] with longer side SIDE, in this order.

    One that cannot be read is left out. A crop of `crops:` is shown alone.
    """
    whole = Preprocessing(shape=ImageShape(3, SIDE), background=background, fit="pad")
    ascending = sorted(set(numbers))
    read = list(read_pictures(collection, ascending, whole))
    squares = {n: p for chunk in read for n, p in zip(chunk.numbers, chunk.pixels, strict=True)}
    return {
        number: _without_margins(collection, number, squares[number])
        for number in numbers
        if number in squares
    }


def _lost(header: PictureHeader, fit: Fit) -> float:
    sides = header.width, header.height
    return 1 - min(sides) / max(sides) if fit == "crop" else 0.0


def _without_margins(collection: AbstractCollection, number: int, square: Pixels) -> Pixels:
    """The picture in a square that was padded."""
    header = read_item_header(collection, number)
    if collection.views > 1:
        return square
    longest = max(header.width, header.height)
    width, height = (max(1, round(side * SIDE / longest)) for side in header[:2])
    left, top = (SIDE - width) // 2, (SIDE - height) // 2
    return square[top : top + height, left : left + width]


def dim_outside(pixels: Pixels) -> Pixels:
    """The picture [H, W, 3] with what is outside of its largest centred square dimmed."""
    height, width, _ = pixels.shape
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    inside = slice(top, top + side), slice(left, left + side)
    dimmed = (pixels * _DIM).astype(np.uint8)
    dimmed[inside] = pixels[inside]
    if width > side:
        dimmed[:, [max(0, left - 1), min(width - 1, left + side)]] = _LINE
    if height > side:
        dimmed[[max(0, top - 1), min(height - 1, top + side)]] = _LINE
    return dimmed
