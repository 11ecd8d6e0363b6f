"""The rate and the time left that a long command shows are those of the work it has done."""

import io
import itertools
import subprocess
import sys
import threading
import time

import pytest
from rich.console import Console

from ssgan.cli import progress
from ssgan.cli.train import train_in
from ssgan.data.prepare import default_cache
from ssgan.training.monitor import Verdict
from ssgan.training.run import RunReport
from tests.cli.test_main import TINY
from tests.training.tiny import tiny, with_output

SECONDS = 3.0  # a step, of 8 images: 2.7 images/s


@pytest.mark.parametrize("first", [1, 91])
def test_a_rate_counts_whole_steps_whether_the_run_is_new_or_resumed(
    first, tmp_path, monkeypatch, capsys
):
    """No line is of a step that nobody timed, such as the first, or those of an earlier part."""
    now = 0

    def steps(config, *_, **__):
        nonlocal now
        now += 100  # until the networks are built
        for step in range(first, 100 + 1):
            now += SECONDS
            yield RunReport(step, None, None, None, Verdict("healthy", 0, ()))

    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    monkeypatch.setattr("ssgan.cli.train.run", steps)
    assert train_in(tiny(total_steps=100), tmp_path / "run", default_cache()) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("step ")]
    numbers = [*range(first + 4, 100, 4), 100]  # every ten seconds or more, and the last
    left = [progress.format_duration(SECONDS * (100 - number)) for number in numbers]
    assert lines == [
        f"step {number}/100  2.7 images/s  left {time}  healthy  not saved yet"
        for number, time in zip(numbers, left, strict=True)
    ]


def test_a_run_of_one_step_shows_no_rate(capsys):
    with progress.Meter("step", 1, 1) as meter:
        meter.advance(1, "D 0.50")
    assert capsys.readouterr().err == "step 1/1  D 0.50\n"


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_step_total_time_left_and_speed_are_kept_at_any_width(width, monkeypatch):
    """The longest that a run shows; figures are cut, and stand in a line of their own."""
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=True, color_system=None)
    meter = progress.Meter("step", 1_000_000, 0, 64)
    meter.console, figures = console, "D 1.38  G 0.72  rotation accuracy, real 0.31  fake 0.28  "
    with meter:
        now = 36_000.0
        meter.advance(123_456, f"{figures}adversarial_only  saved step-00123000")
        shown = io.StringIO()
        Console(file=shown, width=width, color_system=None).print(meter._lines())
    first, second = shown.getvalue().splitlines()[:2]
    for word in ("step ", "123456/1000000", "219.5 images/s", "left 71:00:02"):
        assert word in first, word
    assert "D 1.38  G 0.72" in second
    assert len(second) <= width
    assert len(first) <= width


def test_a_long_name_is_cut_before_the_count(monkeypatch):
    screen = io.StringIO()
    console = Console(file=screen, width=60, color_system=None)
    name = "a run with a long name, 1 of 2: images through D"
    console.print(progress.format_bar(60, name, 12345, 50000, "1,234.5 images/s  left 1:02:03"))
    (line,) = screen.getvalue().splitlines()
    assert "12345/50000 1,234.5 images/s  left 1:02:03" in line
    assert line.startswith("a run with")


def test_what_is_printed_into_a_file_is_there_when_the_process_is_killed(tmp_path):
    """As in `ssgan train ... > log`, ended by SIGKILL as soon as a step is done."""
    words = ["train", "scenes:gan", "--data", "scenes:num_images=40", "--run", "run", *TINY[:4]]
    words += ["--batch_size", "8", "--total_steps", "100000", "--output.log_every", "1"]
    command = [sys.executable, "-m", "ssgan", *words]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=subprocess.DEVNULL)
        try:
            while not (tmp_path / "run" / "log.jsonl").exists():
                assert process.poll() is None
                time.sleep(0.05)
        finally:
            process.kill()
            process.wait()
    assert "run directory: run\n" in (tmp_path / "log").read_text()


def test_live_lines_have_no_thread_and_are_drawn_at_most_every_0_4_seconds(monkeypatch):
    """A thread that redraws takes the processor from those of a step."""
    now, drawn = 0.0, []
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    meter = progress.Meter("step", 1000, 0, 64)
    meter.console, before = console, threading.active_count()
    with meter:
        monkeypatch.setattr(meter._live, "refresh", lambda: drawn.append(now))
        for step in range(1, 101):
            now = step / 20
            meter.advance(step)
            assert threading.active_count() == before
        monkeypatch.undo()
    assert 10 <= len(drawn) <= 13  # in five seconds
    assert min(two - one for one, two in itertools.pairwise(drawn)) >= 0.4
    assert "100/1000" in console.file.getvalue()  # what is left on the screen is the last


def test_a_run_with_live_lines_has_the_bits_of_one_without(tmp_path, monkeypatch, capsys):
    saved = []
    for name, is_terminal in (("plain", False), ("live", True)):
        monkeypatch.setattr(Console, "is_terminal", is_terminal)
        config = with_output(tiny(total_steps=3), checkpoint_every=3)
        assert train_in(config, tmp_path / name, default_cache()) == 0
        (newest,) = (tmp_path / name / "checkpoints").iterdir()
        saved.append(newest.read_bytes())
    assert saved[0] == saved[1]
    assert "3/3" in capsys.readouterr().err
