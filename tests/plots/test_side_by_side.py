import numpy as np
from PIL import Image

from ssgan.files.own_outputs import SHEET, read_mark
from ssgan.plots.side_by_side import CaptionedSheet, draw_side_by_side


def draw(path, sides=(32, 32)):
    draws = np.random.default_rng(0)
    sheets = [
        CaptionedSheet(f"run {n}", ("a line",), draws.integers(0, 256, (16, s, s, 3), np.uint8))
        for n, s in enumerate(sides)
    ]
    draw_side_by_side(sheets, "a caption", path)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGBA")), sheets


def find(page, block):
    """Where a block of pixels is, as (row, column)."""
    height, width = block.shape[:2]
    page = page[..., :3]
    corners = np.argwhere((page == block[0, 0]).all(axis=2))
    return [
        (y, x) for y, x in corners if np.array_equal(page[y : y + height, x : x + width], block)
    ]


def test_every_pixel_of_a_sample_is_a_square_of_its_colour(tmp_path):
    page, sheets = draw(tmp_path / "a.png")
    zoom = 800 // (4 * 33)
    places = []
    for sheet in sheets:
        for image in (sheet.images[0], sheet.images[15]):
            large = image.repeat(zoom, axis=0).repeat(zoom, axis=1)
            places += find(page, large)
    (first, last, other, _) = places
    assert last == (first[0] + 3 * 33 * zoom, first[1] + 3 * 33 * zoom)
    assert other[0] == first[0]
    assert other[1] > first[1] + 4 * 33 * zoom


def test_the_card_is_white_and_opaque_and_marked(tmp_path):
    page, _ = draw(tmp_path / "a.png")
    assert (page[..., 3] == 255).all()
    assert (page[10, 10] == 255).all()
    assert read_mark(tmp_path / "a.png") == SHEET
