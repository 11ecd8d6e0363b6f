"""Logs and tables that somebody has edited by hand: one line names the file and the place."""

import json
import shutil

import pytest

from ssgan.cli.main import main
from tests.cli.test_forget import TINY as STUDY
from tests.cli.test_main import TINY as RUN

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with evaluations, and a study of forgetting."""
    root = tmp_path_factory.mktemp("made")
    often = ["--evaluate.every", "1", "--evaluate.num_images_d", "8"]
    words = ["train", "scenes:gan", "--data", "scenes:num_images=40", *RUN, *often]
    assert main([*words, "--run", str(root / "run")]) == 0
    (root / "run" / "events.jsonl").write_text('{"step": 1, "verdict": "healthy"}\n')
    assert main(["forget", *STUDY, "--out", str(root / "study")]) == 0
    return root


@pytest.fixture
def places(made, tmp_path):
    shutil.copytree(made, tmp_path / "made")
    return tmp_path / "made"


def edit(path, number, change):
    """Apply `change` to the row in a line, counted from 1; negative: from the end."""
    lines = path.read_text().splitlines()
    number = number - 1 if number > 0 else number
    lines[number] = json.dumps(change(json.loads(lines[number])))
    path.write_text("\n".join(lines) + "\n")


def one_line(capsys):
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def without(name):
    return lambda row: {key: value for key, value in row.items() if key != name}


def with_value(name, value):
    return lambda row: {**row, name: value}


@pytest.mark.parametrize(
    ("file", "change", "complaint"),
    [
        ("log.jsonl", without("step"), "it has no 'step'"),
        ("log.jsonl", without("seconds"), "it has no 'seconds'"),
        ("log.jsonl", without("images_seen"), "it has no 'images_seen'"),
        ("log.jsonl", with_value("step", "two"), 'step must be a whole number, 0 or more, not "t'),
        ("log.jsonl", with_value("seconds", [1]), "seconds must be a number below 1e100, not [1]"),
        (
            "log.jsonl",
            with_value("D/adversarial", "low"),
            "D/adversarial must be a number below 1e100",
        ),
        ("log.jsonl", lambda row: list(row), "it must be an object, not ["),
        (
            "log.jsonl",
            with_value("D/adversarial", 1e308),
            "D/adversarial must be a number below 1e",
        ),
        ("metrics.jsonl", without("name"), "it has no 'name'"),
        ("metrics.jsonl", with_value("value", "0.5"), "value must be a number below 1e100 or null"),
        ("metrics.jsonl", with_value("step", 1.5), "step must be a whole number"),
        ("events.jsonl", without("verdict"), "it has no 'verdict'"),
    ],
)
def test_show_names_the_line_of_a_log(file, change, complaint, places, tmp_path, capsys):
    edit(places / "run" / file, 1, change)
    words = ["show", str(places / "run"), "--curves", str(tmp_path / "x.png")]
    assert main(words) == 2
    assert f"{places / 'run' / file}, line 1: {complaint}" in one_line(capsys)


def test_an_accuracy_that_is_none_and_no_images_at_all_are_no_fault_of_the_watch(places):
    path = places / "run" / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    odd = [
        {**row, "step": step, "value": 9e99 * (-1) ** step, "num_images": 0}
        for step in range(1, 9)
        for row in rows
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in odd))
    assert main(["show", str(places / "run")]) == 0


def test_a_run_does_not_continue_from_a_log_that_was_edited(places, capsys):
    edit(places / "run" / "log.jsonl", -1, with_value("seconds", "long"))
    assert main(["train", str(places / "run"), "--total_steps", "3"]) == 2
    error = capsys.readouterr().err
    assert "log.jsonl, line 2: seconds must be a number below 1e100" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("change", [without("num_images"), with_value("content_hash", 5)])
def test_show_says_when_the_manifest_is_not_what_was_written(change, places, capsys):
    path = places / "run" / "manifest.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    assert main(["show", str(places / "run")]) == 2
    assert f"{path} lacks num_images or content_hash" in one_line(capsys)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (without("accuracy"), "it has no 'accuracy'"),
        (with_value("accuracy", "high"), 'accuracy must be a number from 0 to 1, not "high"'),
        (with_value("accuracy", 1e308), "accuracy must be a number from 0 to 1, not 1e+308"),
        (with_value("after_switch", 1), "after_switch must be true or false, not 1"),
        (with_value("cycle", None), "cycle must be a whole number, 0 or more, not null"),
        (lambda row: [row], "it must be an object, not ["),
    ],
)
def test_draw_names_the_line_of_a_measurement(change, complaint, places, tmp_path, capsys):
    log = places / "study" / "forgetting.jsonl"
    edit(log, 2, change)
    words = ["forget", "--draw", str(places / "study"), "--out", str(tmp_path / "x.png")]
    assert main(words) == 2
    assert f"{log}, line 2: {complaint}" in one_line(capsys)


def test_a_study_whose_log_has_gone_says_what_to_remove(places, capsys):
    (places / "study" / "forgetting.jsonl").unlink()
    words = ["forget", *STUDY, "--out", str(places / "study")]
    assert main(words) == 2
    assert "forgetting.ckpt is further: remove that fi" in capsys.readouterr().err
    (places / "study" / "forgetting.ckpt").unlink()
    assert main(words) == 0


@pytest.mark.parametrize("removed", [1, 2, 5])
def test_draw_leaves_out_what_removed_lines_would_tell(removed, places, tmp_path, capsys):
    log = places / "study" / "forgetting.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(line for number, line in enumerate(lines) if number != removed))
    words = ["forget", "--draw", str(places / "study"), "--out", str(tmp_path / "x.png")]
    assert main(words) == 0
    figures = capsys.readouterr().out
    assert "-" in [line.split()[-1] for line in figures.splitlines() if line]


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: {**facts, "classes": "ab"},
        lambda facts: {**facts, "settings": {**facts["settings"], "cycles": 0}},
        lambda facts: {**facts, "settings": {**facts["settings"], "rotation": "much"}},
        lambda facts: {**facts, "settings": {**facts["settings"], "seed": [1]}},
        lambda facts: {**facts, "settings": []},
    ],
)
def test_draw_says_when_the_settings_are_not_what_was_written(change, places, capsys):
    path = places / "study" / "forgetting.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    assert main(["forget", "--draw", str(places / "study")]) == 2
    assert f"{path} is not what ssgan forget wrote" in one_line(capsys)
