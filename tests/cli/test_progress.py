"""The rate and the time left that a long command shows are those of the work it has done."""

import pytest

from ssgan.cli import progress
from ssgan.cli.train import train_in
from ssgan.data.prepare import default_cache
from ssgan.training.monitor import Verdict
from ssgan.training.run import RunReport
from tests.training.tiny import tiny

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
    left = [progress.duration(SECONDS * (100 - number)) for number in numbers]
    assert lines == [
        f"step {number}/100  2.7 images/s  left {time}  healthy  not saved yet"
        for number, time in zip(numbers, left, strict=True)
    ]


def test_a_run_of_one_step_shows_no_rate(capsys):
    with progress.Meter("step", 1, 1) as meter:
        meter.advance(1, "D 0.50")
    assert capsys.readouterr().err == "step 1/1  D 0.50\n"
