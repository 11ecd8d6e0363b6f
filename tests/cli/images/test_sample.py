"""`ssgan sample`: images alone in a folder, which is replaced whole and never shared."""

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
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
    from ssgan.cli.images import sample as verb

    def interrupted(path, *rest):
        if path.name == "image-00003.png":
            raise KeyboardInterrupt
        save(path, *rest)

    out, save = tmp_path / "out", verb.save_png
    assert sample(run, out, "--n", "9", "--npz", str(out / "all.npz")) == 0
    with monkeypatch.context() as patch:
        patch.setattr(verb, "save_png", interrupted)
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
    cache = ["--cache", str(tmp_path / "cache")]
    for folder in ("out", "out/images"):
        words = [str(tmp_path / folder), "--against", str(tmp_path / "real"), *cache]
        words += ["--out", str(tmp_path / "results" / folder)]
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


def test_a_data_set_of_the_user_is_not_replaced_by_arrays(run, tmp_path, capsys):
    mine, words = tmp_path / "mine.npz", ["--n", "2", "--npz", str(tmp_path / "mine.npz")]
    np.savez(mine, np.zeros((3, 32, 32, 3), np.uint8))
    data = mine.read_bytes()
    assert sample(run, tmp_path / "out", *words) == 2
    export = ["features", str(run), "--data", "scenes:num_images=40", "--out", str(mine)]
    assert main(export) == 2
    assert capsys.readouterr().err.count("holds images that ssgan did not sample") == 2
    assert mine.read_bytes() == data
    assert os.listdir(tmp_path) == ["mine.npz"]
    mine.unlink()
    assert sample(run, tmp_path / "out", *words) == 0
    assert sample(run, tmp_path / "out", *words) == 0  # its own are replaced


def test_a_picture_of_the_user_is_not_replaced_by_curves(run, tmp_path, capsys):
    mine = tmp_path / "mine.png"
    Image.new("RGB", (9, 9)).save(mine)
    data = mine.read_bytes()
    assert main(["show", str(run), "--curves", str(mine)]) == 2
    assert "is not output of ssgan" in capsys.readouterr().err
    assert mine.read_bytes() == data


def test_one_image_has_no_animation_and_this_is_said(run, tmp_path, capsys):
    assert sample(run, tmp_path / "out", "--n", "1", "--gif") == 0
    assert "no animation: --gif goes from one image to the next" in capsys.readouterr().out
    assert listing(tmp_path / "out") == written(1)


def read_images(out: Path) -> list[bytes]:
    found = []
    for path in sorted((out / "images").iterdir()):
        with Image.open(path) as picture:
            found.append(np.asarray(picture).tobytes())
    return found


@pytest.mark.parametrize("name", ["plain", "conditional"])
def test_the_image_of_a_seed_is_the_same_whatever_else_is_in_the_list(
    run, conditional, tmp_path, name
):
    root = run if name == "plain" else conditional
    assert sample(root, tmp_path / "many", "--seeds", "3-80, 7,12345678901") == 0
    many = read_images(tmp_path / "many")
    facts = json.loads((tmp_path / "many" / "samples.json").read_bytes())
    assert facts["seeds"] == [*range(3, 81), 12345678901]
    assert (len(set(many)), facts["images"]) == (79, 79)
    assert sample(root, tmp_path / "few", "--seeds", "12345678901,7") == 0
    assert read_images(tmp_path / "few") == [many[-1], many[4]]


class RoundsByBatch(torch.nn.Module):
    """A generator that rounds a row otherwise in another batch, as kernels may."""

    def __init__(self, generator):
        super().__init__()
        self.generator = generator

    def forward(self, latents, labels):
        return self.generator(latents, labels) + 0.01 * len(latents)


def test_no_rounding_of_a_batch_reaches_the_image_of_a_seed(run, tmp_path, monkeypatch):
    from ssgan.cli.images import sample as verb

    load = verb.load_generator
    monkeypatch.setattr(verb, "load_generator", lambda *words: RoundsByBatch(load(*words)))
    assert sample(run, tmp_path / "many", "--seeds", "0-9") == 0
    assert sample(run, tmp_path / "one", "--seeds", "9") == 0
    assert read_images(tmp_path / "one") == read_images(tmp_path / "many")[9:]


def test_the_image_of_a_seed_is_the_first_of_that_seed(run, tmp_path):
    assert sample(run, tmp_path / "list", "--seeds", "8,9") == 0
    assert sample(run, tmp_path / "one", "--seed", "9", "--n", "1") == 0
    assert read_images(tmp_path / "one") == read_images(tmp_path / "list")[1:]


def test_seeds_of_a_conditional_run_have_all_classes_in_turn_by_the_seed(conditional, tmp_path):
    file = tmp_path / "x.npz"
    words = ["--seeds", "4,13,20", "--npz", str(file)]
    assert sample(conditional, tmp_path / "out", *words) == 0
    with np.load(file) as arrays:
        assert arrays["arr_1"].tolist() == [4, 3, 0]


