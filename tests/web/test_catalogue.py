"""The runs of a page: ids that stay, rows that follow the files, folders that cannot be read."""

import os

import pytest

from ssgan.config.serialize import dump
from ssgan.files.atomic import write_json
from ssgan.files.run_directory import RunDirectory
from ssgan.web import catalogue
from ssgan.web.catalogue import RunCatalogue, UnknownId
from tests.training.tiny import tiny
from tests.web.pages import write_logs


def write_run(root):
    root.mkdir(parents=True)
    write_json(RunDirectory(root).config, dump(tiny()))
    write_logs(root)


def test_a_row_is_read_again_only_when_its_files_change(tmp_path, monkeypatch):
    for name in ("a", "b"):
        write_run(tmp_path / name)
    runs = RunCatalogue(tmp_path)
    before = {row["name"]: row for row in runs.refresh()}
    read = []
    original = catalogue.read_summary
    monkeypatch.setattr(catalogue, "read_summary", lambda path: read.append(path) or original(path))
    write_logs(tmp_path / "a", steps=5)
    after = {row["name"]: row for row in runs.refresh()}
    assert read == [tmp_path / "a"]
    assert after["b"] == before["b"]
    assert (before["a"]["step"], after["a"]["step"]) == (4, 5)
    assert after["a"]["id"] == before["a"]["id"]


def test_an_id_is_known_while_the_run_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "_SEARCH_SECONDS", 0)
    write_run(tmp_path / "a")
    runs = RunCatalogue(tmp_path)
    (row,) = runs.refresh()
    assert runs.find(row["id"]).root == tmp_path / "a"
    assert RunCatalogue(tmp_path).refresh()[0]["id"] == row["id"]
    os.rename(tmp_path / "a", tmp_path / "b")
    assert runs.refresh()[0]["name"] == "b"
    with pytest.raises(UnknownId):
        runs.find(row["id"])


def test_a_run_that_cannot_be_read_has_a_row_with_the_reason(tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    (tmp_path / "notes").mkdir()
    write_run(tmp_path / "odd")
    RunDirectory(tmp_path / "odd").events.write_text('{"step": 1, "verdict": 5}\n' + "[" * 100_000)
    write_run(tmp_path / "study" / "good")
    runs = RunCatalogue(tmp_path)
    rows = {row["name"]: row for row in runs.refresh()}
    assert set(rows) == {"broken", "odd", "study/good"}
    assert rows["odd"]["error"]
    assert rows["broken"]["error"]
    assert "\n" not in rows["broken"]["error"]
    assert rows["study/good"].keys() == rows["broken"].keys()
    assert runs.describe_others() == [f"{tmp_path / 'notes'} (holds no run)"]


def test_a_folder_that_is_not_there_yet_has_no_runs(tmp_path):
    assert RunCatalogue(tmp_path / "runs").refresh() == []
