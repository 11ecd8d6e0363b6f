"""Images that change between two parts of a run: refused, or accepted by a flag."""

import json
import shutil

import pytest

from ssgan.cli.main import main
from tests.cli.test_main import TINY
from tests.data.pictures import write_images

pytestmark = pytest.mark.slow
_STEPS = TINY.index("--total_steps")
SETTINGS = [*TINY[:_STEPS], *TINY[_STEPS + 2 :], "--data.image_size", "32", "--evaluate.every", "1"]


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A run of two steps on twenty images, and the command that continues it to four."""
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "cache"))
    photos, run = tmp_path / "photos", tmp_path / "run"
    write_images(photos, range(20), size=32)
    words = ["train", "--data", f"folder:{photos}", "--run", str(run), "--method", "GAN"]
    assert main([*words, *SETTINGS, "--total_steps", "2"]) == 0
    return photos, run, [*words, *SETTINGS]


def add(photos):
    write_images(photos / "more", range(100, 104), size=32)


def remove(photos):
    min(photos.iterdir()).unlink()


def replace(photos):
    first, second, *_ = sorted(photos.iterdir())
    shutil.copyfile(second, first)


@pytest.mark.parametrize("change", [add, remove, replace])
def test_changed_images_are_refused_and_a_flag_continues_on_them(change, begun, capsys):
    photos, run, words = begun
    before = json.loads((run / "manifest.json").read_text())
    change(photos)
    capsys.readouterr()
    assert main([*words, "--total_steps", "4"]) == 2
    refusal = capsys.readouterr().err
    assert f"{run} was trained on other images" in refusal
    assert "--accept-new-data" in refusal
    assert json.loads((run / "manifest.json").read_text()) == before
    assert main([*words, "--total_steps", "4", "--accept-new-data"]) == 0
    said = capsys.readouterr()
    assert "continues on other images" in said.out + said.err
    assert "the best score starts over: the images changed" in said.out + said.err
    assert json.loads((run / "manifest.json").read_text())["content_hash"] != before["content_hash"]
    rows = (run / "log.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == [1, 2, 3, 4]
    assert main([*words, "--total_steps", "5"]) == 0  # from here on they are the run's images


def test_the_flag_does_not_give_a_conditional_run_other_classes(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "cache"))
    photos = tmp_path / "photos"
    for name in ("a", "b"):
        write_images(photos / name, range(10), size=32)
    words = ["train", "--data", f"folder:{photos}", "--run", str(tmp_path / "run")]
    words += ["--method", "ConditionalGAN", "--generator.norm", "ConditionalBatchNorm", *SETTINGS]
    assert main([*words, "--total_steps", "2"]) == 0
    write_images(photos / "c", range(10, 20), size=32)
    assert main([*words, "--total_steps", "3", "--accept-new-data"]) == 2
    assert (
        "was trained with the classes a, b, and these images have a, b, c"
        in capsys.readouterr().err
    )
