"""`ssgan export`: what it prints, and what it refuses in one line."""

import sys
from pathlib import Path

import pytest

from ssgan.cli.main import main
from ssgan.export import programs
from ssgan.runs.model_file import load_model
from tests.evaluation.saved import save_run


@pytest.fixture
def run(tmp_path):
    return save_run(tmp_path / "run")


def export(*words: object) -> int:
    return main(["export", *map(str, words)])


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    return error[0]


def test_a_run_is_exported_beside_it_and_once(run, capsys):
    assert export(run) == 0
    path = run / "export" / "model.safetensors"
    assert load_model(path).step == 3
    size = path.stat().st_size
    assert capsys.readouterr().out == f"{path}  {size:,} bytes, difference 0.0e+00\n"
    assert export(run) == 0
    assert "step 3 was exported before" in capsys.readouterr().out
    assert export(path, "--out", run.parent / "copy") == 0  # a file is a model, too
    assert (run.parent / "copy" / "model.safetensors").read_bytes() == path.read_bytes()


def test_the_best_state_is_exported_without_d(run):
    assert export(run, "--best") == 0
    assert "discriminator" not in load_model(run / "export" / "model.safetensors").tensors


def test_a_dry_run_writes_and_reaches_nothing(run, capsys, monkeypatch):
    monkeypatch.setattr("ssgan.cli.models.export.push_folder", lambda *_, **__: 1 / 0)
    before = sorted(run.rglob("*"))
    assert export(run, "--to", "all", "--dry-run", "--push", "me/mine", "--private") == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"would write {run / 'export' / 'generator.pt2'}" in lines
    assert lines[-1] == "would upload them to me/mine, for you alone"
    assert len(lines) == 11
    assert sorted(run.rglob("*")) == before


def test_a_dry_run_refuses_and_names_what_the_export_would(run, capsys, monkeypatch):
    """A missing library, the other formats in the folder, and that nothing is to be done."""
    assert export(run) == 0
    assert export(run, "--dry-run") == 0
    assert "step 3 was exported before" in capsys.readouterr().out
    assert export(run, "--to", "pt2", "--dry-run") == 0
    names = [line.rpartition("/")[2] for line in capsys.readouterr().out.splitlines()]
    assert names == ["model.safetensors", "generator.pt2", "discriminator.pt2"]
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    assert export(run, "--to", "all", "--dry-run") == 2
    assert "pip install 'ssgan[export]'" in one_line(capsys)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to", "onxx"], "onnx"),
        (["--push", "me/mine"], "--push needs --to hub or --to all"),
        (["--to", "hub", "--push", "mine"], "mine must be OWNER/NAME"),
        (["--private"], "--private needs --push"),
        (["--license", "all mine"], "must be an identifier like apache-2.0"),
        (["--to", "onnx", "--web_runtime", "."], "--web-runtime"),
    ],
)
def test_wrong_words_are_one_line(words, message, run, capsys):
    assert export(run, *words) == 2
    assert message in one_line(capsys)
    assert not (run / "export").exists()


def test_a_place_without_a_model_is_one_line(tmp_path, capsys):
    assert export(tmp_path / "none") == 2
    assert "is not there" in one_line(capsys)
    assert export(tmp_path / "none.safetensors") == 2
    assert "none.safetensors is not there; give a run directory or a" in one_line(capsys)
    (tmp_path / "netG.pth").write_bytes(b"none")
    assert export(tmp_path / "netG.pth") == 2
    assert f"`ssgan import {tmp_path / 'netG.pth'} --out MODEL.safetensors`" in one_line(capsys)
    (tmp_path / "bad.safetensors").write_bytes(b"none")
    assert export(tmp_path / "bad.safetensors") == 2
    assert "is damaged or no .safetensors file" in one_line(capsys)


def test_without_the_extra_it_is_one_line(run, capsys, monkeypatch):
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    assert export(run, "--to", "hub") == 2
    assert "pip install 'ssgan[export]'" in one_line(capsys)
    assert not (run / "export").exists()


def test_an_upload_that_cannot_be_is_refused_before_anything_is_written(run, capsys, monkeypatch):
    words = ["--to", "hub", "--push", "me/mine"]
    monkeypatch.setenv("SSGAN_OFFLINE", "1")
    assert export(run, *words) == 2
    assert "SSGAN_OFFLINE=1 forbids uploads to me/mine" in one_line(capsys)
    monkeypatch.delenv("SSGAN_OFFLINE")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert export(run, *words) == 2
    assert "pip install 'ssgan[hub]'" in one_line(capsys)
    assert not (run / "export").exists()


def test_a_link_beside_the_run_is_refused(run, tmp_path, capsys):
    (run / "export").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert export(run) == 2
    assert "is a link" in one_line(capsys)
    assert not (tmp_path / "elsewhere").exists()


def test_only_files_of_the_record_are_uploaded(run, capsys, monkeypatch):
    calls = []

    def push(folder: Path, files: list[str], name: str, *, private: bool) -> str:
        calls.append((folder, files, name, private))
        return "the address"

    monkeypatch.setattr("ssgan.cli.models.export.push_folder", push)
    monkeypatch.setattr("ssgan.cli.models.export.FORMATS", ("safetensors",))
    out = run / "export"
    assert export(run, "--to", "all", "--push", "me/mine") == 0
    (out / "notes.txt").write_text("mine")
    assert export(run, "--to", "all", "--push", "me/mine") == 0
    assert calls == 2 * [(out, ["model.safetensors"], "me/mine", False)]
    assert "uploaded, for everybody: the address" in capsys.readouterr().out
