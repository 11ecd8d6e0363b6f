"""Equal images on both sides of a comparison are counted and said, whatever their files are."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ssgan.cli.main import main
from ssgan.data.dataset import Dataset
from ssgan.evaluation.image_sets import RealImages
from ssgan.evaluation.overlap import count_trained_on, describe_overlap
from ssgan.evaluation.splits import split
from tests.evaluation.probed import patches
from tests.evaluation.saved import real_images, save_run, write_folder

FIRST, SECOND = real_images(24, seed=1), real_images(24, seed=2)


def image_set(*parts: Dataset, content: str = "cd" * 32) -> RealImages:
    pixels = np.concatenate([part.images for part in parts])
    return RealImages(Dataset(pixels, None, (), content, {"source": f"the {len(pixels)}"}))


def some(dataset: Dataset, *numbers: int) -> Dataset:
    return replace(dataset, images=dataset.images[list(numbers)])


BACKWARDS = some(FIRST, *range(23, -1, -1))
EQUAL = some(FIRST, *[3] * 24)
CASES = [
    (image_set(FIRST), image_set(FIRST), ["both sets are the same images: the 24"]),
    (image_set(FIRST), image_set(BACKWARDS, content="x"), ["both sets are the same 24 images"]),
    (image_set(FIRST), image_set(SECOND, content="x"), []),
    (
        image_set(some(FIRST, 0, 1, 2), SECOND),
        image_set(FIRST, content="x"),
        ["3 of the 27 images are in the reference too"],
    ),
    (
        image_set(FIRST),
        image_set(FIRST, SECOND, content="x"),
        ["24 of the 24 images are in the reference too"],
    ),
    (
        image_set(some(FIRST, 0, 0, 1)),
        image_set(some(FIRST, 0, 1, 1), content="x"),
        ["3 of the 3 images are in the reference too"],
    ),
    (
        image_set(EQUAL),
        image_set(SECOND, content="x"),
        ["all 24 images of the 24 are equal"],
    ),
]


@pytest.mark.parametrize(("images", "reference", "notes"), CASES)
def test_equal_images_are_counted_by_their_pixels(images, reference, notes):
    counts = images.available, reference.available
    assert describe_overlap(images, counts[0], reference, counts[1]) == notes


def test_only_images_that_are_compared_are_counted():
    reference = image_set(FIRST, SECOND, content="x")
    used = reference.images(0, np.arange(10))
    images = image_set(FIRST)
    shared = sum((used == one).flatten(1).all(dim=1).any() for one in images.images(0, range(24)))
    assert 0 < shared < 10
    expected = [f"{shared} of the 24 images are in the reference too"]
    assert describe_overlap(images, 24, reference, 10) == expected


def test_too_many_pixels_are_not_read(monkeypatch):
    images, reference = image_set(FIRST), image_set(BACKWARDS, content="x")
    monkeypatch.setattr("ssgan.evaluation.overlap._MOST_BYTES", 1000)
    assert describe_overlap(images, 24, reference, 24) == []


def test_test_images_that_are_training_images_are_counted():
    data, other = patches(30), patches(30, seed=1)
    assert count_trained_on(split(data, data, seed=0)) == 30
    assert count_trained_on(split(data, other, seed=0)) == 0
    assert count_trained_on(split(data, None, seed=0)) == 0
    mixed = replace(other, images=np.concatenate([data.images[:15], other.images[15:]]))
    assert count_trained_on(split(data, mixed, seed=0)) == 15
    twice = replace(data, images=np.repeat(data.images[:15], 2, axis=0))
    assert count_trained_on(split(twice, None, seed=0)) > 0


def test_the_command_says_that_a_copy_of_the_folder_is_the_same(tmp_path, capsys):
    folder, copy = write_folder(tmp_path / "a"), tmp_path / "b"
    copy.mkdir()
    for number, path in enumerate(sorted(folder.iterdir(), reverse=True)):
        shutil.copy(path, copy / f"{number:03}.png")
    (tmp_path / "link").symlink_to(folder)
    words = ["--features", "random", "--cache", str(tmp_path / "c"), "--out"]
    for other, sentence in ((copy, "the same 24 images"), (tmp_path / "link", "the same images:")):
        out = str(tmp_path / f"of-{other.name}")
        assert main(["evaluate", str(other), "--against", str(folder), *words, out]) == 0
        assert f"note: both sets are {sentence}" in capsys.readouterr().out
    held = ["--held-out", str(copy), *words, str(tmp_path / "o")]
    other = write_folder(tmp_path / "other", seed=2)
    assert main(["evaluate", str(other), "--against", str(folder), *held]) == 0
    assert "note: --held-out: both sets are the same 24 images" in capsys.readouterr().out


def evaluate(tmp_path, capsys, images, *words):
    """The exit code of `ssgan evaluate`, and all that it said."""
    code = main(
        ["evaluate", str(images), "--features", "random", "--cache", str(tmp_path / "c"), *words]
    )
    return code, "".join(capsys.readouterr())


def test_results_of_other_images_are_not_replaced(tmp_path, capsys):
    """Nor those of another step; those of the same images are."""
    first, second = write_folder(tmp_path / "a"), write_folder(tmp_path / "b", seed=2)
    words = ["--against", str(second), "--out", str(tmp_path / "o")]
    for _ in range(2):
        assert evaluate(tmp_path, capsys, first, *words)[0] == 0
    before = (tmp_path / "o" / "results.jsonl").read_bytes()
    code, said = evaluate(tmp_path, capsys, second, *words)
    assert code == 2
    assert f"would replace the results of folder:{first} by those of folder:{second}: give" in said
    assert (tmp_path / "o" / "results.jsonl").read_bytes() == before
    run = save_run(tmp_path / "run")
    words = ["--against", str(first), "--n", "24", "--out", str(tmp_path / "r.jsonl")]
    assert evaluate(tmp_path, capsys, run, *words)[0] == 0
    code, said = evaluate(tmp_path, capsys, run, "--best", *words)
    assert code == 2
    assert f"the results of {run}, step 3 by those of {run}, best, step 3: give" in said


def test_grey_images_beside_colour_ones_are_said(tmp_path, capsys):
    colour, grey = write_folder(tmp_path / "colour"), tmp_path / "grey"
    grey.mkdir()
    for path in colour.iterdir():
        Image.open(path).convert("L").save(grey / path.name)
    words = ["--against", str(colour), "--out", str(tmp_path / "o")]
    code, said = evaluate(tmp_path, capsys, grey, *words)
    assert code == 0
    assert f"note: folder:{grey}: grey images are compared as colour" in said
    assert said.count("compared as") == 1
    words = ["--against", str(grey), "--out", str(tmp_path / "p")]
    assert "compared as" not in evaluate(tmp_path, capsys, grey, *words)[1]


def test_samples_that_are_taken_for_real_images_are_named(tmp_path, capsys):
    run, real = save_run(tmp_path / "run"), write_folder(tmp_path / "real")
    assert main(["sample", str(run), "--n", "24", "--out", str(tmp_path / "s")]) == 0
    for number, place in enumerate((tmp_path / "s", tmp_path / "s" / "images")):
        words = ["--against", str(place), "--out", str(tmp_path / f"o{number}")]
        code, said = evaluate(tmp_path, capsys, real, *words)
        assert code == 0
        sentence = f"note: --against folder:{place} holds samples that ssgan generated, and no real"
        assert sentence in said
    words = ["--against", str(real), "--out", str(tmp_path / "o")]
    held = ["--held-out", str(tmp_path / "s")]
    code, said = evaluate(tmp_path, capsys, tmp_path / "s", *words, *held)
    assert code == 0
    assert "--against folder" not in said
    assert f"note: --held-out folder:{tmp_path / 's'} holds samples" in said
