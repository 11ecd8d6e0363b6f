"""The place of the images is no setting: a run continues where their content is the same."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssgan.cli.main import main
from ssgan.data.base import AbstractSource
from ssgan.data.cifar10 import Cifar10
from ssgan.data.crops import Crops
from ssgan.data.folder import Folder
from ssgan.data.huggingface import Hub
from ssgan.data.scenes.source import Scenes
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.training.resume import may_change, read_run_config, refuse_changes
from ssgan.types import UserError
from tests.training.tiny import digest_of, tiny

WORDS = (
    *("--batch_size", "4", "--generator.width", "0.05", "--discriminator.width", "0.05"),
    *("--output.tensorboard", "false", "--output.sample_rows", "2", "--precision", "float32"),
    *("--evaluate.every", "0"),
)


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "cache"))
    draw = np.random.default_rng(0)
    for number in range(8):
        place = tmp_path / "old" / ("a" if number % 2 else "b")
        place.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    return tmp_path


def train(data: str | None, steps: int, *words: str) -> int:
    given = () if data is None else ("--data", data)
    return main(["train", *words, *given, "--total_steps", str(steps), *WORDS])


def runs() -> list[Path]:
    return sorted(path for path in Path("runs").iterdir() if path.is_dir())


def steps_of(run: Path) -> int:
    return max(int(path.stem[5:]) for path in RunDirectory(run).checkpoint_files())


@pytest.mark.slow
@pytest.mark.parametrize("form", ["{}", "folder:{}", "crops:2:folder:{}"])
def test_the_same_command_with_the_new_place_continues_the_run(form: str) -> None:
    assert train(form.format("old"), 2) == 0
    (run,) = runs()
    os.rename("old", "new")
    assert train(form.format("new"), 4) == 0
    assert runs() == [run]
    assert steps_of(run) == 4
    config = read_run_config(RunDirectory(run))
    assert config is not None
    assert config.data.source.name().endswith("/new")
    os.rename("new", "newer")  # and again, though the run names the second place by now
    assert train(form.format("newer"), 5) == 0
    assert runs() == [run]
    assert steps_of(run) == 5


@pytest.mark.slow
def test_a_run_that_moved_twice_is_the_run_that_did_not(lab: Path) -> None:
    assert train("old", 3, "--run", "still") == 0
    assert train("old", 1, "--run", "moved") == 0
    os.rename("old", "new")
    assert train("new", 2, "--run", "moved") == 0
    assert train("new", 3, "--run", "moved") == 0
    moved, still = (
        checkpoint.load_newest(RunDirectory(lab / name))[0] for name in ("moved", "still")
    )
    assert moved is not None
    assert still is not None
    assert digest_of(moved) == digest_of(still)


@pytest.mark.slow
def test_a_run_without_its_images_says_how_to_name_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert train("old", 2) == 0
    (run,) = runs()
    os.rename("old", "new")
    capsys.readouterr()
    for words in ((), ("--dry-run",)):
        assert train(None, 3, str(run), *words) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert "there is no folder at" in error
        assert error.endswith(
            f"if the images of this run were moved, give their new place: ssgan train {run} "
            "--data SOURCE"
        )
    assert train("new", 3, str(run)) == 0
    assert steps_of(run) == 3


@pytest.mark.slow
def test_other_images_at_another_place_begin_another_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train("old", 2) == 0
    (run,) = runs()
    os.rename("old", "new")
    Image.new("RGB", (40, 40)).save("new/a/1.png")
    assert train("new", 3, str(run)) == 2
    assert "was trained on other images (content" in capsys.readouterr().err
    assert train("new", 2) == 0  # nobody named the run
    assert len(runs()) == 2
    assert steps_of(run) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("crops:2:folder:new", ()),
        ("new", ("--data.mirror", "true")),
        ("new", ("--data.background", "[0,0,0]")),
        ("scenes", ()),
    ],
)
def test_what_changes_pixels_still_refuses(
    data: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("old", 2, "--run", "r") == 0
    os.rename("old", "new")
    assert train(data, 3, "--run", "r", *words) == 2
    assert "holds a run with other settings" in capsys.readouterr().err


@pytest.mark.slow
def test_a_linked_current_folder_is_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert train("old", 2) == 0
    Path("link").symlink_to(".")
    assert train(os.path.abspath("link/old"), 3) == 0
    assert len(runs()) == 1
    assert steps_of(runs()[0]) == 3


@pytest.mark.parametrize(
    ("source", "other"),
    [
        (Folder("/a"), Folder("/b")),
        (Crops(Folder("/a"), 2), Crops(Folder("/b"), 2)),
        (Hub("/a"), Hub("/b")),
        (Crops(Hub("/a"), 2), Crops(Hub("/b"), 2)),
        (Cifar10("/a"), Cifar10(None)),
        (Cifar10("/a"), Cifar10("/b")),
    ],
)
def test_a_place_is_no_setting(source: AbstractSource, other: AbstractSource) -> None:
    one, two = (
        replace(tiny(), data=replace(tiny().data, source=which)) for which in (source, other)
    )
    refuse_changes(Path("run"), one, two)
    refuse_changes(Path("run"), two, one)


@pytest.mark.parametrize(
    ("source", "other", "path"),
    [
        (Crops(Folder("/a"), 2), Crops(Folder("/b"), 3), "data.source.count"),
        (Crops(Folder("/a"), 2), Folder("/a"), "data.source"),
        (Hub("/a"), Hub("/b", split="test"), "data.source.split"),
        (Hub("/a"), Hub("/b", image_column="x"), "data.source.image_column"),
        (Hub("one/two"), Hub("one/three"), "data.source.id"),
        (Cifar10("/a"), Cifar10("/b", split="test"), "data.source.split"),
        (Folder("/a"), Hub("/a"), "data.source"),
        (Scenes(num_images=9), Scenes(num_images=8), "data.source.num_images"),
    ],
)
def test_everything_else_of_a_source_is(
    source: AbstractSource, other: AbstractSource, path: str
) -> None:
    one, two = (
        replace(tiny(), data=replace(tiny().data, source=which)) for which in (source, other)
    )
    with pytest.raises(UserError, match=rf"other settings: {path}: "):
        refuse_changes(Path("run"), one, two)
    assert not may_change(path, two)


@pytest.mark.slow
def test_a_forgetting_run_continues_where_its_images_moved(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def forget(data: str) -> int:
        return main(
            [
                *(
                    "forget",
                    "--data",
                    data,
                    "--out",
                    "f",
                    "--iterations-per-task",
                    "1",
                    "--cycles",
                    "1",
                ),
                *("--batch", "4", "--width", "0.05", "--measure-every", "1"),
            ]
        )

    draw = np.random.default_rng(1)
    for number in range(40):
        pixels = draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"old/{'ab'[number % 2]}/more{number}.png")
    assert forget("old") == 0
    os.rename("old", "new")
    before = Path("f/forgetting.jsonl").read_text()
    assert forget("new") == 0
    assert Path("f/forgetting.jsonl").read_text() == before
    assert "/new" in json.dumps(json.loads(Path("f/forgetting.json").read_text())["settings"])
    Path("new/a/more0.png").unlink()
    assert forget("new") == 2
    assert "other images to train on" in capsys.readouterr().err


@pytest.mark.slow
def test_of_several_such_runs_the_one_with_the_most_steps_continues() -> None:
    assert train("old", 2) == 0
    (run,) = runs()
    other = shutil.copytree(run, Path("runs/a-12345678"))  # the first by its name
    assert train("old", 3) == 0
    os.rename("old", "new")
    assert train("new", 4) == 0
    assert (steps_of(run), steps_of(other)) == (4, 2)


@pytest.mark.long
def test_what_was_chosen_is_said_once_whatever_the_number_of_processes() -> None:
    """By the process that starts the others, and not by each of them again."""
    words = ["ssgan", "train", "--processes", "2", *WORDS, "--method", "GAN", "--data"]

    def said(place: str, steps: int) -> str:
        command = [sys.executable, "-m", *words, place, "--total_steps", str(steps)]
        ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        return ended.stdout

    assert said("old", 1).count("median short side") == 1
    os.rename("old", "new")
    assert said("new", 2).count("has the same settings and images: it continues") == 1
    assert len(runs()) == 1
