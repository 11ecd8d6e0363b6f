"""Transparency multiplied into the colours and beside them."""

import numpy as np
import pytest
from PIL import Image

from ssgan.files.alpha import over_checkerboard, premultiply, straighten
from ssgan.files.animation import save_animation
from ssgan.files.image_grid import image_grid, stretch


def every_pair():
    """Every colour with every alpha, [256, 256, 4]."""
    colour, alpha = np.indices((256, 256), dtype=np.uint8)
    return np.stack([colour, 255 - colour, np.full_like(colour, 7), alpha], axis=-1)


def test_the_product_is_the_rounded_one():
    pixels = every_pair()
    wanted = np.floor(pixels[..., :3] / 255 * pixels[..., 3:] + 0.5)
    assert (premultiply(pixels)[..., :3] == wanted).all()
    assert (premultiply(pixels)[..., 3] == pixels[..., 3]).all()


def test_straight_colours_multiplied_again_are_the_same_pixels():
    multiplied = premultiply(every_pair())
    straight = straighten(multiplied)
    assert (premultiply(straight) == multiplied).all()
    assert (straight[multiplied[..., 3] == 0][:, :3] == 0).all()
    opaque = multiplied[..., 3] == 255
    assert (straight[opaque] == every_pair()[opaque]).all()


def test_a_colour_above_its_alpha_is_the_brightest():
    assert straighten(np.array([[[200, 9, 0, 10]]], np.uint8)).tolist() == [[[255, 230, 0, 10]]]


@pytest.mark.parametrize("change", [premultiply, straighten, over_checkerboard])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_without_alpha_stay_as_they_are(change, channels):
    pixels = np.arange(16 * channels, dtype=np.uint8).reshape(1, 4, 4, channels)
    assert change(pixels) is pixels


def test_transparent_parts_of_a_sheet_show_a_checkerboard_and_opaque_ones_their_colour():
    images = np.zeros((2, 32, 32, 4), np.uint8)
    images[1] = (10, 20, 30, 255)
    sheet = image_grid(images, 2)
    zoom = sheet.width // 67
    shown = np.asarray(sheet)[::zoom, ::zoom]
    assert sheet.mode == "RGB"
    assert {tuple(pixel) for row in shown[1:33, 1:33].tolist() for pixel in row} == {
        (255, 255, 255),
        (204, 204, 204),
    }
    assert (shown[1:33, 34:66] == (10, 20, 30)).all()


def test_stretched_edges_take_no_colour_from_transparent_pixels(tmp_path):
    images = np.zeros((1, 16, 16, 4), np.uint8)
    images[0, :, 8:] = (200, 100, 50, 255)
    images[0, :, :8, 1] = 255  # a colour that nobody sees
    wide = stretch(images, 2.0)[0]
    seen = wide[..., 3] > 8
    assert np.abs(wide[seen][:, :3].astype(int) - (200, 100, 50)).max() <= 16
    save_animation(tmp_path / "a.gif", np.concatenate([images, images]), 80)
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.n_frames >= 1
