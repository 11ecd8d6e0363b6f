"""Output of ssgan in a folder of images is no image: it is passed over, and this is said once."""

import os
from pathlib import Path

import pytest

from ssgan.data.folder import Folder
from ssgan.data.prepare import prepare
from ssgan.files.image_grid import save_png
from ssgan.files.run_directory import RunDirectory
from ssgan.runs.sample_folder import SampleFolder
from ssgan.types import UserError
from tests.data.pictures import noise, preprocessing, write_images
from tests.data.test_folder import names
from tests.evaluation.saved import save_run
from tests.files.test_own_outputs import write_old_evaluation, write_old_samples


def write_run(root: Path) -> Path:
    """A run with a sample sheet of an earlier version, without a mark."""
    save_run(root)
    write_images(RunDirectory(root).samples, range(3))
    return root


def write_samples(root: Path, count: int = 4) -> SampleFolder:
    root.mkdir(parents=True)
    folder = SampleFolder(root)
    folder.start(count, {})
    for number in range(count):
        save_png(folder.image(number), noise(100 + number), "ssgan sample")
    save_png(folder.sheet, noise(99))
    return folder


def notes(path: Path) -> tuple[str, ...]:
    return Folder(str(path)).open().notes()


def test_every_output_is_passed_over_and_every_image_of_the_user_is_kept(tmp_path: Path) -> None:
    write_images(tmp_path, range(2))
    before = names(tmp_path)
    fingerprint = Folder(str(tmp_path)).open().fingerprint()
    write_run(tmp_path / "runs" / "one")
    write_samples(tmp_path / "fakes")
    write_old_samples(tmp_path / "older", 5)
    write_old_evaluation(tmp_path / "evaluation" / "images-random-00000000" / "results.jsonl")
    noise(0).save(tmp_path / "evaluation" / "images-random-00000000" / "neighbours.png")
    save_png(tmp_path / "curves.png", noise(0))
    collection = Folder(str(tmp_path)).open()
    assert names(tmp_path) == before
    assert collection.fingerprint() == fingerprint
    assert collection.warnings() == ()
    (note,) = collection.notes()
    first = "curves.png"
    assert note == f"8 outputs of ssgan are passed over (the first: {first})"


def test_a_run_among_class_folders_is_no_class(tmp_path: Path) -> None:
    write_images(tmp_path / "cats", range(2))
    write_images(tmp_path / "dogs", range(2, 4))
    write_run(tmp_path / "runs" / "one")
    write_run(tmp_path / "cats" / "run")
    save_png(tmp_path / "curves.png", noise(0))  # else an image beside the folders
    collection = Folder(str(tmp_path)).open()
    assert collection.classes() == ("cats", "dogs")
    assert collection.labels() == [0, 0, 1, 1]
    assert collection.warnings() == ()


def test_output_behind_links_is_passed_over(tmp_path: Path) -> None:
    write_run(tmp_path / "elsewhere" / "run")
    write_samples(tmp_path / "elsewhere" / "fakes")
    write_images(tmp_path / "photos", range(2))
    for name, target in {
        "latest": "run", "sheets": "run/samples", "all": ".", "fakes": "fakes/images",
    }.items():  # fmt: skip
        (tmp_path / "photos" / name).symlink_to(tmp_path / "elsewhere" / target)
    assert names(tmp_path / "photos") == ["000.png", "001.png"]


def test_pictures_of_the_user_beside_old_samples_are_kept(tmp_path: Path) -> None:
    write_images(tmp_path / "mixed", range(2))
    write_old_samples(tmp_path / "mixed", 3)
    assert names(tmp_path) == ["mixed/000.png", "mixed/001.png"]


def test_a_folder_of_samples_that_is_given_is_measured_without_its_sheets(tmp_path: Path) -> None:
    write_old_samples(tmp_path / "old", 3)
    write_samples(tmp_path / "new", 3)
    assert names(tmp_path / "old") == [f"image-{n:05d}.png" for n in range(3)]
    assert names(tmp_path / "new") == [f"images/image-{n:05d}.png" for n in range(3)]
    assert names(tmp_path / "new" / "images") == [f"image-{n:05d}.png" for n in range(3)]
    collection = Folder(str(tmp_path / "new")).open()
    assert (collection.classes(), collection.labels(), collection.warnings()) == ((), None, ())
    assert notes(tmp_path / "new") == ("sheet.png is output of ssgan and passed over",)
    assert notes(tmp_path / "new" / "images") == ()


def test_samples_that_the_user_copied_are_the_user_s_images(tmp_path: Path) -> None:
    made = write_samples(tmp_path / "fakes", 2)
    (tmp_path / "mine").mkdir()
    for path in made.images.iterdir():
        (tmp_path / "mine" / path.name).write_bytes(path.read_bytes())
    assert len(names(tmp_path / "mine")) == 2


def test_an_interrupted_sampling_is_said(tmp_path: Path) -> None:
    made = write_samples(tmp_path / "fakes", 3)
    made.image(2).unlink()
    for path in (made.root, made.images):
        assert "lacks samples: ssgan sample was interrupted" in notes(path)[-1]


@pytest.mark.parametrize("below", ["", "samples"])
def test_a_run_given_as_images_is_one_clear_line(tmp_path: Path, below: str) -> None:
    write_run(tmp_path / "run")
    save_png(tmp_path / "run" / "samples" / "step-00000001.png", noise(0))
    for number in range(3):
        (tmp_path / "run" / "samples" / f"{number:03d}.png").unlink()
    with pytest.raises(UserError) as it:
        Folder(str(tmp_path / "run" / below)).open()
    words = "no image but output of ssgan" if below else "this is a run directory"
    assert words in str(it.value)
    assert "\n" not in str(it.value)


def test_a_folder_of_runs_is_one_clear_line(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "one")
    with pytest.raises(UserError, match=r"no image but output of ssgan \(the first: one/"):
        Folder(str(tmp_path / "runs")).open()


def test_the_note_is_of_now_and_the_prepared_images_are_those_of_before(tmp_path: Path) -> None:
    write_images(tmp_path / "photos", range(3))
    source, cache = Folder(str(tmp_path / "photos")), tmp_path / "cache"
    first = prepare(source, preprocessing(), cache)
    write_run(tmp_path / "photos" / "run")
    second = prepare(source, preprocessing(), cache)
    assert second.content_hash == first.content_hash
    assert first.manifest["warnings"] == []
    assert second.manifest["warnings"] == ["run/ is output of ssgan and passed over"]
    assert len([p for p in os.listdir(cache) if p[0] != "."]) == 1
    assert prepare(source, preprocessing(), tmp_path / "other").content_hash == first.content_hash
