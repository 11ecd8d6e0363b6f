"""A dry run refuses what a run refuses, and neither writes nor downloads."""

import pytest

from ssgan.cli.main import main
from ssgan.data import cifar10, folder
from ssgan.data.base import HeaderStats
from ssgan.data.scan import scan
from tests.cli.test_main import TINY
from tests.data.pictures import write_images

SNDCGAN = ["--generator", "SNDCGANGenerator", "--discriminator", "SNDCGANDiscriminator"]
SCENES = ["train", "scenes:ssgan", "--data", "scenes:num_images=40", *TINY]


def test_a_gradient_penalty_is_planned(capsys):
    assert main([*SCENES, "--method.penalty", "WGANGP", "--dry-run"]) == 0
    assert "D reads 74 images" in capsys.readouterr().out  # 16 more than without


REFUSED = [
    ["--method", "ConditionalGAN", "--generator.norm", "BatchNorm"],
    ["--method", "GAN", "--generator.norm", "ConditionalBatchNorm"],
    ["--data.image_size", "33"],
    ["--device", "abacus"],
    ["--device", "meta"],
    [*SNDCGAN, "--method", "GAN", "--accumulation", "8"],
    ["--evaluate.every", "1", "--data.source.num_images", "1"],
]


@pytest.mark.parametrize("words", REFUSED, ids=lambda words: " ".join(words)[:40])
def test_what_a_run_refuses_a_dry_run_refuses_in_the_same_words(
    words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    said = []
    for ending in ([], ["--dry-run"]):
        assert main([*SCENES, *words, *ending]) == 2
        said.append(capsys.readouterr().err)
    assert said[0] == said[1] != ""
    assert list(tmp_path.iterdir()) == []


def test_what_a_used_directory_refuses_a_dry_run_refuses(tmp_path, capsys):
    at = SCENES.index("--total_steps")
    command = [*SCENES[:at], *SCENES[at + 2 :], "--run", str(tmp_path), "--evaluate.every", "0"]
    assert main([*command, "--total_steps", "2"]) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert main([*command, "--total_steps", "2", "--dry-run"]) == 0
    capsys.readouterr()
    for change, words in (
        (["--total_steps", "2", "--seed", "5"], "seed: 0 before, 5 now"),
        (["--total_steps", "1"], "is already at step 2, beyond total_steps 1"),
    ):
        said = []
        for ending in ([], ["--dry-run"]):
            assert main([*command, *change, *ending]) == 2
            said.append(capsys.readouterr().err)
        assert said[0] == said[1]
        assert words in said[0]
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("words", [["cifar10:ssgan"], ["--data", "cifar10"]], ids=" ".join)
def test_nothing_is_downloaded_and_the_published_counts_are_named(
    words, tmp_path, monkeypatch, capsys
):
    def refuse(*_, **__):
        raise AssertionError("a download")

    monkeypatch.setattr(cifar10, "fetch", refuse)
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    assert main(["train", *words, *TINY, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert (
        f"download       170 MB from {cifar10.URL}; with its published number of images" in printed
    )
    assert "images 154 MB (50,000)" in printed
    assert main(["train", *words, "--help"]) == 0
    assert list(tmp_path.iterdir()) == []


def test_of_the_hub_nothing_is_known_before_a_download(capsys):
    assert main(["train", "--data", "hub:some/thing", "--dry-run"]) == 2
    error = capsys.readouterr().err
    assert "hub:some/thing: its size is unknown before the download" in error
    assert len(error.strip().splitlines()) == 1


def test_without_the_archive_the_outline_is_the_published_one(tmp_path, monkeypatch):
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path))
    for split, count in (("train", 50_000), ("test", 10_000)):
        info = cifar10.Cifar10(split=split).info()
        assert info.header_stats == HeaderStats(count, 32, grey=False)
        assert len(info.classes) == 10
        assert info.download


def test_a_folder_is_listed_once(tmp_path, monkeypatch):
    write_images(tmp_path / "photos", range(40))
    opened = []
    monkeypatch.setattr(folder, "scan", lambda root: opened.append(root) or scan(root))
    words = ["train", "scenes:ssgan", "--data", str(tmp_path / "photos"), *TINY]
    assert main([*words, "--dry-run"]) == 0
    assert len(opened) == 1
