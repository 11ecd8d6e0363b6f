"""`ssgan forget` as a user types it."""

import json
import os
import signal

import numpy as np
import pytest
from PIL import Image

from ssgan.cli import forget as verb
from ssgan.cli.main import main
from ssgan.cli.measure_options import Forget
from ssgan.cli.parser import list_fields
from tests.cli.test_main import TINY as TINY_RUN
from tests.data.pictures import write_images

pytestmark = pytest.mark.slow

TINY = [
    "--data", "scenes:num_images=60", "--iterations-per-task", "1", "--cycles", "1",
    "--measure-every", "1", "--width", "0.03", "--batch", "4", "--asked", "4",
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two directories: without the rotation loss and with it."""
    folder = tmp_path_factory.mktemp("forget")
    for name, weight in (("plain", "0"), ("turns", "1.0")):
        assert main(["forget", *TINY, "--rotation", weight, "--out", str(folder / name)]) == 0
    return folder


def one_line(capsys):
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    return error[0]


def test_a_study_and_a_run_are_not_mixed_in_one_directory(finished, tmp_path, capsys):
    small = ["--data", "scenes:num_images=40", *TINY_RUN]
    assert main(["train", "scenes:gan", *small, "--run", str(tmp_path)]) == 0
    before = sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    assert main(["forget", *TINY, "--out", str(tmp_path)]) == 2
    assert one_line(capsys).endswith(
        "holds other files and no forgetting run; give an empty directory"
    )
    assert sorted(tmp_path.rglob("*")) == before
    assert main(["train", "scenes:gan", *small, "--run", str(finished / "plain")]) == 2
    assert "holds other files and no run" in one_line(capsys)


def test_a_study_leaves_measurements_settings_and_a_picture(finished):
    lines = (finished / "turns" / "forgetting.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["step"] for row in rows] == [0, *sorted([*range(1, 11), *range(1, 10)])]
    assert len({row["class"] for row in rows}) == 10
    facts = json.loads((finished / "turns" / "forgetting.json").read_bytes())
    assert facts["settings"]["network"]["width"] == 0.03
    assert facts["settings"]["rotation"] == 1.0
    assert facts["train"]["source"] == "scenes:num_images=60"
    assert facts["test"]["source"] == "scenes:num_images=60,seed=1"
    with Image.open(finished / "plain" / "forgetting.png") as picture:
        assert picture.width > 600
    assert "torch" in json.loads((finished / "turns" / "environment.json").read_bytes())


def test_the_same_command_again_does_nothing_and_other_settings_are_refused(finished, capsys):
    words = ["forget", *TINY, "--rotation", "0", "--out", str(finished / "plain")]
    before = (finished / "plain" / "forgetting.jsonl").read_bytes()
    assert main(words) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main([*words, "--seed", "1"]) == 2
    assert "other settings: seed: 0 before, 1 now" in one_line(capsys)
    assert (finished / "plain" / "forgetting.jsonl").read_bytes() == before


def test_both_arms_are_drawn_in_one_picture(finished, tmp_path, capsys):
    roots = [str(finished / name) for name in ("plain", "turns")]
    assert main(["forget", "--draw", *roots, "--out", str(tmp_path / "both.png")]) == 0
    printed = capsys.readouterr().out
    assert "without rotation, seed 0" in printed
    assert "rotation loss x 1, seed 0" in printed
    assert (tmp_path / "both.png").stat().st_size > 1000
    assert main(["forget", "--draw", *roots]) == 0
    assert capsys.readouterr().out in printed


def test_stopped_by_a_signal_it_says_how_to_continue_and_does(finished, tmp_path, capsys):
    words = ["forget", *TINY, "--out", str(tmp_path / "cut")]
    real = verb.forget

    def stopping(*arguments):
        for report in real(*arguments):
            if report.step == 4:
                os.kill(os.getpid(), signal.SIGINT)
            yield report

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verb, "forget", stopping)
        assert main(words) == 130
    assert "run the same command again to continue" in capsys.readouterr().err
    assert main(words) == 0
    logs = [(root / "forgetting.jsonl").read_bytes() for root in
            (tmp_path / "cut", finished / "turns")]  # fmt: skip
    assert logs[0] == logs[1]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Images without labels, and of a single class."""
    root = tmp_path_factory.mktemp("images")
    write_images(root / "bare", range(12))
    write_images(root / "single" / "only", range(12))
    return {name: f"folder:{root / name}" for name in ("bare", "single")}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "needs --data SOURCE"),
        (["--data", "scenes"], "needs --out DIR"),
        (["--data", "scens", "--out", "{out}"], "did you mean scenes"),
        (["--data", "{bare}", "--out", "{out}"], "has no labels"),
        (["--data", "{single}", "--out", "{out}"], "has one class"),
        ([*TINY, "--out", "{out}", "--test", "{bare}"], "bare has no labels"),
        ([*TINY, "--out", "{out}", "--rotation", "x"], "--rotation must be a number, not 'x'"),
        ([*TINY, "--out", "{out}", "--rotation", "-1"], "--rotation must be a finite number"),
        ([*TINY, "--out", "{out}", "--rotation", "nan"], "--rotation must be a finite number"),
        ([*TINY, "--out", "{out}", "--seed", "-1"], "--seed must be a whole number, 0 or more"),
        ([*TINY[:2], "--cycles", "0", "--out", "{out}"], "--cycles must be a whole number"),
        ([*TINY[:2], "--iterations-per-task", "1.5", "--out", "{out}"], "whole number, 1 or more"),
        ([*TINY[:2], "--batch", "7", "--out", "{out}"], "batch_size must be an even number"),
        ([*TINY[:2], "--width", "0", "--out", "{out}"], "width must be above 0"),
        ([*TINY[:2], "--width", "wide", "--out", "{out}"], "--width must be a number"),
        ([*TINY, "--out", "{out}", "--size", "33"], "--size must be one of 32, 48, 64, 96, 128"),
        ([*TINY, "--out", "{out}", "--precision", "half"], "--precision must be one of auto"),
        ([*TINY, "--out", "{out}", "--device", "abacus"], "device 'abacus'"),
        (
            [*TINY, "--out", "{out}", "--rotations", "1"],
            "forget has no --rotations; did you mean --rotation?",
        ),
        ([*TINY, "--out", "{out}", "more"], "takes no 'more'"),
        (["--draw"], "no forgetting run given"),
        (["--draw", "{out}"], "holds no forgetting run"),
        (["--draw", "{out}", "--seed", "1"], "leave --seed out"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_nothing_is_written(
    words, expected, folders, tmp_path, capsys
):
    out = tmp_path / "out"
    assert main(["forget", *(word.format(out=out, **folders) for word in words)]) == 2
    assert expected in one_line(capsys)
    assert not out.exists()


def test_help_names_every_option(capsys):
    assert main(["forget", "--help"]) == 0
    printed = capsys.readouterr().out
    assert all(field.name in printed for field in list_fields(Forget))


def test_a_folder_of_grey_classes_is_split(tmp_path, capsys):
    draw = np.random.default_rng(0)
    for name in ("left", "right"):
        (tmp_path / "grey" / name).mkdir(parents=True)
        for number in range(10):
            pixels = draw.integers(0, 255, (32, 32), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "grey" / name / f"{number}.png")
    words = ["--data", f"folder:{tmp_path / 'grey'}", "--out", str(tmp_path / "out"), *TINY[2:]]
    assert main(["forget", *words]) == 0
    facts = json.loads((tmp_path / "out" / "forgetting.json").read_bytes())
    assert facts["settings"]["channels"] == 1
    assert (facts["train"]["images"], facts["test"]["images"]) == (16, 4)
    assert "fifth" in facts["split"]
