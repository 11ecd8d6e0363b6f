"""`ssgan data inspect`: what it says of a folder and of any other source, and what it writes."""

import json
from pathlib import Path

import numpy as np
import pytest

from ssgan.cli.main import main
from tests.cli.folders.photos import has_only_its_own_content, write_photos
from tests.data.pictures import noise, write_images


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("inspect") / "photos")


def inspect_json(capsys, *words):
    assert main(["data", "inspect", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_text_says_what_is_in_a_folder(photos, capsys):
    before = sorted(photos.rglob("*"))
    assert main(["data", "inspect", str(photos)]) == 0
    out = capsys.readouterr().out
    for line in (
        "items         11, all read; 10 usable",
        "                dogs/broken.png: empty file",
        "formats       PNG 9, JPEG 1",
        "2 of 10 compared have a copy",
        "1 picture is in more than one class: cats/0.png, dogs/same.png",
        "labels        2 classes: cats 4, dogs 7",
        "cut to squares: 1 of 10 pictures lose 56 % of their area",
        "no advice: fewer than 100 usable pictures were read",
        f"ssgan train --data folder:{photos}",
    ):
        assert line in out
    assert sorted(photos.rglob("*")) == before


def test_json_has_the_same(photos, capsys):
    found = inspect_json(capsys, photos)
    assert (found["items"], found["usable"]) == (11, 10)
    assert found["sample"] == {"items": 11, "seed": 0, "all": True}
    assert found["not_usable"]["list"] == [["dogs/broken.png", "empty file"]]
    assert found["short_side"]["median"] == 40
    assert found["copies"]["in_two_classes"] == [["cats/0.png", "dogs/same.png"]]
    assert found["classes"] == {"cats": 4, "dogs": 7}
    assert found["suggestion"]["fit"] == "crop"


def test_a_sample_says_its_size_and_seed_and_how_many_may_be_broken(photos, capsys):
    assert main(["data", "inspect", str(photos), "--sample", "5", "--seed", "3"]) == 0
    out = capsys.readouterr().out
    assert "11; 5 of them read, drawn with seed 3" in out
    assert "% of all (95 %)" in out


@pytest.mark.parametrize("source", ["npz", "crops", "zip", "objects"])
def test_every_source_can_be_inspected(source, photos, tmp_path, capsys):
    if source == "npz":
        np.savez(tmp_path / "a.npz", np.zeros((4, 16, 24, 3), np.uint8))
        found = inspect_json(capsys, tmp_path / "a.npz")
        assert (found["items"], found["widths"], found["heights"]) == (4, [24, 24], [16, 16])
        assert found["copies"]["with_a_copy"] == 4
    elif source == "crops":
        found = inspect_json(capsys, f"crops:3:folder:{photos}", "--page", tmp_path / "a.html")
        assert (found["items"], found["views"]) == (33, 3)
    elif source == "zip":
        import shutil

        archive = shutil.make_archive(str(tmp_path / "photos"), "zip", photos)
        assert inspect_json(capsys, archive)["copies"]["in_two_classes"]
    else:
        found = inspect_json(capsys, "objects:num_images=120", "--size", "16")
        assert found["rotation"]["pictures"] == 120
        assert found["suggestion"]["size"] == 16


def test_the_advice_follows_from_how_well_rotations_are_recognised(tmp_path, capsys):
    write_images(tmp_path / "noise", range(100), size=16)
    found = inspect_json(capsys, tmp_path / "noise", "--size", "16")
    assert found["rotation"]["verdict"] == "alike"
    assert found["advice"].startswith("against the rotation loss: rotated pictures look alike")
    sky = np.random.default_rng(0).integers(0, 60, (100, 16, 16, 3), dtype=np.uint8)
    sky[:, :8] += 150
    np.savez(tmp_path / "sky.npz", sky)
    found = inspect_json(capsys, tmp_path / "sky.npz", "--size", "16")
    assert found["rotation"]["verdict"] == "easy"
    assert found["rotation"]["accuracy"] > 0.95
    assert "docs/results/scenes.md" in found["advice"]


def test_the_page_holds_everything_and_replaces_no_file_of_the_user(photos, tmp_path, capsys):
    page = tmp_path / "new" / "page.html"
    words = ["data", "inspect", str(photos), "--page", str(page)]
    assert main(words) == 0
    assert has_only_its_own_content(page)
    html = page.read_text(encoding="utf-8")
    assert html.count("data:image/webp") == 12  # ten on the sheet, two copies
    assert "&lt;wide&gt;.jpg" in html
    assert main(words) == 0  # its own page is replaced
    page.write_text("mine")
    capsys.readouterr()
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert page.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["inspect", "no/such"], "no source 'no/such'"),
        (["inspect", "objects", "--strict"], "--strict belongs to ssgan data prepare"),
        (["prepare", "objects", "--json"], "--json belongs to ssgan data inspect"),
        (["inspect", "objects", "--page", "a.txt"], "must end in .html"),
        (["inspect", "objects", "--sample", "0"], "--sample must be a whole number, 1 or more"),
    ],
)
def test_wrong_words_are_one_line(words, part, capsys):
    assert main(["data", *words]) == 2
    err = capsys.readouterr().err
    assert part in err
    assert err.count("\n") == 1


def test_a_sample_without_a_usable_item_is_an_error(tmp_path, capsys):
    for k in range(40):
        (tmp_path / f"{k:02}.png").write_bytes(b"")
    noise(1).save(tmp_path / "good.png")
    assert main(["data", "inspect", str(tmp_path), "--sample", "2"]) == 2
    assert "none of the 2 items that were read can be used" in capsys.readouterr().err
