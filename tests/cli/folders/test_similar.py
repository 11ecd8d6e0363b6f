"""`ssgan similar`: near duplicates, outliers and a search, by the D of a run."""

import json

import pytest

from ssgan.cli.folders import similar
from ssgan.cli.main import main
from tests.cli.folders.photos import has_only_its_own_content
from tests.data.pictures import noise, smooth
from tests.evaluation.saved import save_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Thirty smooth pictures, an edited copy of one, noise and a broken file."""
    root = tmp_path_factory.mktemp("photos")
    for k in range(30):
        smooth(k, 64, 64).save(root / f"{k:02}.png")
    smooth(7, 64, 64).resize((60, 60)).save(root / "copy.jpg", quality=80)
    noise(1, 64, 64).save(root / "noise.png")
    (root / "broken.png").write_bytes(b"")
    return root


def test_copies_and_outliers_are_found(run, folder, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["similar", str(folder), "--model", str(run), "--page", str(page)]) == 0
    out = capsys.readouterr().out
    assert "32 pictures, read by D of" in out
    assert "not usable  1; the first: broken.png: empty file" in out
    assert "\n  07.png, copy.jpg\n" in out
    rows = out[out.index("outliers") :].splitlines()[1:]
    distances = [float(row.split()[0]) for row in rows]
    assert len(rows) == 10
    assert distances == sorted(distances, reverse=True)
    assert has_only_its_own_content(page)
    html = page.read_text(encoding="utf-8")
    assert html.count("broken.png</th><td>empty file") == 1
    assert "<p>1 group of pictures at distances up to" in html


def test_a_search_finds_the_example_first_among_all(run, folder, tmp_path, capsys):
    page = tmp_path / "page.html"
    words = ["similar", str(folder), "--model", str(run), "--to", str(folder / "copy.jpg")]
    assert main([*words, "--json", "--page", str(page)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["item"] for one in found["nearest"][:2]] == ["copy.jpg", "07.png"]
    assert found["nearest"][0]["distance"] == pytest.approx(0, abs=1e-4)
    assert found["compared"] == 32
    assert has_only_its_own_content(page)


def test_few_pictures_are_compared_where_memory_allows_no_more(run, folder, monkeypatch, capsys):
    monkeypatch.setattr(similar, "_MOST_VALUES", 1)
    assert main(["similar", str(folder), "--model", str(run), "--seed", "1"]) == 0
    assert "2 pictures of 33, drawn with seed 1" in capsys.readouterr().out


def test_bad_words_are_one_line(run, folder, tmp_path, capsys):
    (tmp_path / "one").mkdir()
    smooth(1, 32, 32).save(tmp_path / "one" / "a.png")
    for words, part in (
        ([folder, "--model", run, "--to", folder], "is a folder; give image files"),
        ([folder, "--model", run, "--to", folder / "broken.png"], "empty file"),
        ([folder, "--model", run, "--recall", "1"], "--recall must be between 0 and 1"),
        ([tmp_path / "one", "--model", run], "compares at least 2 pictures, and 1 can be used"),
        ([folder], "similar needs --model MODEL"),
    ):
        assert main(["similar", *map(str, words)]) == 2
        err = capsys.readouterr().err
        assert part in err
