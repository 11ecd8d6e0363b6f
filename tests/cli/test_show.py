"""`ssgan show`: one run as a table of its log, and several runs side by side."""

import csv
import json
from dataclasses import replace

import pytest
from PIL import Image

from ssgan.cli.main import main
from ssgan.config.serialize import dump
from ssgan.evaluation.results import Result, write_results
from ssgan.files.atomic import write_json
from ssgan.files.run_directory import RunDirectory
from ssgan.metrics.protocol import Protocol
from tests.training.tiny import tiny

PROTOCOL = Protocol(
    features="random",
    features_identity="ab" * 32,
    resize="none",
    num_real=20,
    num_fake=20,
    split="test",
    selection="all",
    dtype="float32",
)


def pretend_run(root, name="ssgan", num_fake=16, images="aa" * 32, fd=2.5, **changes):
    """A run directory with settings, a log and two evaluations, and no checkpoint."""
    layout = RunDirectory(root)
    layout.root.mkdir(parents=True)
    write_json(layout.config, dump(tiny(name, **changes)))
    write_json(layout.manifest, {"content_hash": images, "num_images": 20})
    rows = [
        {"step": step, "images_seen": 8 * step, "seconds": 1.0 * step, "D/adversarial": 1.5,
         **({"D/rotation": 1.25} if name == "ssgan" else {})}
        for step in (1, 2)
    ]  # fmt: skip
    layout.log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    protocol = {"split": "train", "num_real": 16, "num_fake": num_fake}
    rows = [
        {"step": step, "name": metric, "value": fd + step, **protocol}
        for step in (2, 3)
        for metric in ("FD-random", 'logit, "odd"')
    ]
    rows.append({"step": 3, "name": "logit", "value": None, "split": "generated"})
    layout.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


def store_result(root, value, **changes):
    """A result of `ssgan evaluate` in a run directory."""
    protocol = replace(PROTOCOL, **changes)
    result = Result(
        name="FD-random", subject="run, step 3", subject_content="x", against="cifar10-test",
        values=(value,), protocol=protocol,
    )  # fmt: skip
    folder = root / "evaluation" / f"step-{protocol.num_fake}"
    write_results(folder / "results.jsonl", [result])


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pretend_run(tmp_path / "a")
    pretend_run(tmp_path / "b", "gan", seed=3, fd=1.5)
    return tmp_path


def shown(capsys, *words):
    assert main(["show", *words]) == 0
    return capsys.readouterr().out


def test_the_table_holds_the_settings_that_differ_and_no_other(places, capsys):
    head, *rows = shown(capsys, "a", "b").partition("\n\n")[0].splitlines()
    cells = {row.split()[0]: row.split()[1:] for row in rows}
    assert head.split() == ["setting", "a", "b"]
    assert cells == {
        "method": ["SSGAN", "GAN"],
        "method.rotated_fraction": ["0.25", "-"],
        "method.adversarial": ["Hinge", "NonSaturating"],
        "method.alpha": ["0.2", "-"],
        "method.beta": ["1.0", "-"],
        "discriminator_updates": ["1", "2"],
        "seed": ["0", "3"],
    }


def test_three_runs_have_three_columns_and_equal_names_become_paths(places, capsys):
    pretend_run(places / "deep" / "a", seed=4)
    head = shown(capsys, "a", "b", "deep/a").splitlines()[0]
    assert head.split() == ["setting", "a", "b", "deep/a"]


def test_runs_of_equal_settings_say_so(places, capsys):
    assert shown(capsys, "a", "a").startswith("no setting differs\n")


def test_final_scores_of_one_protocol_are_side_by_side(places, capsys):
    rows = [line.split() for line in shown(capsys, "a", "b").splitlines()]
    assert ["FD-random", "5.500", "at", "3", "4.500", "at", "3"] in rows


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_fake": 99}, "a and c differ in num_fake (16 against 99)"),
        (
            {"images": "cc" * 32},
            "a and c differ in real images (aaaaaaaaaaaa against cccccccccccc)",
        ),
    ],
)
def test_final_scores_of_other_protocols_are_not_side_by_side(places, capsys, changes, words):
    pretend_run(places / "c", **changes)
    lines = shown(capsys, "a", "c").splitlines()
    assert f"FD-random is not side by side: {words}" in lines
    assert not [line for line in lines if "5.500" in line]


def test_results_of_evaluate_are_side_by_side_where_their_protocol_is_the_same(places, capsys):
    for run, value in (("a", 7.25), ("b", 8.5)):
        store_result(places / run, value)
    store_result(places / "b", 1.125, num_fake=30)
    lines = shown(capsys, "a", "b").splitlines()
    (row,) = [line for line in lines if line.startswith("FD-random, 20 against cifar10-test")]
    assert row.split()[-6:] == ["7.250", "at", "3", "8.500", "at", "3"]
    assert lines[-1].startswith("not side by side: 1 of the results of ssgan evaluate")
    assert "1.125" not in "".join(lines)


def test_curves_of_several_runs_are_in_one_picture(places, capsys):
    shown(capsys, "a", "b", "--curves", "both.png")
    with Image.open("both.png") as picture:
        assert picture.width > 300
    shown(capsys, "a", "b", "--curves", "both.svg")
    text = (places / "both.svg").read_text()
    assert "<!-- a, D -->" in text
    assert "<!-- b, D -->" in text


def test_the_log_is_a_table_with_the_evaluations_and_every_row_has_all_columns(places, capsys):
    rows = list(csv.DictReader(shown(capsys, "a", "--csv").splitlines()))
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    assert set(rows[0]) == {
        *("step", "images_seen", "seconds", "D/adversarial", "D/rotation"),
        *("FD-random", 'logit, "odd"', "logit/generated"),
    }
    assert (rows[0]["D/rotation"], rows[0]["FD-random"]) == ("1.25", "")
    assert (rows[1]["D/rotation"], rows[1]["FD-random"]) == ("1.25", "4.5")
    assert (rows[2]["D/rotation"], rows[2]['logit, "odd"']) == ("", "5.5")
    assert rows[2]["logit/generated"] == ""


def test_the_table_is_printed_or_written_wherever_the_option_stands(places, capsys):
    printed = shown(capsys, "--csv", "a")
    shown(capsys, "a", "--csv", "new/log.csv")
    assert (places / "new" / "log.csv").read_text() == printed
    assert printed == shown(capsys, "a", "--csv", "--trust", "ssgan")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["a", "b", "--csv"], "--csv takes one RUN and a FILE.csv, not a, b"),
        (["a", "b", "--settings"], "--settings takes one RUN, not a, b"),
        (["a", "--csv=log.txt"], "--csv log.txt: the name must end in .csv"),
        (["a", "absent"], "absent is not a run directory"),
        (["a", "empty", "--csv", "x.csv"], "--csv takes one RUN and a FILE.csv, not a, empty"),
        (["a", "--csv", "log.txt"], "--csv takes one RUN and a FILE.csv, not a, log.txt"),
        (["empty", "--csv"], "empty has no log yet"),
        ([], "show needs RUN...: run directories"),
    ],
)
def test_words_that_do_not_fit_get_one_line(places, capsys, words, error):
    (places / "empty").mkdir()
    write_json(places / "empty" / "config.json", dump(tiny()))
    assert main(["show", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert error in line
