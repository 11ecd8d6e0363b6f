"""`ssgan data prepare`: what it prints, and the exit it takes."""

import re
from pathlib import Path

import numpy as np
import pytest

from ssgan.cli import progress
from ssgan.cli.main import main
from ssgan.data.folder import Folder
from ssgan.recipes.auto import fit_recipe
from tests.data.pictures import noise, write_images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cats", "dogs"):
        write_images(tmp_path / "photos" / name, range(3), size=70)
    for k in range(25):
        (tmp_path / "photos" / "cats" / f"broken{k:02d}.png").write_bytes(b"")
    return tmp_path / "photos"


def test_the_summary_says_what_is_there_what_is_not_and_where(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    assert main(["data", "prepare", str(folder), "--cache", str(cache), "--size", "16"]) == 0
    out = capsys.readouterr().out
    assert f"folder:{folder}: 6 images of 16 x 16 pixels, colour\n" in out
    assert "2 (cats 3, dogs 3)\n" in out
    assert "not used: 25 of 31 items\n" in out
    assert out.count("empty file\n") == 20
    assert "and 5 more, all in manifest.json\n" in out
    stored = re.search(r"stored in: +(.*)\n", out)
    assert stored is not None
    assert np.load(Path(stored[1]) / "images.npy").shape == (6, 16, 16, 3)
    assert re.search(r"content hash: [0-9a-f]{64}\n", out)


def test_the_summary_says_how_well_turns_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of noise, not at all; of very few images nothing is said."""
    write_images(tmp_path / "noise", range(100), size=16)
    arguments = ["data", "prepare", str(tmp_path / "noise"), "--cache", str(tmp_path / "cache")]
    main([*arguments, "--size", "16"])
    assert re.search(
        r"\nrotations: +\d\d% recognised .* alike when rotated", capsys.readouterr().out
    )
    (tmp_path / "noise" / "000.png").unlink()
    main([*arguments, "--size", "16"])
    assert "rotations:" not in capsys.readouterr().out


def test_size_and_channels_come_from_the_images(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["data", "prepare", str(folder), "--cache", str(tmp_path / "cache")])
    assert "6 images of 64 x 64 pixels, colour" in capsys.readouterr().out
    for path in folder.rglob("0*.png"):
        noise(int(path.stem), 40, 40).convert("L").save(path)
    main(["data", "prepare", str(folder), "--cache", str(tmp_path / "cache")])
    assert "6 images of 32 x 32 pixels, grey" in capsys.readouterr().out


def test_the_size_is_that_which_training_and_inspection_choose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(tmp_path / "large", range(4), size=140)
    chosen = fit_recipe(Folder(path=str(tmp_path / "large")))[0].data.image_size
    assert main(["data", "prepare", str(tmp_path / "large"), "--cache", str(tmp_path / "c")]) == 0
    assert f"4 images of {chosen} x {chosen} pixels" in capsys.readouterr().out
    assert main(["data", "inspect", str(tmp_path / "large")]) == 0
    assert f"size {chosen}: " in capsys.readouterr().out


def test_strict_is_an_error_for_the_caller(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = ["--cache", str(tmp_path / "cache")]
    assert main(["data", "prepare", str(folder), *cache, "--strict"]) == 2
    assert "25 of 31 items cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        *(["--size", "0"], ["--size", "x"], ["--sise", "4"], ["--channels", "2"]),
        *(["--background", "1,2"], ["--background", "1,2,256"], ["--background", "1,2,-3"]),
        ["--workers", "-1"],
    ],
)
def test_wrong_options_end_with_code_2_before_anything_is_read(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "prepare", "folder:/no/such", *options]) == 2
    assert options[0] in capsys.readouterr().err


def test_without_a_terminal_progress_is_plain_lines_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with progress.Meter("preparing", 100, 0) as meter:
        for second in range(0, 30, 5):
            now = 100.0 + second
            meter.advance(second * 2)
    assert capsys.readouterr().err == (
        "preparing 20/100  2.0 images/s  left 0:40\npreparing 40/100  2.0 images/s  left 0:30\n"
    )
