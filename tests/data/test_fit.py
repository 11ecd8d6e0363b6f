"""A picture that is no square becomes one by the chosen fit, and a large loss is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ssgan.data.base import Crop, DecodedWithWarning
from ssgan.data.crops import Crops
from ssgan.data.folder import Folder
from ssgan.data.prepare import prepare
from ssgan.data.preprocessing import decode, from_array
from tests.data.pictures import encode, noise, preprocessing, smooth
from tests.data.test_preprocessing import STORED, tagged

GROUND = (10, 200, 90)


def decoded(data: bytes, size: int, fit: str, **settings: Any) -> NDArray[np.int64]:
    result = decode("it", data, preprocessing(size, background=GROUND, fit=fit, **settings))
    assert isinstance(result, np.ndarray), result
    return result.astype(np.int64)


def stripes(width: int, height: int, axis: int) -> NDArray[np.uint8]:
    """Random colours along one axis, and the same ones along the other."""
    line = np.asarray(noise(4, (width, height)[axis], 1))[0]
    return np.repeat(line[None], height, 0) if axis == 0 else np.repeat(line[:, None], width, 1)


@pytest.mark.parametrize(("width", "height"), [(48, 16), (48, 15), (16, 48), (15, 48), (48, 48)])
def test_pad_keeps_every_pixel_in_the_middle_of_the_background(width: int, height: int) -> None:
    array = np.asarray(noise(1, width, height))
    expected = np.empty((48, 48, 3), np.uint8)
    expected[:] = GROUND
    top, left = (48 - height) // 2, (48 - width) // 2
    expected[top : top + height, left : left + width] = array
    assert (decoded(encode(Image.fromarray(array), "PNG"), 48, "pad") == expected).all()
    wanted = preprocessing(48, background=GROUND, fit="pad")
    assert (from_array(array, wanted) == expected).all()


def test_pad_of_grey_and_transparent_pictures_has_the_background_too() -> None:
    grey = decoded(encode(noise(1, 48, 16).convert("L"), "PNG"), 48, "pad", channels=1)
    assert set(grey[:16].flat) == {round(0.299 * 10 + 0.587 * 200 + 0.114 * 90)}
    clear = encode(Image.new("RGBA", (48, 16), (1, 2, 3, 0)), "PNG")
    assert (decoded(clear, 48, "pad") == GROUND).all()


@pytest.mark.parametrize(("width", "height"), [(16, 48), (48, 16)])
def test_squash_stretches_the_short_side_and_loses_nothing(width: int, height: int) -> None:
    short = 0 if width < height else 1
    array = stripes(width, height, short)
    line = array[0] if short == 0 else array[:, 0]
    expected = np.repeat(line[None], 16, 0) if short == 0 else np.repeat(line[:, None], 16, 1)
    found = decoded(encode(Image.fromarray(array), "PNG"), 16, "squash")
    assert np.abs(found - expected).max() <= 1
    edge = np.zeros((48, 16, 3), np.uint8)
    edge[:12] = 240  # a quarter, which a centred square would not hold
    picture = Image.fromarray(edge if height == 48 else edge.swapaxes(0, 1))
    found = decoded(encode(picture, "PNG"), 16, "squash").mean(2)
    rows = found if height == 48 else found.T
    assert np.abs(rows.mean(1) - ([240] * 4 + [0] * 12)).max() <= 25


@pytest.mark.parametrize("fit", ["pad", "squash"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_an_orientation_is_applied_before_the_fit(fit: str, tag: int) -> None:
    upright = np.asarray(noise(1, 40, 25))
    expected = decoded(encode(Image.fromarray(upright), "PNG"), 32, fit)
    assert (decoded(tagged(STORED[tag](upright), tag, "PNG"), 32, fit) == expected).all()
    large = np.asarray(smooth(2, 640, 401))  # which a JPEG decoder reads at a quarter
    expected = decoded(encode(Image.fromarray(large), "PNG"), 32, fit)
    jpeg = tagged(STORED[tag](large), tag, "JPEG", quality=98, subsampling=0)
    found = decoded(jpeg, 32, fit)
    inner = slice(7, 25) if fit == "pad" else slice(None)  # an edge may lie within a pixel
    assert np.abs(found - expected)[inner].max() <= 3
    assert np.abs(found - expected).max() <= 30


@pytest.mark.parametrize("fit", ["pad", "squash"])
@pytest.mark.parametrize(("width", "height"), [(1, 9000), (9000, 1), (3, 2)])
def test_the_longest_and_the_smallest_pictures_become_squares(
    fit: str, width: int, height: int
) -> None:
    for kind in ("PNG", "JPEG"):
        data = encode(Image.new("RGB", (width, height), (9, 8, 7)), kind)
        found = decoded(data, 32, fit)
        assert found.shape == (32, 32, 3)
        assert (np.abs(found - (9, 8, 7)).max(2) <= 2).any()


def test_random_crops_are_the_same_with_every_fit() -> None:
    data = encode(noise(1, 60, 40), "PNG")
    crops = [decoded(data, 32, fit, crop=Crop(0.5, 0.2, 0.9)) for fit in ("crop", "pad", "squash")]
    assert (crops[0] == crops[1]).all()
    assert (crops[0] == crops[2]).all()


# what a cut loses


def write(folder: Path, sizes: list[tuple[int, int]]) -> Folder:
    folder.mkdir()
    for number, (width, height) in enumerate(sizes):
        noise(number, width, height).save(folder / f"{number:02d}.png")
    return Folder(str(folder))


def said(source: Folder | Crops, cache: Path, **settings: Any) -> list[str]:
    warnings = prepare(source, preprocessing(**settings), cache).manifest["warnings"]
    return [text for text in warnings if "cut to squares" in text]


REMEDY = "; --fit pad or --fit squash keeps all of it"


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([(96, 32)] * 12, "12 of 12 pictures lose 67 % of their area"),
        ([(32, 96)] * 3 + [(40, 40)] * 9, "3 of 12 pictures lose 67 % of their area"),
        ([(64, 36), (33, 32), (150, 30)], "2 of 3 pictures lose 44 to 80 % of their area"),
        ([(48, 32), (32, 48), (40, 30)], None),  # 33 and 25 %
    ],
)
def test_a_cut_that_loses_much_is_said_with_numbers(
    sizes: list[tuple[int, int]], words: str | None, tmp_path: Path
) -> None:
    source = write(tmp_path / "photos", sizes)
    expected = [] if words is None else [f"cut to squares: {words}{REMEDY}"]
    assert said(source, tmp_path / "cache") == expected
    assert said(source, tmp_path / "cache") == expected  # from the cache, too
    for fit in ("pad", "squash"):
        assert said(source, tmp_path / "cache", fit=fit) == []
    assert said(Crops(source, 2), tmp_path / "cache") == []


def test_a_picture_has_all_its_warnings() -> None:
    data = tagged(np.asarray(noise(1, 48, 16)), 9, "PNG")
    result = decode("it", data, preprocessing(16))
    assert isinstance(result, DecodedWithWarning)
    assert len(result.warnings) == 2
