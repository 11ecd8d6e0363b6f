"""What a node does for one command; `scontrol` is fake, and so is what the command does."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from ssgan.studies.engines.slurm_node import CommandEnding, NodeCommand
from tests.studies.engines.command import write_command
from tests.training.harness import fork, wait

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Slurm has Linux nodes")

PREEMPTED = "JobState=RUNNING Reason=None\\n   PreemptTime=2026-01-01T00:00:00\\n"


@pytest.fixture(autouse=True)
def node(tmp_path, monkeypatch):
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setenv("PYTHONPATH", str(write_command(tmp_path / "replaced")))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    answer(tmp_path)
    return tmp_path


def answer(folder, shown="JobState=RUNNING\\n   PreemptTime=None\\n", code=0):
    """Let scontrol print a job, and end a `requeue` with this code."""
    program = folder / "programs" / "scontrol"
    lines = (
        f"echo $@ >> {folder}/calls",
        f"[ $1 = show ] && printf '{shown}' && exit 0",
        f"[ {code} = 0 ] || echo 'requeue is disabled' >&2; exit {code}",
    )
    program.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    program.chmod(0o755)


def run(folder, number=None, verb="train", kind="slow", before=lambda: None):
    """Its ending; the process that runs it gets the signal once the command has begun.

    Number 0 is no signal.
    """
    files = (folder / name for name in ("log", "ending", "request"))
    log, ending, request = files
    command = NodeCommand((verb, kind, str(folder / "a")), log, 3, folder, ending, request)
    process = fork(lambda: command() or 0)
    children[:] = [process]
    if number is not None:
        while not (folder / "a.started").exists():
            time.sleep(0.01)
        before()
        os.kill(process, number)
    assert wait(process) == 0
    return CommandEnding.read(ending)


children: list[int] = []  # the newest process that runs a command


def calls(folder):
    file = folder / "calls"
    return file.read_text().splitlines() if file.exists() else []


def test_a_command_that_ends_by_itself_has_ended(node):
    assert run(node, kind="good") == (0, True)
    assert (node / "a").read_text().startswith('["train", "3"')
    assert run(node, kind="killed") == (-signal.SIGKILL, True)
    assert calls(node) == []


def test_what_ends_at_its_time_limit_saves_and_waits_again(node):
    (node / "ending").write_text('{"code": 143, "final": false}')  # of an earlier start
    assert run(node, signal.SIGUSR2) is None
    assert (node / "a.saved").read_text() == "SIGTERM\n"
    assert calls(node) == ["requeue 7"]
    assert "[slurm] interrupted by Slurm; it waits in the queue again" in (node / "log").read_text()


def test_where_slurm_puts_nothing_back_it_has_ended(node):
    answer(node, code=1)
    assert run(node, signal.SIGUSR2) == (143, True)
    assert "[slurm] requeue is disabled" in (node / "log").read_text()


def test_what_saves_nothing_starts_three_times_more_at_most(node, monkeypatch):
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    assert run(node, signal.SIGUSR2, verb="evaluate") is None
    (node / "a.started").unlink()
    (node / "a.saved").unlink()
    monkeypatch.setenv("SLURM_RESTART_COUNT", "3")
    assert run(node, signal.SIGUSR2, verb="evaluate") == (143, True)
    assert "the time limit ended it 4 times: give a longer one" in (node / "log").read_text()


@pytest.mark.parametrize(("shown", "expected"), [(PREEMPTED, None), ("JobState=CANCELLED\\n", 143)])
def test_sigterm_may_mean_that_slurm_needs_the_node_or_that_someone_has_cancelled(
    shown, expected, node
):
    answer(node, shown)
    assert run(node, signal.SIGTERM) == (None if expected is None else (expected, False))
    assert calls(node) == ["show job 7", *(["requeue 7"] if expected is None else [])]


def test_the_command_may_get_sigterm_before_the_process_that_started_it(node):
    def end_command():
        (command,) = Path(f"/proc/{children[0]}/task/{children[0]}/children").read_text().split()
        os.kill(int(command), signal.SIGTERM)

    answer(node, PREEMPTED)
    assert run(node, 0, before=end_command) is None
    assert calls(node) == ["show job 7", "requeue 7"]


def test_a_signal_of_the_study_ends_it_for_good(node):
    ending = run(node, signal.SIGUSR2, before=lambda: (node / "request").write_text("SIGINT"))
    assert ending == (130, True)
    assert (node / "a.saved").read_text() == "SIGINT\n"
    assert calls(node) == []


def test_what_the_study_has_stopped_before_its_start_never_starts(node):
    (node / "request").write_text("SIGTERM")
    assert run(node) == (143, True)
    assert not Path(node / "log").exists()
