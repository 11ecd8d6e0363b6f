"""What is given as images: broken files, no folder, very few pictures."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ssgan.cli.main import main
from ssgan.data.folder import Folder
from tests.cli.test_main import TINY
from tests.data.pictures import encode, noise, write_images
from tests.data.test_folder import needs_root, open_path, without_rights  # noqa: F401

WORDS = [*TINY, "--data.image_size", "32", "--evaluate.every", "0", "--output.tensorboard", "false"]


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path


def train(steps: int, *words: str) -> int:
    given = ["train", "--data", "folder:photos", "--run", "run", *WORDS]
    given[given.index("--total_steps") + 1] = str(steps)
    return main([*given, *words])


def broken_files() -> dict[str, bytes]:
    bad = {"empty.png": b"", "text.png": b"hello", "page.html.jpg": b"<html>404</html>"}
    for kind in ("PNG", "JPEG", "WEBP"):
        data = encode(noise(50, 64, 64), kind)
        for share in (10, 50, 90):
            bad[f"cut-{share}.{kind.lower()}"] = data[: len(data) * share // 100]
    return bad


@pytest.mark.slow
def test_of_forty_good_and_twelve_bad_files_forty_are_trained_on_and_twelve_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_images(Path("photos"), range(40))
    bad = broken_files()
    assert len(bad) == 12
    for name, data in bad.items():
        Path("photos", name).write_bytes(data)
    prepare = ["data", "prepare", "photos", "--size", "32"]
    assert main(prepare) == 0
    out = capsys.readouterr().out
    assert "not used: 12 of 52 items\n" in out
    for name in bad:
        assert any(name in line and len(line.split(": ")) > 1 for line in out.splitlines()), name
    assert train(3) == 0
    manifest = json.loads(Path("run/manifest.json").read_text())
    assert manifest["num_images"] == 40
    assert {name for name, reason in manifest["rejected"] if reason} == set(bad)
    steps = [json.loads(line)["step"] for line in Path("run/log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3]
    capsys.readouterr()
    assert main([*prepare, "--strict"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "12 of 52 items cannot be used, which --strict refuses; the first: cut-10.jpeg" in line


def make_missing() -> None:
    pass


def make_empty() -> None:
    Path("photos").mkdir()


def make_texts() -> None:
    Path("photos").mkdir()
    Path("photos/a.txt").touch()


def make_file() -> None:
    Path("photos").write_bytes(encode(noise(0), "PNG"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_missing, "there is no folder at"),
        (make_empty, "the folder is empty"),
        (make_texts, "no image among 1 files (1 .txt); images end in .bmp"),
        (make_file, "is a file"),
    ],
)
@pytest.mark.parametrize("verb", ["train", "data"])
def test_what_is_no_folder_of_images_is_one_line_and_exit_code_2(
    verb: str, make: Callable[[], None], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make()
    words = ["data", "prepare", "folder:photos"] if verb == "data" else None
    code = train(1, "--data.mirror", "true") if words is None else main(words)
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ssgan: ")
    assert said in line
    assert not Path("run").exists()


@needs_root
def test_a_folder_that_may_not_be_read_is_one_line(open_path: Path) -> None:  # noqa: F811
    write_images(open_path / "closed", range(1))
    (open_path / "closed").chmod(0o700)
    text = without_rights(lambda: Folder(str(open_path / "closed")).open() and None)
    assert text.startswith(f"folder:{open_path}/closed: the folder cannot be read (permission")
    assert "\n" not in text


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_fewer_images_than_a_batch_are_repeated_and_that_is_said_or_it_is_refused(
    count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(Path("photos"), range(count))
    code = train(3)
    told = capsys.readouterr()
    if count == 1:
        assert code in (0, 2)
    else:
        assert code == 0
    if code == 2:
        assert len(told.err.splitlines()) == 1
        return
    said = " ".join((told.out + told.err).split())
    assert f"{count} images are fewer than batch_size 8: batches repeat images" in said
    rows = [json.loads(line) for line in Path("run/log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3]
    numbers = [value for row in rows for value in row.values() if isinstance(value, int | float)]
    assert all(value == value and abs(value) < 1e6 for value in numbers)
