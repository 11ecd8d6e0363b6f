"""Reading pictures with 4 channels: alpha is kept, and colours are multiplied by it."""

import io

import numpy as np
import pytest
from PIL import Image

from ssgan.data.base import Preprocessing
from ssgan.data.npz import Npz
from ssgan.data.preprocessing import decode, from_array
from ssgan.data.sources import parse_source
from ssgan.files.alpha import premultiply
from ssgan.types import ImageShape


def wanted(size, **settings):
    return Preprocessing(shape=ImageShape(4, size), **settings)


def read(image, size, form="PNG", **settings):
    encoded = io.BytesIO()
    save = {"transparency": image.info["transparency"]} if "transparency" in image.info else {}
    image.save(encoded, form, **save)
    return decode("one", encoded.getvalue(), wanted(size, **settings))


@pytest.fixture
def sprite():
    """A red disc's corner on transparent green, 8 x 8."""
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[...] = (0, 255, 0, 0)
    pixels[2:6, 2:6] = (200, 20, 0, 255)
    pixels[2] = (200, 20, 0, 100)
    return pixels


def test_colours_are_multiplied_by_alpha_whose_bytes_stay(sprite):
    found = read(Image.fromarray(sprite), 8)
    assert (found == premultiply(sprite)).all()
    assert (found[0] == 0).all()  # the green of transparent pixels is gone


def test_a_smaller_picture_has_no_colour_of_transparent_pixels(sprite):
    large = sprite.repeat(8, axis=0).repeat(8, axis=1)
    found = read(Image.fromarray(large), 16)
    assert found.shape == (16, 16, 4)
    colour, alpha = found[..., 1].astype(int), found[..., 3]
    assert colour.max() <= 24  # of the disc's 20
    assert set(np.unique(alpha)) - {0, 100, 255}  # soft edges


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_pictures_without_alpha_are_opaque(sprite, mode):
    picture = Image.fromarray(sprite[..., :3]).convert(mode)
    found = read(picture, 8, "TIFF")
    assert (found[..., 3] == 255).all()
    assert (found[..., :3] == np.asarray(picture.convert("RGB"))).all()


def test_grey_with_alpha_and_palettes_keep_it(sprite):
    whole = Image.fromarray(sprite)
    assert (read(whole.convert("LA"), 8)[..., 3] == sprite[..., 3]).all()
    keyed = Image.fromarray(sprite[..., :3])
    keyed.info["transparency"] = (0, 255, 0)
    assert (read(keyed, 8)[..., 3] == 255 * (sprite[..., 1] == 20)).all()


def test_the_margin_of_a_padded_picture_is_transparent(sprite):
    found = read(Image.fromarray(sprite[2:6]), 8, fit="pad")
    assert (found[[0, 1, 6, 7]] == 0).all()
    assert (found[3, 2:6, 3] == 255).all()


def test_arrays_have_straight_colours_and_three_channels_put_them_over_the_background(sprite):
    assert (from_array(sprite, wanted(8)) == premultiply(sprite)).all()
    flat = from_array(sprite, Preprocessing(shape=ImageShape(3, 8), background=(1, 2, 3)))
    assert flat[0].tolist() == [[1, 2, 3]] * 8
    assert flat[3, 3].tolist() == [200, 20, 0]


def test_a_file_of_arrays_may_have_four_channels(sprite, tmp_path):
    np.savez(tmp_path / "sprites.npz", np.stack([sprite, sprite]))
    opened = Npz(str(tmp_path / "sprites.npz")).open()
    first, _ = opened.read(range(2), wanted(8))
    assert (first == premultiply(sprite)).all()


def test_rendered_pictures_are_opaque():
    source = parse_source("objects:num_images=10").open()
    (three,) = source.read(range(1), Preprocessing(shape=ImageShape(3, 16)))
    (four,) = source.read(range(1), wanted(16))
    assert (four[..., :3] == three).all()
    assert (four[..., 3] == 255).all()
