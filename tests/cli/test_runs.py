"""`ssgan runs`: every run below a folder, from its small files alone."""

import json
import os

import pytest

from ssgan.cli.main import main
from ssgan.config.serialize import dump
from ssgan.files.atomic import write_json
from ssgan.files.locks import hold_lock
from ssgan.files.run_directory import RunDirectory
from ssgan.report.listing import read_summary
from ssgan.runs import checkpoint
from ssgan.training.monitor import monitor_directory
from ssgan.training.run import run
from tests.training.tiny import evaluating, images, tiny


def pretend_run(root, step=4, changed=1_000_000, name="ssgan"):
    """A run directory without a whole checkpoint, last written at a time."""
    layout = RunDirectory(root)
    layout.checkpoints.mkdir(parents=True)
    layout.checkpoint(step).write_bytes(b"no checkpoint at all")
    write_json(layout.config, dump(tiny(name)))
    layout.log.write_text(f'{{"step": 1}}\n{{"step": {step}}}\n')
    layout.metrics.write_text(
        '{"step": 2, "name": "FD-random", "value": 3.5}\n'
        '{"step": 3, "name": "FD-random", "value": 2.25}\n'
        '{"step": 3, "name": "diversity", "value": 0.5}\n'
        '{"step": 4, "name": "FD-random", "value": null}\n'
    )
    layout.events.write_text(
        '{"step": 2, "verdict": "healthy"}\n'
        '{"step": 4, "verdict": "forgetting", "alarm": "forgetting"}\n'
        '{"step": 4, "verdict": "diverged", "alarm": "rolled back"}\n'
    )
    for path in (layout.config, layout.log, layout.metrics):
        os.utime(path, (changed, changed))
    return layout


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three runs, one of them in a study and one finished, and three folders without."""
    monkeypatch.chdir(tmp_path)
    pretend_run(tmp_path / "runs" / "old", changed=1_000_000)
    pretend_run(tmp_path / "runs" / "new", changed=3_000_000, step=6, name="gan")
    pretend_run(tmp_path / "runs" / "study" / "laptop" / "gan", changed=2_000_000)
    (tmp_path / "runs" / "notes" / "of-mine").mkdir(parents=True)
    for name, text in (("broken", "{"), ("foreign", '{"kind": "other"}')):
        (tmp_path / "runs" / name).mkdir()
        (tmp_path / "runs" / name / "config.json").write_text(text)
    return tmp_path / "runs"


def listed(capsys, *words):
    assert main(["runs", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_run_is_listed_newest_first_and_folders_without_a_run_come_last(folder, capsys):
    assert main(["runs"]) == 0
    head, *rows, last = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["run", "method", "data", "step"]
    assert [row.split()[0] for row in rows] == ["new", "study/laptop/gan", "old"]
    assert rows[2].split()[1:6] == ["SSGAN", "Scenes", "4/6", "forgetting", "FD-random"]
    assert rows[2].endswith("ssgan train runs/old")
    assert rows[0].endswith("  finished")
    assert last.startswith("not listed: ")
    for name in ("notes (holds no run)", "broken (", "foreign (its config.json is not that of a"):
        assert f"runs/{name}" in last
    assert "study (" not in last


def test_json_holds_the_same_with_numbers(folder, capsys):
    found = listed(capsys, str(folder))
    old = found["runs"][2]
    assert (old["step"], old["total_steps"], old["finished"]) == (4, 6, False)
    assert old["best"] == {"metric": "FD-random", "value": 2.25, "step": 3}
    assert old["health"] == "forgetting"
    assert old["continue"] == f"ssgan train {folder / 'old'}"
    assert len(found["not_listed"]) == 3


def test_a_run_that_a_process_trains_now_is_marked_and_one_that_was_killed_is_not(folder, capsys):
    lock = RunDirectory(folder / "old").lock
    with hold_lock(lock):
        owner = lock.with_name(".lock.owner").read_text()
        run_now = listed(capsys)["runs"][2]
        assert run_now["process"].startswith(f"process {os.getpid()} on ")
        assert run_now["continue"] is None
    lock.with_name(".lock.owner").write_text(owner)  # as kill -9 leaves it
    assert listed(capsys)["runs"][2]["process"] is None


def test_no_checkpoint_is_read(folder, monkeypatch, capsys):
    monkeypatch.setattr(checkpoint, "load_checkpoint", lambda *_: pytest.fail("it was read"))
    assert len(listed(capsys)["runs"]) == 3


def test_a_run_behind_a_link_is_listed_and_a_loop_of_links_ends(folder, capsys):
    (folder / "linked").symlink_to(folder / "old")
    (folder / "study" / "loop").symlink_to(folder)
    names = sorted(one["name"] for one in listed(capsys)["runs"])
    assert names == ["gan", "linked", "new", "old"]


def test_a_folder_without_runs_says_how_to_begin_and_one_that_is_missing_is_an_error(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(["runs"]) == 0
    assert "ssgan demo" in capsys.readouterr().out
    assert main(["runs", "absent"]) == 2
    assert "absent is no folder: give the folder that holds" in capsys.readouterr().err


@pytest.mark.slow
def test_the_health_that_is_listed_is_the_verdict_of_the_monitor(tmp_path):
    config = evaluating(tiny(total_steps=4), every=1)
    states = []
    for report in run(config, tmp_path / "run", images()):
        monitor = monitor_directory(RunDirectory(tmp_path / "run"), config)
        states.append(report.verdict.state)
        assert read_summary(tmp_path / "run").health == monitor.verdict.state == states[-1]
    assert len(set(states)) > 1


def test_a_long_search_says_how_many_folders_it_has_seen(folder, monkeypatch, capsys):
    monkeypatch.setattr("ssgan.cli.runs.listing._LINE_SECONDS", -1.0)
    assert main(["runs", str(folder)]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"searching {folder}: 1 folders so far"
    assert len(lines) == 5  # itself, notes, notes/of-mine, study, study/laptop
