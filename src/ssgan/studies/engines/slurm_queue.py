"""The jobs of one study in Slurm's queue, as `squeue` and `scancel` see them.

`sacct` is not needed: many clusters keep no accounts.
"""

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ssgan.types import UserError

ASK_SECONDS = 5.0  # between two calls of squeue, which answers for all jobs at once
_TIMEOUT = 60.0  # seconds
_BEFORE_START = ("PENDING", "CONFIGURING")
_RESERVED = {  # options of sbatch -> what to give in their place; empty: nothing
    "cpus-per-task": "--threads N",
    "array": "--jobs N",
    **dict.fromkeys(("nodes", "ntasks", "ntasks-per-node"), ""),
    **dict.fromkeys(("job-name", "output", "error", "open-mode", "chdir"), ""),
    **dict.fromkeys(("wrap", "wait", "parsable", "quiet", "test-only"), ""),
}


class QueuedJob(NamedTuple):
    """A job that waits, runs, or is about to end."""

    state: str  # PENDING, RUNNING, ...
    node: str  # empty before its start

    @property
    def place(self) -> str:
        """The node, or "waiting"."""
        return "waiting" if self.state in _BEFORE_START or not self.node else self.node


class Queue:
    """The jobs that have this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._jobs: Mapping[str, QueuedJob] | None = None
        self._asked_at = -ASK_SECONDS  # monotonic clock

    def read(self) -> Mapping[str, QueuedJob] | None:
        """Job number -> job, at most five seconds old; None when Slurm has not answered yet."""
        now = time.monotonic()
        if now - self._asked_at >= ASK_SECONDS:
            self._asked_at = now
            answer = self._call_squeue()
            if answer.returncode == 0:
                self._jobs = _parse_queue(answer.stdout)
        return self._jobs

    def require(self) -> Mapping[str, QueuedJob]:
        """The jobs now; UserError with the words of squeue when Slurm does not answer."""
        answer = self._call_squeue()
        if answer.returncode:
            raise UserError(f"squeue: {first_line(answer.stderr)}")
        return _parse_queue(answer.stdout)

    def forget(self) -> None:
        """Ask Slurm at the next call, because jobs were submitted or cancelled."""
        self._jobs, self._asked_at = None, -ASK_SECONDS

    def cancel(self, numbers: Sequence[str]) -> None:
        """Take out those of these jobs that wait, and send SIGUSR2 to those that run."""
        _call("scancel", "--state=PENDING", *numbers)
        # the first step of a job is its command; to signal the tasks of an array themselves makes
        # some versions report a failure and signal them again
        _call("scancel", "--signal=USR2", *(f"{number}.0" for number in numbers))
        self.forget()

    def remove(self, numbers: Sequence[str]) -> None:
        """Take these jobs out, whether they wait or run."""
        _call("scancel", *numbers)
        self.forget()

    def _call_squeue(self) -> subprocess.CompletedProcess[str]:
        columns = "--format=%i|%T|%N"
        return _call("squeue", "--me", "--noheader", "--array", f"--name={self.name}", columns)


def parse_options(given: Sequence[str]) -> dict[str, str]:
    """Options of sbatch from KEY=VALUE; UserError for a word without =, or an option of ours."""
    found = {}
    for word in given:
        key, equals, value = word.partition("=")
        name = key.removeprefix("--").replace("_", "-")
        if not equals or not re.fullmatch("[a-z][a-z-]*", name) or not value:
            raise UserError(f"--slurm {word}: give KEY=VALUE, such as partition=gpu")
        if name in _RESERVED:
            hint = f": give {_RESERVED[name]}" if _RESERVED[name] else ""
            raise UserError(f"--slurm {word}: ssgan sets {name} itself{hint}")
        found[name] = value
    return found


def first_line(text: str) -> str:
    """The first line that a command of Slurm has printed, without its own prefix."""
    lines = [line for line in text.splitlines() if line.strip()] or ["no answer"]
    return re.sub(r"^\w+: (error: |fatal: )?", "", lines[0])


def _parse_queue(text: str) -> dict[str, QueuedJob]:
    rows = [line.split("|") for line in text.splitlines() if line.count("|") == 2]
    return {number.strip(): QueuedJob(state, node.strip()) for number, state, node in rows}


def _call(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Slurm; what hinders it counts as its failure."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("SQUEUE_", "SCANCEL_"))}
    try:
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=own,
            timeout=_TIMEOUT,
            start_new_session=True,  # a terminal's Ctrl-C is for the study alone
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 1, "", str(error))
