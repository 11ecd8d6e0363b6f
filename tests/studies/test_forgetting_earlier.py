"""A forgetting run of version 0.1.0, left after 4 of its 10 iterations."""

import json
import shutil
from pathlib import Path

import pytest

from ssgan.cli.main import main
from ssgan.files.run_directory import ForgettingDirectory
from ssgan.studies.forgetting.settings import read_settings
from ssgan.studies.forgetting.tables import read_forgetting_run

EARLIER = Path(__file__).parent / "earlier"
WORDS = [
    "forget", "--data", "scenes:num_images=60", "--iterations-per-task", "1", "--cycles", "1",
    "--measure-every", "1", "--width", "0.02", "--batch", "4", "--asked", "4",
    "--precision", "float32",
]  # fmt: skip
RENAMED = {"class_told": "class_recall", "rest_told": "rest_recall"}


def rows_of(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{RENAMED.get(name, name): value for name, value in row.items()} for row in rows]


@pytest.fixture
def root(tmp_path):
    return shutil.copytree(EARLIER / "forgetting", tmp_path / "run")


def test_its_settings_and_measurements_are_read_under_today_s_names(root):
    assert read_settings(ForgettingDirectory(root)).test_images == 4
    run = read_forgetting_run(root)
    assert run.settings["test_images"] == 4
    assert len(run.rows) == 9  # before the first update, then at the end of a task and a switch
    assert all(2 * row["accuracy"] == row["class_recall"] + row["rest_recall"] for row in run.rows)


def test_it_continues_to_the_log_of_the_run_that_was_not_interrupted(root):
    before = read_forgetting_run(root).settings
    assert main([*WORDS, "--out", str(root)]) == 0
    assert read_forgetting_run(root).settings == before  # old and new runs compare
    found, expected = (
        rows_of(root / "forgetting.jsonl"),
        rows_of(EARLIER / "forgetting_whole.jsonl"),
    )
    assert len(found) == len(expected) == 20
    for row, other in zip(found, expected, strict=True):
        assert row.keys() == other.keys()
        assert row == {
            name: pytest.approx(value, rel=1e-5) if isinstance(value, float) else value
            for name, value in other.items()
        }
    assert main([*WORDS, "--out", str(root)]) == 0  # its files are today's now


def test_other_settings_are_refused_by_name(root, capsys):
    assert main([*WORDS, "--seed", "1", "--out", str(root)]) == 2
    assert "other settings: seed: 0 before, 1 now" in capsys.readouterr().err
