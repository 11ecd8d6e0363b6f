"""`ssgan sample`: images alone in a folder, which is replaced whole and never shared."""

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssgan.cli.main import main
from tests.data.pictures import noise, write_images
from tests.evaluation.saved import save_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "run", "conditional")


def sample(run: Path, out: Path, *words: str) -> int:
    return main(["sample", str(run), "--out", str(out), *words])


def listing(out: Path) -> list[str]:
    paths = (path.relative_to(out) for path in out.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if not path.name.startswith("."))


def written(count: int, *sheets: str) -> list[str]:
    images = [f"images/image-{number:05d}.png" for number in range(count)]
    return sorted([*images, *sheets, "samples.json", "sheet.png"])


def test_a_shorter_sampling_leaves_nothing_of_a_longer_one(run, tmp_path):
    assert sample(run, tmp_path / "out", "--n", "7", "--gif") == 0
    assert listing(tmp_path / "out") == written(7, "interpolation.gif", "interpolation.png")
    assert sample(run, tmp_path / "out", "--n", "3", "--seed", "5") == 0
    assert listing(tmp_path / "out") == written(3, "interpolation.png")
    assert sample(run, tmp_path / "out", "--n", "1") == 0
    assert listing(tmp_path / "out") == written(1)
    assert json.loads((tmp_path / "out" / "samples.json").read_bytes())["images"] == 1


def test_a_sampling_of_an_earlier_version_is_replaced(run, tmp_path):
    out = tmp_path / "out"
    assert sample(run, out, "--n", "6") == 0
    for path in [*(out / "images").iterdir(), out / "sheet.png", out / "interpolation.png"]:
        with Image.open(path) as picture:  # beside the sheet, and without marks
            picture.load()
        picture.save(out / path.name)
        if path.parent != out:
            path.unlink()
    (out / "images").rmdir()
    (out / "samples.json").unlink()
    assert sample(run, out, "--n", "2") == 0
    assert listing(out) == written(2, "interpolation.png")


def test_an_interrupted_sampling_is_done_again(run, tmp_path, monkeypatch):
    from ssgan.cli import sample as verb

    def interrupted(*arguments):
        for number, images in enumerate(generate(*arguments)):
            yield images[:3] if number == 0 else images
            raise KeyboardInterrupt

    out, generate = tmp_path / "out", verb.generate_batches
    assert sample(run, out, "--n", "9", "--npz", str(out / "all.npz")) == 0
    with monkeypatch.context() as patch:
        patch.setattr(verb, "generate_batches", interrupted)
        assert sample(run, out, "--n", "5", "--npz", str(out / "few.npz")) == 130
    kept = written(3)
    kept.remove("sheet.png")
    assert listing(out) == sorted([*kept, "all.npz"])
    assert sample(run, out, "--n", "4") == 0
    assert listing(out) == sorted([*written(4, "interpolation.png"), "all.npz"])
    assert list(out.rglob(".writing-*")) == []


@pytest.mark.parametrize("where", [".", "images", "cats", "run"])
def test_files_of_the_user_are_never_replaced_or_joined(run, tmp_path, capsys, where):
    out = tmp_path / "out"
    write_images(out / where, range(2))
    if where == "run":
        save_run(out / "other")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert sample(run, out, "--n", "2") == 2
    error = capsys.readouterr().err.strip()
    assert "holds other files (the first: " in error.splitlines()[-1]
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_samples_are_not_written_through_a_link(run, tmp_path, capsys):
    for folder in ("out", "elsewhere"):
        (tmp_path / folder).mkdir()
    (tmp_path / "out" / "images").symlink_to(tmp_path / "elsewhere")
    assert sample(run, tmp_path / "out", "--n", "2") == 2
    assert f"{tmp_path / 'out' / 'images'} is a link" in capsys.readouterr().err
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["sheet.png", "images/image-00001.png", "images/mine.jpg"])
def test_a_picture_that_the_user_put_among_samples_stays(run, tmp_path, capsys, name):
    assert sample(run, tmp_path / "out", "--n", "3") == 0
    noise(0).save(tmp_path / "out" / name)
    before = (tmp_path / "out" / name).read_bytes()
    assert sample(run, tmp_path / "out", "--n", "2") == 2
    assert f"(the first: {tmp_path / 'out' / name})" in capsys.readouterr().err
    assert (tmp_path / "out" / name).read_bytes() == before


def test_samples_are_measured_alone_whichever_folder_is_given(run, tmp_path, capsys):
    assert sample(run, tmp_path / "out", "--n", "12") == 0
    write_images(tmp_path / "real", range(10))
    cache = ["--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "results")]
    for folder in ("out", "out/images"):
        words = [str(tmp_path / folder), "--against", str(tmp_path / "real"), *cache]
        assert main(["evaluate", *words, "--features", "random", "--metrics", "fd"]) == 0
        assert f"folder:{tmp_path / folder}: 12 images" in capsys.readouterr().out


def test_arrays_have_the_form_of_guided_diffusion(run, conditional, tmp_path, capsys):
    for root, keys in ((run, ["arr_0"]), (conditional, ["arr_0", "arr_1"])):
        out = tmp_path / root.parent.name
        file = out / "deep" / "batch.npz"
        assert sample(root, out / "images", "--n", "70", "--npz", str(file)) == 0
        assert str(file) in capsys.readouterr().out
        with np.load(file, allow_pickle=False) as arrays:
            assert sorted(arrays) == keys
            images = arrays["arr_0"]
            labels = arrays["arr_1"].tolist() if "arr_1" in keys else None
        assert (images.dtype, images.shape) == (np.uint8, (70, 32, 32, 3))
        for number, image in enumerate(images):
            with Image.open(out / "images" / "images" / f"image-{number:05d}.png") as picture:
                assert np.array_equal(np.asarray(picture), image)
        assert labels in (None, [number % 10 for number in range(70)])
        assert zipfile.ZipFile(io.BytesIO(file.read_bytes())).testzip() is None


def test_arrays_to_another_name_or_a_folder_are_refused_before_a_sample(run, tmp_path, capsys):
    (tmp_path / "x.npz").mkdir()
    for name, words in (("x.npy", "must end in .npz"), ("x.npz", "is a folder")):
        assert sample(run, tmp_path / "out", "--npz", str(tmp_path / name)) == 2
        assert words in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["x.npz"]


def test_one_image_has_no_animation_and_this_is_said(run, tmp_path, capsys):
    assert sample(run, tmp_path / "out", "--n", "1", "--gif") == 0
    assert "no animation: --gif goes from one image to the next" in capsys.readouterr().out
    assert listing(tmp_path / "out") == written(1)
