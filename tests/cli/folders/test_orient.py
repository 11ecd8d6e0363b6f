"""`ssgan orient`: pictures are listed and copied upright; the originals stay."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ssgan.cli.folders import discriminators, orient
from ssgan.cli.main import main
from tests.cli.folders.photos import has_only_its_own_content
from tests.data.pictures import noise
from tests.evaluation.saved import save_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "run")


def corner_head(_model):
    """A head that knows the rotation by the brightest corner, which is top left when upright."""

    def predict(pixels):
        corners = pixels[:, [2, -3, -3, 2], [2, 2, -3, -3], 0].astype(np.float64)
        return torch.from_numpy(corners / 10)

    return predict


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Nine pictures: of 3, 5 and 7 the name says how they were rotated."""
    monkeypatch.setattr(orient, "rotation_head", corner_head)
    root = tmp_path / "photos"
    (root / "below").mkdir(parents=True)
    for k in range(9):
        pixels = np.full((32, 32, 3), 100, np.uint8)
        pixels[:8, :8] = 250
        rotation = {3: 1, 5: 2, 7: 3}.get(k, 0)
        place = root / "below" if k > 4 else root
        Image.fromarray(np.rot90(pixels, rotation).copy()).save(place / f"{k}-{rotation}.png")
    (root / "broken.png").write_bytes(b"")
    return root


def read_all(root: Path):
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_rotated_pictures_are_listed_and_copied_and_nothing_is_changed(
    run, folder, tmp_path, capsys
):
    before, out, page = read_all(folder), tmp_path / "out", tmp_path / "page.html"
    words = ["orient", str(folder), "--model", str(run), "--held-out", f"folder:{folder}"]
    assert main([*words, "--copy-to", str(out), "--page", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "listed      3 that are probably not upright" in printed
    for name, sentence in (
        ("3-1.png", "90 degrees counter-clockwise"),
        ("below/5-2.png", "180 degrees"),
        ("below/7-3.png", "90 degrees clockwise"),
    ):
        assert any(name in line and sentence in line for line in printed.splitlines())
    assert "not usable  1; the first: broken.png: empty file" in printed
    assert "copies      3 upright ones" in printed
    assert read_all(folder) == before
    copies = [path.relative_to(out).as_posix() for path in read_all(out)]
    assert copies == ["3-1.png", "below/5-2.png", "below/7-3.png"]
    upright = np.asarray(Image.open(folder / "0-0.png"))
    for name in copies:
        assert np.array_equal(np.asarray(Image.open(out / name)), upright)
    assert has_only_its_own_content(page)
    html = page.read_text(encoding="utf-8")
    assert html.count("data:image/webp") == 6
    assert "broken.png</th><td>empty file" in html
    assert ("0.95 (used)" in html, "+-" in html) == (True, False)


def test_a_folder_without_rotated_pictures_gets_no_precision_of_an_empty_list(
    run, folder, tmp_path, capsys
):
    for rotated in ("3-1.png", "below/5-2.png", "below/7-3.png"):
        (folder / rotated).unlink()
    page = tmp_path / "page.html"
    words = ["orient", str(folder), "--model", str(run), "--held-out", f"folder:{folder}"]
    assert main([*words, "--page", str(page)]) == 0
    assert "0 points of them are rotated.\n" in capsys.readouterr().out
    assert "0 pictures are probably not upright, with a confidence of 0.95 or more.</p>" in (
        page.read_text(encoding="utf-8")
    )


def test_json_has_every_listed_picture_and_the_quality(run, folder, capsys):
    words = ["orient", str(folder), "--model", str(run), "--held-out", f"folder:{folder}"]
    assert main([*words, "--json", "--threshold", "0.6"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["item"], one["rotated_by_degrees"]) for one in found["listed"]] == [
        ("3-1.png", 90),
        ("below/5-2.png", 180),
        ("below/7-3.png", 270),
    ]
    assert found["quality"]["pictures"] == 9
    used = next(row for row in found["quality"]["at"] if row["threshold"] == 0.6)
    assert used["recall"] == pytest.approx(6 / 9)
    assert used["upright_listed"] == pytest.approx(3 / 9)


def test_the_untrained_head_of_a_real_run_is_measured_on_its_own_held_out_pictures(
    run, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(orient, "_HELD_OUT", 8)
    for k in range(3):
        noise(k).save(tmp_path / f"{k}.png")
    assert main(["orient", str(tmp_path), "--model", str(run), "--show", "1"]) == 0
    out = capsys.readouterr().out
    assert "3 pictures, read by D of" in out
    assert "quality     on 8 upright pictures of scenes" in out


def test_without_held_out_pictures_nothing_is_measured_and_a_line_says_so():
    source = SimpleNamespace(held_out=lambda: None)
    model = SimpleNamespace(config=SimpleNamespace(data=SimpleNamespace(source=source)))
    reason, upright = orient._measure(None, model)
    assert upright is None
    assert "--held-out" in reason


def test_copies_go_to_a_new_folder_outside_of_the_source_only(run, folder, tmp_path, capsys):
    words = ["orient", str(folder), "--model", str(run), "--copy-to"]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("mine")
    for target, part in (
        (folder / "upright", "is within folder:"),
        (tmp_path / "full", "is not empty"),
    ):
        assert main([*words, str(target)]) == 2
        err = capsys.readouterr().err
        assert part in err
        assert err.count("\n") == 1
    assert main(["orient", "objects", "--model", str(run), "--copy-to", str(tmp_path / "x")]) == 2
    assert "has no image files" in capsys.readouterr().err


def test_a_model_without_a_rotation_head_or_without_d_is_refused(tmp_path, capsys):
    gan = save_run(tmp_path / "gan", "gan")
    assert main(["orient", "objects", "--model", str(gan)]) == 2
    assert "D of GAN does not predict rotations" in capsys.readouterr().err
    assert main(["orient", "objects", "--model", str(tmp_path / "none")]) == 2
    assert main(["orient", "objects", "--model", str(gan / "best" / "best.ckpt")]) == 2
    assert main(["orient", "objects"]) == 2
    assert "orient needs --model MODEL" in capsys.readouterr().err


def test_the_head_of_a_run_gives_four_logits(run):
    model = discriminators.load_model(str(run), "cpu", ())
    assert discriminators.rotation_head(model)(np.zeros((2, 32, 32, 3), np.uint8)).shape == (2, 4)
