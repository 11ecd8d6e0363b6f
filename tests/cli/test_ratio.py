"""Rectangles: `--fit squash` keeps the ratio of the pictures, and samples are stretched back."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import ssgan
from ssgan.cli.config_args import default_directory, read_config
from ssgan.cli.main import main
from ssgan.cli.options import Train
from ssgan.cli.parser import parse
from ssgan.data.folder import Folder
from ssgan.data.preprocessing import ORIENTATION_TAG
from ssgan.files.image_grid import image_grid, stretch
from ssgan.types import UserError
from tests.cli.test_main import TINY
from tests.data.pictures import noise
from tests.training.tiny import tiny

RATIO = 1.5


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A run of two steps on pictures of 48 x 32 pixels, and its samples."""
    root = tmp_path_factory.mktemp("ratio")
    (root / "photos").mkdir()
    for number in range(10):
        noise(number, 48, 32).save(root / "photos" / f"{number}.png")
    assert main(train(root)) == 0
    words = ["sample", str(root / "run"), "--n", "3", "--out", str(root / "out")]
    moving = ["--gif", "--interpolate", str(root / "loop.webp"), "--frames", "2"]
    assert main([*words, "--npz", str(root / "out.npz"), *moving]) == 0
    return root


def train(root, *words):
    data = [f"folder:{root / 'photos'}", "--fit", "squash", "--cache", str(root / "cache")]
    return ["train", *data, *TINY, "--evaluate.every", "0", "--run", str(root / "run"), *words]


def test_the_median_of_the_upright_pictures_is_in_the_settings_of_the_run(places):
    stored = json.loads((places / "run" / "config.json").read_bytes())
    assert stored["data"]["ratio"] == RATIO


def test_pictures_and_sheets_have_the_ratio_and_arrays_are_squares(places):
    with Image.open(places / "out" / "images" / "image-00000.png") as picture:
        assert picture.size == (48, 32)
        shown = np.asarray(picture)
    for path in ("out/interpolation.gif", "loop.webp"):
        with Image.open(places / path) as picture:
            assert picture.width == RATIO * picture.height
    with Image.open(places / "out" / "sheet.png") as sheet:  # two columns and rows
        assert sheet.size == (7 * (2 * 49 + 1), 7 * (2 * 33 + 1))
    with Image.open(places / "run" / "samples" / "step-00000002.png") as sheet:
        assert sheet.width / sheet.height == pytest.approx(99 / 67)
    with np.load(places / "out.npz") as arrays:
        squares = arrays["arr_0"]
    assert squares.shape == (3, 32, 32, 3)
    wide = Image.fromarray(squares[0]).resize((48, 32), Image.Resampling.BICUBIC)
    assert (shown == np.asarray(wide)).all()
    assert json.loads((places / "out" / "samples.json").read_bytes())["ratio"] == RATIO


def test_a_model_in_python_keeps_the_ratio_and_samples_squares(places, tmp_path):
    model = ssgan.load(places / "run")
    model.save(tmp_path / "model.safetensors")
    model = ssgan.load(tmp_path / "model.safetensors")
    assert model.ratio == RATIO
    pixels = model.sample(2)
    assert pixels.shape == (2, 32, 32, 3)
    assert model.stretch(pixels).shape == (2, 32, 48, 3)


def test_a_run_of_before_gets_the_ratio_and_continues(places, capsys):
    path = places / "run" / "config.json"
    stored = json.loads(path.read_bytes())
    del stored["data"]["ratio"]
    path.write_text(json.dumps(stored))
    words = train(places)
    words[words.index("--total_steps") + 1] = "3"
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "continuing from step 2" in printed.out + printed.err
    assert json.loads(path.read_bytes())["data"]["ratio"] == RATIO


def test_a_recipe_on_these_pictures_has_the_ratio_and_the_directory_of_before(places):
    words = ["objects:ssgan", "--data", str(places / "photos")]
    config = read_config(parse("train", Train, [*words, "--fit", "squash"])).config
    assert config.data.ratio == RATIO
    before = replace(config, data=replace(config.data, ratio=None))
    assert default_directory("objects:ssgan", config) == default_directory("objects:ssgan", before)
    kept = read_config(parse("train", Train, [*words, "--fit", "squash", "--data.ratio", "1"]))
    assert kept.config.data.ratio == 1
    assert read_config(parse("train", Train, words)).config.data.ratio is None


def test_the_shorter_side_keeps_its_pixels():
    images = np.arange(2 * 32 * 32 * 3, dtype=np.uint8).reshape(2, 32, 32, 3)
    assert stretch(images, 2.0).shape == (2, 32, 64, 3)
    assert stretch(images, 0.5).shape == (2, 64, 32, 3)
    assert stretch(images[..., :1], 2.0).shape == (2, 32, 64, 1)
    assert stretch(images, None) is images
    assert stretch(images, 1.0) is images
    assert image_grid(stretch(images, 0.5), 2).size == (11 * (2 * 33 + 1), 11 * 66)


def test_a_picture_that_is_stored_on_its_side_counts_upright(tmp_path):
    tag = Image.Exif()
    tag[ORIENTATION_TAG] = 6
    noise(0, 48, 32).save(tmp_path / "a.jpg", exif=tag)
    stats = Folder(str(tmp_path)).open().header_stats()
    assert (stats.short_side, stats.ratio) == (32, 2 / 3)


@pytest.mark.parametrize("ratio", [0.0, -1.0, 17.0, float("nan")])
def test_ratios_that_no_picture_has_are_refused(ratio):
    with pytest.raises(UserError, match="ratio must be in 1/16 to 16"):
        replace(tiny().data, ratio=ratio)
