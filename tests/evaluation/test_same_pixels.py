"""The same pixels have the same score, whatever holds them; what changes pixels is said."""

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from ssgan.cli.main import main
from ssgan.data.preprocessing import decode
from ssgan.evaluation.image_sets import RealImages
from ssgan.evaluation.results import read_results
from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.frechet import frechet_distance
from ssgan.metrics.resize import ResizeRule, resize
from ssgan.ops.pixels import from_uint8, to_uint8
from tests.data.pictures import encode, preprocessing
from tests.evaluation.saved import real_images, write_folder
from tests.files.packed import pack_tar, pack_zip
from tests.metrics.pictures import pictures


def measure(images, against, tmp_path, *more):
    out = tmp_path / f"{images.name}.jsonl"
    words = ["--features", "random", "--cache", str(tmp_path / "cache"), "--out", str(out)]
    assert main(["evaluate", str(images), "--against", str(against), *words, *more]) == 0
    return {result.name: result.values for result in read_results(out)}


def save_as(folder, ending, **settings):
    folder.mkdir()
    for number, pixels in enumerate(real_images(24, seed=2).images):
        Image.fromarray(np.asarray(pixels)).save(folder / f"{number:04}.{ending}", **settings)
    return folder


def test_the_same_pixels_have_the_same_score_whatever_holds_them(tmp_path):
    """Bit by bit: as PNG, BMP or TIFF, in a folder, a zip, a tar or a batch of arrays."""
    real = write_folder(tmp_path / "real")
    places = [save_as(tmp_path / ending, ending) for ending in ("png", "bmp", "tiff")]
    files = {path.name: path.read_bytes() for path in sorted(places[0].iterdir())}
    places += [pack_zip(tmp_path / "a.zip", files), pack_tar(tmp_path / "a.tar", files)]
    places.append(tmp_path / "a.npz")
    np.savez(places[-1], arr_0=real_images(24, seed=2).images)
    found = [measure(place, real, tmp_path) for place in places]
    assert all(values == found[0] for values in found)
    sets = [RealImages(real_images(24, seed)) for seed in (1, 2)]
    rows = [RandomFeatures()(one.images(0, torch.arange(24))) for one in sets]
    assert found[0]["FD-random"] == pytest.approx([frechet_distance(*rows)], rel=1e-12)


def test_jpeg_on_one_side_is_said(tmp_path, capsys):
    real = write_folder(tmp_path / "real")
    plain, lossy = save_as(tmp_path / "png", "png"), save_as(tmp_path / "jpg", "jpg", quality=60)
    assert measure(lossy, real, tmp_path) != measure(plain, real, tmp_path)
    said = [line for line in capsys.readouterr().out.splitlines() if "JPEG" in line]
    assert said == [
        f"note: 24 of the 24 files of folder:{lossy} and 0 of the 24 files of folder:{real} are "
        "JPEG: a part of the distance is compression, not content"
    ]
    measure(lossy, lossy, tmp_path)
    assert "JPEG" not in capsys.readouterr().out


RAMP = (torch.arange(3 * 24 * 24) * 2654435761 % 251).reshape(1, 3, 24, 24).to(torch.uint8)
GOLDEN = {  # sha256 of pixels cut at 0.593, to which no value is nearer than 0.004
    ResizeRule.TF1_BILINEAR: "fd8cd8c42dd9bb2f",
    ResizeRule.HALF_PIXEL_BILINEAR: "04a90bcd2ec6aa03",
    ResizeRule.CLEAN_BICUBIC: "94fa78ab83a5d978",
}


@pytest.mark.parametrize("rule", ResizeRule)
def test_a_golden_resize_keeps_its_pixels(rule):
    pixels = (resize(RAMP, 16, rule) + 0.593).floor().to(torch.uint8)
    assert hashlib.sha256(pixels.numpy().tobytes()).hexdigest()[:16] == GOLDEN[rule]


def test_files_are_shrunk_by_one_smoothing_resizer_whose_pixels_stay():
    """Lanczos of Pillow, in whole numbers: by its name, and by a digest of what it makes."""
    picture = Image.fromarray(RAMP[0].permute(1, 2, 0).contiguous().numpy())
    found = decode("x", encode(picture, "PNG"), preprocessing(16))
    expected = np.asarray(picture.resize((16, 16), Image.Resampling.LANCZOS))
    assert np.array_equal(found, expected)
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == "272b7fca88107e07"


def test_samples_are_rounded_to_the_nearest_pixel_and_pixels_come_back():
    pixels = pictures(4, 0)
    assert torch.equal(to_uint8(from_uint8(pixels)), pixels)
    between = from_uint8(pixels).double() + 0.49 / 127.5
    inside = pixels < 255
    assert torch.equal(to_uint8(between)[inside], pixels[inside])
    above = from_uint8(pixels).double() + 0.51 / 127.5
    assert torch.equal(to_uint8(above)[inside], pixels[inside] + 1)
