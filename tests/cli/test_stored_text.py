"""Texts that JSON and TOML can spell and no file name can hold are refused in one line."""

import json
from pathlib import Path

import pytest

from ssgan.cli.main import main
from ssgan.config.text import is_storable

SOURCES = {"Folder": "path", "Archive": "path", "Npz": "path", "Cifar10": "path", "Hub": "id"}


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "a\udfff.zip"])
@pytest.mark.parametrize("kind", SOURCES)
def test_a_text_that_names_no_file_is_one_line_in_every_source(
    kind: str,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"data": {"source": {"kind": kind, SOURCES[kind]: text}}}))
    assert main(["train", "scenes:ssgan", "--config", str(file), "--dry-run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert line.startswith(f"ssgan: data.source.{SOURCES[kind]} must be text that a file name can")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("words", [["sample", "\0"], ["show", "a\ud800"], ["train", "--run", "\0"]])
def test_a_word_that_names_no_file_is_one_line(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ssgan: a word holds a zero byte or half a character")


def test_what_can_be_stored_is_what_a_file_can_be_called() -> None:
    assert all(is_storable(text) for text in ("", "é", "\N{HIRAGANA LETTER A}", "\udcff", "a\n"))
    assert not any(is_storable(text) for text in ("\0", "a\0", "\ud800", "\udfff"))