def test_seeds_without_a_folder_are_in_the_folder_of_seeds(tmp_path):
    root = save_run(tmp_path / "run")
    assert main(["sample", str(root), "--seeds", "0,1"]) == 0
    assert listing(root / "generated-seeds") == written(2, "interpolation.png")


def test_truncated_images_depend_on_their_seed_alone_and_differ_less(run, tmp_path):
    spread = {}
    for words in ([], ["--truncation", "0.1"], ["--truncation", "50"]):
        out = tmp_path / "-".join(["out", *words])
        assert sample(run, out, "--seeds", "0-15", *words) == 0
        pixels = np.array([np.frombuffer(image, np.uint8) for image in read_images(out)], float)
        spread[" ".join(words[1:])] = pixels.std(0).mean()
    assert spread["50"] == spread[""] > 2 * spread["0.1"] > 0
    assert sample(run, tmp_path / "one", "--seeds", "5", "--truncation", "0.1") == 0
    expected = read_images(tmp_path / "out---truncation-0.1")[5]
    assert read_images(tmp_path / "one") == [expected]


@pytest.mark.parametrize("word", ["c", "2"])
def test_a_class_is_named_by_its_name_or_number(conditional, tmp_path, word):
    file = tmp_path / "x.npz"
    words = ["--n", "5", "--class", word, "--npz", str(file)]
    assert sample(conditional, tmp_path / "out", *words) == 0
    with np.load(file) as arrays:
        assert arrays["arr_1"].tolist() == [2] * 5


WRONG = [
    (["--seeds", "3-1"], "the first seed is above the last"),
    (["--seeds", "a"], "--seeds must be like 0-63,100, not 'a'"),
    (["--seeds", ""], "--seeds must be like 0-63,100, not ''"),
    (["--seeds", "0-100000"], "--seeds has more than 100,000 seeds"),
    (["--seeds", "0-9,9999999999999999999"], "a seed is at most"),
    (["--seeds", "1", "--n", "3"], "leave --n out"),
    (["--seeds", "1", "--seed", "3"], "leave --seed out"),
    (["--truncation", "0"], "--truncation must be a finite number above 0, not 0"),
    (["--truncation", "nan"], "--truncation must be a finite number above 0, not nan"),
    (["--class", "a"], "--class a: this run has no classes"),
    (["--frames", "4"], "--frames belongs to --interpolate"),
    (["--interpolate", "x.gif", "--n", "1"], "2 or more are needed"),
    (["--interpolate", "x.avi"], "the name must end in .gif, .webp, .mp4"),
    (["--fps", "51"], "--fps must be at most 50"),
]


@pytest.mark.parametrize(("words", "expected"), WRONG, ids=lambda v: " ".join(v)[:40])
def test_what_cannot_be_sampled_is_one_line_and_writes_nothing(
    run, tmp_path, capsys, monkeypatch, words, expected
):
    monkeypatch.chdir(tmp_path)
    assert sample(run, tmp_path / "out", *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
    assert os.listdir(tmp_path) == []


def test_a_class_that_is_none_is_one_line_with_all_classes(conditional, tmp_path, capsys):
    for name in ("10", "bb"):
        assert sample(conditional, tmp_path / "out", "--class", name) == 2
        assert f"no class '{name}'; the classes are a, b, c" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_an_interpolation_has_its_frames_and_loops(run, tmp_path, ending):
    file = tmp_path / "deep" / f"walk.{ending}"
    words = ["--seeds", "0,1,2", "--frames", "48", "--fps", "20", "--interpolate", str(file)]
    assert sample(run, tmp_path / "out", *words) == 0
    with Image.open(file) as picture:
        assert (picture.n_frames, picture.info["loop"]) == (48, 0)
        pages = []
        for number in range(48):
            picture.seek(number)
            pages.append(np.asarray(picture.convert("RGB"), float))
            assert picture.info["duration"] == 50
    steps = [np.abs(a - b).mean() for a, b in zip(pages, [*pages[1:], pages[0]], strict=True)]
    assert max(steps) < np.abs(pages[0] - pages[16]).mean() / 2  # the last to the first, too
    assert sample(run, tmp_path / "out", *words) == 0  # its own file is replaced


@pytest.mark.parametrize("name", ["mine.gif", "mine.webp", "mine.mp4"])
def test_an_animation_of_the_user_is_not_replaced(run, tmp_path, capsys, name):
    (tmp_path / name).write_bytes(b"of the user")
    assert sample(run, tmp_path / "out", "--interpolate", str(tmp_path / name)) == 2
    assert "is not output of ssgan: give another name" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == b"of the user"
