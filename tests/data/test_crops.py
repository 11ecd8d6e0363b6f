"""Random square crops: of half to all of a picture, anywhere in it, upright, always the same."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssgan.cli.progress import describe_rejects
from ssgan.config.merge import merge
from ssgan.config.serialize import dump
from ssgan.data.base import Crop, Rejected
from ssgan.data.cifar10 import Cifar10
from ssgan.data.crops import Crops, crop_of
from ssgan.data.folder import Folder
from ssgan.data.prepare import prepare
from ssgan.data.preprocessing import ORIENTATION_TAG, decode
from ssgan.data.sources import parse_source
from ssgan.types import UserError
from tests.data.pictures import encode, noise, preprocessing, smooth
from tests.training.tiny import tiny

CROP = Crop(0.3, 0.2, 0.9)
UPRIGHT = {  # what a viewer does to the stored rows and columns
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def cut(data: bytes, crop: Crop | None, size: int = 32) -> np.ndarray:
    wanted = preprocessing(size)
    found = decode("picture", data, type(wanted)(shape=wanted.shape, crop=crop))
    assert isinstance(found, np.ndarray)
    return found


def ramp(width: int, height: int) -> Image.Image:
    """Red tells the column, green the row, four levels each."""
    column, row = np.meshgrid(np.arange(width), np.arange(height))
    return Image.fromarray(np.stack([4 * column, 4 * row, 0 * row], -1).astype(np.uint8))


def edges(pixels: np.ndarray) -> tuple[float, float, float]:
    """Side, left and top of a crop of a ramp, from the slopes of its middle."""
    size = len(pixels)
    middle = slice(size // 4, size - size // 4)
    places = np.arange(size)[middle] + 0.5
    red, red_at_0 = np.polyfit(places, pixels[:, middle, 0].mean(0) / 4, 1)
    green, green_at_0 = np.polyfit(places, pixels[middle, :, 1].mean(1) / 4, 1)
    assert red == pytest.approx(green, abs=0.03)  # a square
    return red * size, red_at_0 + 0.5, green_at_0 + 0.5


@pytest.mark.parametrize(("width", "height"), [(60, 45), (45, 60), (50, 50)])
def test_crops_have_half_to_all_of_the_area_and_lie_anywhere(width: int, height: int) -> None:
    data = encode(ramp(width, height), "PNG")
    found = np.array([edges(cut(data, crop_of(0, number))) for number in range(300)])
    side, left, top = found.T
    least, most = np.sqrt(width * height / 2), min(width, height)
    assert least - 0.5 < side.min() < least + 2
    assert most - 2 < side.max() < most + 0.5
    assert side.mean() == pytest.approx((np.ceil(least) + most) / 2, abs=0.8)
    for start, free in ((left, width - side), (top, height - side)):
        assert (start > -0.7).all()
        assert (start < free + 0.7).all()
        roomy = free > 4
        assert (start[roomy] / free[roomy]).mean() == pytest.approx(0.5, abs=0.08)


def test_the_longest_pictures_give_squares_of_their_short_side() -> None:
    side, left, _ = edges(cut(encode(ramp(63, 20), "PNG"), Crop(0.7, 0.5, 0.5)))
    assert side == pytest.approx(20, abs=0.3)
    assert left == pytest.approx(22, abs=0.5)


@pytest.mark.parametrize("tag", UPRIGHT)
def test_a_crop_stands_upright(tag: int) -> None:
    picture, exif = noise(1, 48, 40), Image.Exif()
    exif[ORIENTATION_TAG] = tag
    tagged = cut(encode(picture, "PNG", exif=exif), CROP, size=34)  # its side: no resampling
    stored = np.asarray(picture)[6:40, 3:37]  # of 0 to 6 the last tenth, of 0 to 14 the fourth
    assert np.array_equal(tagged, UPRIGHT[tag](stored))


def test_a_large_jpeg_decoded_in_small_gives_the_same_crop() -> None:
    picture = smooth(2, 900, 700)
    small = cut(encode(picture, "JPEG", quality=95), CROP)
    whole = cut(encode(picture, "PNG"), CROP)
    assert np.abs(small.astype(int) - whole).mean() < 1.5
    centred = cut(encode(picture, "PNG"), None)
    assert np.abs(whole.astype(int) - centred).mean() > 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("a/0", "a/1", "b/2")):
        path = tmp_path / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise(number, 60, 45).save(path)
    (tmp_path / "images/b/broken.png").write_bytes(b"no picture")
    return tmp_path / "images"


def test_every_picture_is_there_as_often_as_asked_for(folder: Path, tmp_path: Path) -> None:
    source = parse_source(f"crops:3:folder:{folder}")
    assert source == Crops(Folder(str(folder)), 3)
    dataset = prepare(source, preprocessing(), tmp_path / "cache")
    assert dataset.images.shape == (9, 32, 32, 3)
    assert dataset.labels.tolist() == 3 * [0, 0, 1]
    assert len({image.tobytes() for image in dataset.images}) == 9
    assert [name for name, _ in dataset.manifest["rejected"]] == ["b/broken.png"]
    assert dataset.manifest["num_items"] == 4
    fewer = prepare(Crops(Folder(str(folder)), 2), preprocessing(), tmp_path / "cache")
    assert np.array_equal(fewer.images, dataset.images[:6])
    again = prepare(source, preprocessing(), tmp_path / "other", workers=3)
    assert again.content_hash == dataset.content_hash


def test_what_it_says_of_itself_counts_crops(folder: Path) -> None:
    source = Crops(Folder(str(folder)), 3)
    collection, info = source.open(), source.info()
    assert len(collection) == 12
    assert info.header_stats == collection.header_stats()
    assert info.header_stats.num_images == 12
    assert info.header_stats.num_pictures == 4
    assert 32 < info.header_stats.short_side < 45
    assert info.classes == ("a", "b")
    assert collection.item(5) == "a/1.png, crop 2"
    assert "3 crops of each picture" in "\n".join(collection.warnings())
    broken = list(collection.read(range(3, 4), preprocessing()))
    assert isinstance(broken[0], Rejected)


def test_a_reject_is_listed_once(folder: Path, tmp_path: Path) -> None:
    source = Crops(Folder(str(folder)), 5)
    dataset = prepare(source, preprocessing(), tmp_path / "cache")
    lines = describe_rejects(dataset)
    assert "not used: 1 of 4 items" in lines
    assert sum("b/broken.png" in line for line in lines) == 1
    with pytest.raises(UserError, match="1 of 4 items cannot be used"):
        prepare(source, preprocessing(), tmp_path / "cache", strict=True)
    for path in folder.rglob("?.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(UserError, match="none of the 4 items can be used"):
        prepare(source, preprocessing(), tmp_path / "cache")


def test_a_run_remembers_its_crops(folder: Path) -> None:
    config = tiny()
    source = Crops(Folder(str(folder)), 3)
    config = merge(config, {"data": {"source": source}}, "--")
    assert merge(tiny(), dump(config), "config.json").data.source == source


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("crops:folder:/a", "crops:8:folder:PATH, not 'folder:/a'"),
        ("crops:8", "requires a number and a source"),
        ("crops:0:folder:/a", "1 to 1000 crops of a picture, not 0"),
        ("crops:1001:folder:/a", "1 to 1000 crops of a picture, not 1001"),
        ("crops:8:scenes", "tar:PATH or hub:ID, not scenes"),
        ("crops:8:crops:2:folder:/a", "tar:PATH or hub:ID, not crops:2:folder:/a"),
        ("crops", "crops requires a value: crops:K:SOURCE"),
    ],
)
def test_what_cannot_be_cropped_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words.replace("[", r"\[")):
        parse_source(text)


def test_pictures_that_are_no_files_are_refused() -> None:
    with pytest.raises(UserError, match="not cifar10"):
        Crops(Cifar10(), 2)
