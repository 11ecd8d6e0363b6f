"""Files and folders that are not what a command expects: one line, before any work."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from ssgan.cli.main import main
from ssgan.files.errors import require_writable
from ssgan.files.run_directory import RunDirectory
from ssgan.types import UserError
from tests.cli.test_main import TINY

SCENES = ["--data", "scenes:num_images=40"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two steps, of which a state was kept and evaluated."""
    root = tmp_path_factory.mktemp("runs") / "run"
    often = [
        "--output.snapshot_every",
        "2",
        "--evaluate.every",
        "2",
        "--evaluate.num_images_d",
        "8",
    ]
    assert main(["train", "scenes:gan", *SCENES, "--run", str(root), *TINY, *often]) == 0
    return root


@pytest.fixture
def here(trained, tmp_path, monkeypatch):
    """A folder to work in, with the run, a file, and a folder that holds something else."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine").touch()
    return tmp_path


def one_line(capsys):
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def edit(path, change):
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def test_a_disk_too_full_for_a_folder_is_no_bad_input(here, capsys, monkeypatch):
    """Nor for an empty file: whoever starts a run again after a full disk looks for 74."""
    mkdir = Path.mkdir

    def full(path, *arguments, **named):
        if path.name == "new":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        mkdir(path, *arguments, **named)

    monkeypatch.setattr(Path, "mkdir", full)
    assert main(["train", "scenes:gan", *SCENES, "--run", "new", *TINY]) == 74
    assert one_line(capsys).startswith("ssgan: disk full: new needs more than the ")


FORGET = ["forget", "--data", "scenes:num_images=60", "--iterations-per-task", "1", "--batch", "4"]
EVALUATE = ["evaluate", "run", "--against", "scenes:num_images=40", "--features", "random"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "scenes:gan", *SCENES, "--run", "file"], "file is a file; a run needs a dir"),
        (["train", "scenes:gan", *SCENES, "--run", "other"], "other holds other files and no run"),
        (
            ["train", "scenes:gan", *SCENES, "--run", "file/run"],
            "file/run cannot be written: Not a dir",
        ),
        (["demo", "--run", "file"], "file is a file; a run needs a directory"),
        (["train", "run", "--seed", "5"], "run holds a run with other settings: seed: 0 before"),
        ([*FORGET, "--out", "file"], "file is a file; a forgetting run needs a directory"),
        ([*FORGET, "--out", "other"], "other holds other files and no forgetting run"),
        ([*FORGET, "--out", "file/x"], "file/x cannot be written: Not a directory"),
        ([*EVALUATE, "--out", "file"], "file cannot be written: Not a directory"),
        ([*EVALUATE, "--out", "file/x.jsonl"], "file cannot be written: Not a directory"),
        (
            [*EVALUATE[:2], *EVALUATE[4:], "--write-stats", "file/s.npz"],
            "file cannot be written: Not a directory",
        ),
        (
            ["study", "table1", *SCENES, "--out", "file"],
            "file cannot be written: Not a directory",
        ),
    ],
)
def test_a_place_that_cannot_be_used_is_refused_before_any_image_is_prepared(
    words, expected, here, monkeypatch, capsys
):
    def prepares(*_, **__):
        raise AssertionError("images are prepared")

    for module in ("training.inputs", "evaluation.run", "cli.progress"):
        monkeypatch.setattr(f"ssgan.{module}.prepare", prepares)
    assert main(words) == 2
    assert expected in one_line(capsys)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "scenes:gan", *SCENES, "--run", "file", *TINY], "file is a file; a run needs"),
        (["train", "scenes:gan", *SCENES, "--run", "other", *TINY], "other holds other files"),
        (["study", "table1", *SCENES, "--out", "file"], "file cannot be written: Not a directory"),
    ],
)
def test_a_dry_run_refuses_the_same_places(words, expected, here, capsys):
    assert main([*words, "--dry-run"]) == 2
    assert expected in one_line(capsys)


def test_a_folder_without_the_right_to_write_is_named(tmp_path, monkeypatch):
    require_writable(tmp_path / "new" / "run")
    monkeypatch.setattr(os, "access", lambda place, _: place != tmp_path)
    with pytest.raises(UserError, match="new/run cannot be written: Permission denied"):
        require_writable(tmp_path / "new" / "run")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "file",
            "file is a file, neither a recipe nor a run; give a file of settings with --config",
        ),
        ("other", "other is a folder and holds no run; to train on the images in it: ssgan train "),
    ],
)
def test_what_is_no_recipe_is_told_what_it_may_be_meant_for(name, expected, here, capsys):
    assert main(["train", name]) == 2
    assert expected in one_line(capsys)


def test_a_run_whose_settings_file_has_gone_is_still_a_run(here, capsys):
    (here / "run" / "config.json").unlink()
    assert main(["show", "run"]) == 0
    assert "GAN" in capsys.readouterr().out
    assert main([*EVALUATE, "--n", "8", "--seeds", "1", "--metrics", "fd"]) == 0
    assert "measured run, step 2: 8 images" in capsys.readouterr().out
    assert main(["train", "run", "--total_steps", "3"]) == 0
    assert (here / "run" / "config.json").exists()


def test_files_of_one_s_own_in_a_run_are_left_alone(here, capsys):
    layout = RunDirectory(here / "run")
    (here / "run" / "healthy").mkdir()
    mine = [layout.sample(2).with_name("step-best.png"), layout.healthy / "step-mine.ckpt"]
    for path in mine:
        path.touch()
    assert main(["show", "run"]) == 0
    assert str(layout.sample(2).relative_to(here)) in capsys.readouterr().out
    assert main(["train", "run", "--total_steps", "3"]) == 0
    assert all(path.exists() for path in mine)


def test_settings_that_are_no_run_s_are_refused(here, capsys):
    edit(here / "run" / "config.json", lambda _: {"kind": "ssgan.losses:Hinge"})
    for verb in ("show", "train"):
        assert main([verb, "run"]) == 2
        assert "run/config.json holds a Hinge, not a run's settings" in one_line(capsys)


def test_a_kept_state_among_the_checkpoints_is_no_state_to_continue_from(here, capsys):
    layout = RunDirectory(here / "run")
    shutil.copy(layout.snapshot(2), layout.checkpoint(2))
    assert main(["train", "run", "--total_steps", "3"]) == 2
    assert "step-00000002.ckpt holds no generator: no run can continue from a snapshot" in one_line(
        capsys
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda row: {**row, "name": 5}, "name must be str, not 5"),
        (lambda row: {**row, "against": None}, "against must be str, not none"),
        (lambda row: {**row, "within": "x"}, "within must be float or none, not 'x'"),
        (lambda row: {**row, "values": [1, None]}, "values must be "),
        (lambda row: {**row, "protocol": []}, "protocol is list"),
        (
            lambda row: {**row, "protocol": {**row["protocol"], "num_real": "x"}},
            "num_real must be int or none, not 'x'",
        ),
        (
            lambda row: {**row, "protocol": {**row["protocol"], "content": 5}},
            "content must be str or none, not 5",
        ),
    ],
)
def test_a_result_that_was_edited_by_hand_is_named(change, expected, here, capsys):
    words = [*EVALUATE, "--n", "8", "--seeds", "1", "--metrics", "fd", "--out", "r.jsonl"]
    assert main(words) == 0
    assert main(["evaluate", "--compare", "r.jsonl"]) == 0
    edit(here / "r.jsonl", change)
    capsys.readouterr()
    assert main(["evaluate", "--compare", "r.jsonl"]) == 2
    assert "r.jsonl, line 1, is no result of ssgan evaluate (" in (error := one_line(capsys))
    assert expected in error
