"""What ssgan wrote is told from what anybody else wrote, by old files and new ones."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssgan.files.animation import save_animation
from ssgan.files.image_grid import image_grid, save_png
from ssgan.files.own_outputs import (
    SAMPLE,
    SHEET,
    count_samples,
    find_own_names,
    is_run_directory,
    read_mark,
    refuse_other_picture,
)
from ssgan.plots.figures import write_figure
from ssgan.types import UserError
from tests.data.pictures import noise, write_images
from tests.evaluation.saved import save_run

EARLIER = Path(__file__).parents[1]


def own(folder: Path, given: bool = False) -> list[str]:
    found = find_own_names(
        os.fsencode(folder), set(map(os.fsencode, os.listdir(folder))), given=given
    )
    return sorted(map(os.fsdecode, found))


def write_old_samples(folder: Path, count: int, grey: bool = False) -> None:
    """As versions without a mark: images beside their sheet."""
    folder.mkdir(parents=True, exist_ok=True)
    images = np.random.default_rng(5).integers(0, 256, (count, 16, 16, 1 if grey else 3), np.uint8)
    for number, image in enumerate(images):
        picture = Image.fromarray(image[..., 0] if grey else image)
        picture.save(folder / f"image-{number:05d}.png")
    image_grid(images[:400], max(1, round(min(count, 400) ** 0.5))).save(folder / "sheet.png")
    if count > 1:
        image_grid(images, count).save(folder / "interpolation.png")


def write_old_evaluation(results: Path, metric: str = "authenticity") -> None:
    row = {"name": metric, "subject": "x", "against": "y", "values": [0.5], "protocol": {}}
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(
        "".join(json.dumps(one) + "\n" for one in ({**row, "name": "FD-random"}, row))
    )


def test_sheets_figures_animations_and_samples_carry_their_mark(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    frames = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    save_png(tmp_path / "sheet.png", noise(0))
    save_png(tmp_path / "image.png", noise(0), SAMPLE)
    save_animation(tmp_path / "walk.gif", frames, 80)
    write_figure(Figure(), tmp_path / "curves.png")
    noise(0).save(tmp_path / "mine.png")
    noise(0).save(tmp_path / "mine.gif", comment=b"ssgan sheets are nice")
    (tmp_path / "text.png").write_bytes(b"tEXtSoftware\0ssgan sheet")
    marks = {path.name: read_mark(path) for path in tmp_path.iterdir()}
    assert {name for name, mark in marks.items() if mark == SHEET} == {
        "sheet.png", "walk.gif", "curves.png",
    }  # fmt: skip
    assert {name for name, mark in marks.items() if mark == SAMPLE} == {"image.png"}
    with Image.open(tmp_path / "image.png") as marked, Image.open(tmp_path / "mine.png") as plain:
        assert np.array_equal(np.asarray(marked), np.asarray(plain))


def test_a_run_directory_is_known_by_its_settings_or_by_a_checkpoint_alone(tmp_path: Path) -> None:
    shutil.copytree(EARLIER / "training" / "earlier" / "run", tmp_path / "old")
    assert is_run_directory(os.fsencode(tmp_path / "old"))
    shutil.rmtree(tmp_path / "old" / "checkpoints")
    assert is_run_directory(os.fsencode(tmp_path / "old"))
    save_run(tmp_path / "new")
    (tmp_path / "new" / "config.json").unlink()
    assert is_run_directory(os.fsencode(tmp_path / "new"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", '{"kind": "ssgan.runs.config:RunConfig"}'),  # alone
        ("config.json", '{"kind": "my.tool:Thing"}'),
        ("checkpoints/step-00000100.ckpt", "somebody else's"),
        ("checkpoints/step-00000100.ckpt", ""),
    ],
)
def test_a_data_set_with_such_files_of_its_own_is_no_run(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / ".lock").touch()
    (tmp_path / "manifest.json").write_text("{}")
    if "ssgan" in text:
        (tmp_path / "manifest.json").unlink()
        (tmp_path / ".lock").unlink()
    (tmp_path / name).write_text(text)
    assert not is_run_directory(os.fsencode(tmp_path))


@pytest.mark.parametrize("count", [1, 2, 5, 64, 401])
@pytest.mark.parametrize("grey", [False, True])
def test_samples_of_earlier_versions_are_known_by_their_sheet(
    tmp_path: Path, count: int, grey: bool
) -> None:
    write_old_samples(tmp_path, count, grey)
    noise(1).save(tmp_path / "mine.png")
    noise(1).save(tmp_path / f"image-{count + 1:05d}.png")  # after a gap
    sheets = ["interpolation.png", "sheet.png"][0 if count > 1 else 1 :]
    assert own(tmp_path, given=True) == sheets
    images = [f"image-{number:05d}.png" for number in range(count)]
    assert own(tmp_path) == sorted([*images, *sheets])


def test_pictures_that_only_have_such_names_are_not_of_ssgan(tmp_path: Path) -> None:
    for name in ("sheet", "image-00000", "interpolation", "neighbours", "probe", "figure"):
        noise(len(name), 48, 48).save(tmp_path / f"{name}.png")
    (tmp_path / "results.jsonl").write_text('{"accuracy": 1}\n')
    (tmp_path / "results.json").write_text("[" * 100_000)
    (tmp_path / "probe.jsonl").write_bytes(b"\xff\xfe")
    (tmp_path / "samples.json").write_text('{"images": 3}')
    assert own(tmp_path) == []
    assert count_samples(os.fsencode(tmp_path)) is None
    noise(0, 40, 48).save(tmp_path / "image-00000.png")
    (tmp_path / "sheet.png").write_bytes(b"\x89PNG damaged")
    assert own(tmp_path) == []


def test_pipes_with_such_names_do_not_block(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in (
        "sheet.png", "image-00000.png", "results.jsonl", "samples.json", "config.json",
        "manifest.json", "neighbours.png", "checkpoints/step-00000001.ckpt",
    ):  # fmt: skip
        os.mkfifo(tmp_path / name)
    assert own(tmp_path) == []
    assert not is_run_directory(os.fsencode(tmp_path))
    assert count_samples(os.fsencode(tmp_path)) is None
    assert read_mark(tmp_path / "sheet.png") == ""


def test_a_picture_of_the_size_of_a_sheet_is_compared_with_the_samples(tmp_path: Path) -> None:
    write_old_samples(tmp_path, 4)
    with Image.open(tmp_path / "sheet.png") as sheet:
        noise(3, *sheet.size).save(tmp_path / "sheet.png")
    assert own(tmp_path) == []


def test_pictures_of_earlier_versions_are_known_by_the_records_beside_them(tmp_path: Path) -> None:
    write_old_evaluation(tmp_path / "results.jsonl")
    write_old_evaluation(tmp_path / "both.jsonl", "too close (held out)")
    write_old_evaluation(tmp_path / "few.jsonl", "precision")
    for name in ("neighbours", "both-neighbours", "few-neighbours", "other-neighbours"):
        noise(0).save(tmp_path / f"{name}.png")
    shutil.copytree(EARLIER / "studies" / "earlier" / "forgetting", tmp_path, dirs_exist_ok=True)
    probe = {"run": "r", "step": 1, "block": 0, "top1": 0.5}
    (tmp_path / "probe.jsonl").write_text(json.dumps(probe) + "\n")
    study = {"study": "table1", "title": "t", "variants": {}, "commands": []}
    (tmp_path / "results.json").write_text(json.dumps(study))
    for name in ("forgetting", "probe", "figure"):
        noise(0).save(tmp_path / f"{name}.png")
    assert [name for name in own(tmp_path) if name.endswith(".png")] == [
        "both-neighbours.png", "figure.png", "forgetting.png", "neighbours.png", "probe.png",
    ]  # fmt: skip


def test_no_picture_of_the_user_is_replaced_by_a_sheet(tmp_path: Path) -> None:
    write_images(tmp_path, range(1))
    picture = tmp_path / "000.png"
    with pytest.raises(UserError, match=r"000\.png is not output of ssgan: move it"):
        refuse_other_picture(picture)
    save_png(picture, noise(0))
    refuse_other_picture(picture)
    refuse_other_picture(tmp_path / "none.png")
