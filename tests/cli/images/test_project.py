"""`ssgan project`: pictures of any size in, latents and sheets out; the user loses nothing."""

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

from ssgan.cli.main import main
from ssgan.runs.checkpoint import find_state
from ssgan.runs.sampling import generate_pixels, load_generator
from tests.data.pictures import noise
from tests.evaluation.saved import save_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "run", "conditional")


def project(run, out, *words):
    return main(["project", str(run), *map(str, words), "--out", str(out), "--starts", "2"])


def names(folder):
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


def test_pictures_of_any_size_and_mode_are_projected(run, tmp_path, capsys):
    sizes = {"a.png": (70, 45), "b.jpg": (9, 300), "c.png": (32, 32)}
    for name, size in sizes.items():
        mode = "RGBA" if name == "c.png" else "RGB"
        Image.effect_noise(size, 80).convert(mode).save(tmp_path / name)
    out = tmp_path / "deep" / "out"
    assert project(run, out, *(tmp_path / name for name in sizes), "--steps", "3") == 0
    stems = [f"projection-{number:05d}" for number in range(3)]
    files = [f"{stem}.{ending}" for stem in stems for ending in ("npz", "png")]
    assert names(out) == [*files, "projections.json"]
    printed = capsys.readouterr()
    assert "step 9/9" in printed.err
    record = json.loads((out / "projections.json").read_bytes())
    assert [row["image"] for row in record["images"]] == [str(tmp_path / name) for name in sizes]
    generator = load_generator(find_state(run).checkpoint, torch.device("cpu"))
    for row in record["images"]:
        with np.load(out / f"{row['file']}.npz") as arrays:
            assert arrays["latents"].shape == (1, 8)
            made = generate_pixels(generator, torch.from_numpy(arrays["latents"]), None)[0]
            assert np.array_equal(made, arrays["image"])
            pair = np.concatenate([arrays["target"], arrays["image"]])
        with Image.open(out / f"{row['file']}.png") as sheet:
            page = np.asarray(sheet)[11::11, 11::11]  # enlarged by 11, a white pixel between
        assert np.array_equal(np.concatenate([page[:32, :32], page[:32, 33:65]]), pair)
        assert f"distance {row['distance']:.4f}" in printed.out


def test_a_conditional_run_has_the_class_given_or_found(conditional, tmp_path, capsys):
    noise(0).save(tmp_path / "a.png")
    for words, label in ((["--class", "c"], 2), (["--class", "4"], 4), ([], None)):
        assert (
            project(conditional, tmp_path / "out", tmp_path / "a.png", "--steps", "1", *words) == 0
        )
        (row,) = json.loads((tmp_path / "out" / "projections.json").read_bytes())["images"]
        assert label in (None, row["label"])
        assert f"class {'abcdefghij'[row['label']]}" in capsys.readouterr().out


def test_a_shorter_projection_leaves_nothing_of_a_longer_one(run, tmp_path):
    noise(0).save(tmp_path / "a.png")
    a = tmp_path / "a.png"
    assert project(run, tmp_path / "out", a, a, "--steps", "1") == 0
    assert project(run, tmp_path / "out", a, "--steps", "1") == 0
    assert names(tmp_path / "out") == [
        *("projection-00000.npz", "projection-00000.png", "projections.json")
    ]


@pytest.mark.parametrize("name", ["mine.png", "projection-00000.png"])
def test_files_of_the_user_stay(run, tmp_path, capsys, name):
    out = tmp_path / "out"
    out.mkdir()
    noise(0).save(out / name)
    before = (out / name).read_bytes()
    assert project(run, out, out / name, "--steps", "1") == 2
    assert f"holds other files (the first: {out / name})" in capsys.readouterr().err
    assert (out / name).read_bytes() == before
    assert os.listdir(out) == [name]


def test_what_cannot_be_projected_is_one_line_and_writes_nothing(run, tmp_path, capsys):
    (tmp_path / "text.png").write_text("no picture")
    noise(0).save(tmp_path / "a.png")
    (tmp_path / "folder").mkdir()
    before = names(tmp_path)
    for words, expected in (
        ([tmp_path / "text.png"], "text.png: not an image of a known format"),
        ([tmp_path / "a.png", tmp_path / "none.png"], "none.png: No such file"),
        ([tmp_path / "folder"], "is a folder; give image files"),
        ([tmp_path / "a.png", "--class", "a"], "--class a: this run has no classes"),
        ([tmp_path / "a.png", "--pixels", "-1"], "--pixels must be a finite number, 0 or more"),
        ([], "project needs IMAGE"),
    ):
        assert project(run, tmp_path / "out", *words) == 2, words
        (line,) = capsys.readouterr().err.splitlines()
        assert expected in line
    assert main(["project", str(run), str(tmp_path / "a.png")]) == 2
    assert "project needs --out DIR" in capsys.readouterr().err
    best = run / "best" / "best.ckpt"
    assert project(best, tmp_path / "out", tmp_path / "a.png") == 2
    assert "has no discriminator" in capsys.readouterr().err
    assert names(tmp_path) == before
