"""A sampling by several processes is that of one, file by file."""

import hashlib
from pathlib import Path

import pytest

from ssgan.cli.images import sample
from ssgan.cli.main import main
from tests.evaluation.saved import save_run
from tests.training import ranks
from tests.training.ranks import together

SIZE = 4  # images at once, here


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "run", "conditional")


def files_in(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".txt")
    found = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    return {str(path.relative_to(folder)): digest for path, digest in found.items()}


def sample_into(run: Path, *words: str):
    """Sample 10 images with all that can be written, and print which files this rank wrote."""

    def case(folder: Path) -> None:
        save, sample.BATCH = sample.save_png, SIZE
        sample._MOST_ON_SHEET = 6

        def noted(path, picture, *mark):
            print("wrote", path.name)
            save(path, picture, *mark)

        sample.save_png = noted
        out, arrays = str(folder / "out"), str(folder / "all.npz")
        given = ["sample", str(run), "--out", out, "--npz", arrays, "--gif", *words]
        assert main([*given, "--device", "cpu"]) == 0

    return case


@pytest.mark.parametrize("words", [("--n", "10"), ("--seeds", "3-6")])
def test_processes_share_the_images_and_write_the_files_of_one(words, run, tmp_path, monkeypatch):
    monkeypatch.setitem(ranks.ALL, "sample", sample_into(run, *words))
    said = {}
    for count in (1, 2):
        folder = tmp_path / f"by-{count}"
        folder.mkdir()
        found = together("sample", folder, count)
        assert [code for code, _ in found] == [0] * count, found
        said[count] = [printed for _, printed in found]
    assert files_in(tmp_path / "by-2") == files_in(tmp_path / "by-1")
    assert len(list((tmp_path / "by-2/out/images").iterdir())) == (10 if "--n" in words else 4)
    second = ["4", "5", "6", "7"] if "--n" in words else ["1", "3"]
    ours = [line for line in said[2][1].splitlines() if line.startswith("wrote")]
    assert ours == [f"wrote image-0000{number}.png" for number in second]


def test_what_no_process_could_sample_is_one_line_of_their_parent(run, monkeypatch, capsys):
    monkeypatch.setattr("ssgan.cli.launching.shared_work.run_in_processes", lambda *_: 1 / 0)
    words = ["sample", str(run), "--class", "nothing", "--processes", "2"]
    assert main([*words, "--device", "cuda:1"]) == 2
    assert "is one device for 2 processes" in capsys.readouterr().err
    assert main(["sample", str(run.parent), "--processes", "2"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
