"""An upright copy shows what was rotated, in the format and with the metadata of the file."""

import io

import numpy as np
import pytest
from PIL import Image

from ssgan.data.inspection.upright_copies import NotCopiedError, rotate_upright
from tests.data.pictures import encode, noise, smooth


def rotated(picture, rotation):
    """By index arithmetic, counter-clockwise."""
    return Image.fromarray(np.ascontiguousarray(np.rot90(np.asarray(picture), rotation)))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
@pytest.mark.parametrize("rotation", [1, 2, 3])
def test_the_pixels_are_upright_again_to_the_bit(kind, rotation):
    picture = noise(3, 24, 17)
    settings = {"lossless": True} if kind == "WEBP" else {}
    copy = rotate_upright(encode(rotated(picture, rotation), kind, **settings), rotation)
    with Image.open(io.BytesIO(copy)) as found:
        assert found.format == kind
        assert np.array_equal(np.asarray(found), np.asarray(picture))


def test_a_jpeg_keeps_its_tables_and_its_metadata_but_the_tag():
    picture = smooth(4, 64, 48)
    exif = Image.Exif()
    exif[274], exif[271] = 3, "maker"  # stored on the head, and shown upright by the tag
    data = encode(rotated(picture, 2 + 1), "JPEG", exif=exif, quality=85)
    copy = rotate_upright(data, 1)
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(copy)) as after:
        assert after.size == picture.size
        difference = np.asarray(after).astype(int) - np.asarray(picture)
        assert np.abs(difference).mean() < 4
        assert after.quantization == before.quantization
        assert after.getexif().get(274) is None
        assert after.getexif()[271] == "maker"


def test_modes_stay():
    for mode in ("L", "LA", "P", "I;16"):
        picture = Image.fromarray(np.arange(12, dtype=np.uint16).reshape(3, 4))
        picture = picture if mode == "I;16" else noise(1, 4, 3).convert(mode)
        copy = rotate_upright(encode(picture, "PNG"), 1)
        with Image.open(io.BytesIO(copy)) as found:
            assert (found.mode, found.size) == (picture.mode, (3, 4))


def test_an_animation_is_not_copied():
    frames = [noise(1), noise(2)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(NotCopiedError, match="animated"):
        rotate_upright(data, 1)
