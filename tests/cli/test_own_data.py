"""Commands that write into the folder of their images, which stays the same data."""

import json
from pathlib import Path

import pytest

from ssgan.cli.main import main
from tests.data.pictures import noise, write_images
from tests.evaluation.saved import save_run

TINY = [
    "--method", "GAN", "--generator.width", "0.03", "--discriminator.width", "0.06",
    "--batch_size", "8", "--output.log_every", "1", "--output.sample_every", "1",
    "--output.sample_rows", "2", "--output.tensorboard", "false", "--evaluate.every", "0",
]  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder of the images, which is the current one; the cache is elsewhere."""
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path / "photos")
    return tmp_path / "photos"


def train(*words: str) -> int:
    return main(["train", "--data", ".", *TINY, *words])


def contents() -> list[tuple[int, str]]:
    manifests = [json.loads(path.read_bytes()) for path in Path("runs").glob("*/manifest.json")]
    return [(one["num_images"], one["content_hash"]) for one in manifests]


def test_a_run_within_its_images_continues_and_the_next_one_has_the_same_images(here, capsys):
    write_images(here, range(20))
    assert train("--total_steps", "2") == 0
    assert train("--total_steps", "3") == 0  # continued
    printed = capsys.readouterr()
    assert "continuing from step 2" in printed.out + printed.err
    assert train("--total_steps", "2", "--seed", "1") == 0
    printed = capsys.readouterr()
    words = " ".join((printed.out + printed.err).split())
    assert words.count("is output of ssgan and passed over") == 1
    assert len(contents()) == 2
    assert len(set(contents())) == 1
    assert contents()[0][0] == 20


def test_a_run_among_class_folders_is_no_class(here):
    for number, name in enumerate(("cats", "dogs")):
        write_images(here / name, range(10 * number, 10 * number + 10))
    assert train("--total_steps", "1") == 0
    assert train("--total_steps", "1", "--seed", "1") == 0
    manifests = [json.loads(path.read_bytes()) for path in Path("runs").glob("*/manifest.json")]
    assert [one["classes"] for one in manifests] == [["cats", "dogs"]] * 2
    assert len(set(contents())) == 1


def test_an_evaluation_within_its_images_measures_the_same_again(here, tmp_path, capsys):
    write_images(here, range(12))
    write_images(tmp_path / "real", range(20, 32))
    words = ["evaluate", ".", "--against", str(tmp_path / "real"), "--features", "random"]
    seen = []
    for out in ([], [], ["--out", "."], ["--out", "mine.jsonl"], []):
        assert main([*words, "--metrics", "fd,authenticity", *out]) == 0
        printed = capsys.readouterr().out
        seen.append(
            [line for line in printed.splitlines() if "FD-random" in line or "12 im" in line]
        )
    assert seen[0]
    assert seen == seen[:1] * 5
    assert printed.count("outputs of ssgan are passed over") == 1


def test_a_picture_of_the_user_is_not_replaced_by_that_of_nearest_images(here, tmp_path, capsys):
    write_images(here, range(8))
    noise(50).save(here / "neighbours.png")
    before = (here / "neighbours.png").read_bytes()
    words = ["evaluate", ".", "--against", ".", "--features", "random", "--out", "."]
    assert main(words) == 2
    assert "neighbours.png is not output of ssgan: move it" in capsys.readouterr().err
    assert (here / "neighbours.png").read_bytes() == before
    assert not (here / "results.jsonl").exists()


def test_every_command_on_a_folder_says_what_it_passes_over(here, tmp_path, capsys):
    for number, name in enumerate(("cats", "dogs")):
        write_images(here / name, range(10 * number, 10 * number + 10))
    save_run(here / "runs" / "one")
    for words in (
        ["data", "prepare", ".", "--size", "32"],
        ["probe", "runs/one", "--data", ".", "--fractions", "1", "--pooling", "mean"],
        ["features", "runs/one", "--data", ".", "--out", str(tmp_path / "features.npz")],
        ["evaluate", "runs/one", "--against", ".", "--features", "random", "--n", "8"],
    ):
        assert main(words) == 0, words
        printed = capsys.readouterr()
        said = (printed.out + printed.err).count("runs/one/ is output of ssgan and passed over")
        assert said == 1, words
