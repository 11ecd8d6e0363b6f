"""What a node of a Slurm cluster does for one command: it starts it, passes signals on, reports.

Slurm sends its signals to every process of a job, and the command obeys SIGTERM by itself: it saves
and ends. SIGUSR2 is for this process alone. Slurm sends it before the time limit, and the study
sends it after it has named a signal in the file `request`.

A command that Slurm interrupts is put back into the queue, where Slurm does not do so itself. It is
started again then, and a run continues from its checkpoint.
"""

import json
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from ssgan.files.atomic import write_json
from ssgan.files.links import open_unlinked
from ssgan.studies.engines.process import Process, start_command
from ssgan.training.signals import EXIT_CODES

_SAVING = ("train", "forget")  # the verbs that save what they have done before they end
_INSTANT = 0.5  # seconds in which a signal counts once: Slurm sends some of them twice
_MOST_RESTARTS = 3  # of the others, which begin from the beginning
_PREEMPTED = re.compile(r"JobState=RUNNING .*PreemptTime=\d", re.DOTALL)  # of scontrol
_POSIX: Any = signal  # with what Windows lacks, where there is no Slurm


class CommandEnding(NamedTuple):
    """How a command ended on its node."""

    code: int  # exit code, or minus the signal that ended it
    final: bool  # False: Slurm interrupted it, and may start it again

    @classmethod
    def read(cls, path: Path) -> "CommandEnding | None":
        """The ending in a file; None if there is none yet."""
        try:
            facts = json.loads(path.read_bytes())
        except OSError:  # a shared file system has more reasons than a missing file
            return None
        return cls(facts["code"], facts["final"])


@dataclass(frozen=True)
class NodeCommand:
    """A command, and the files by which its node and the study know of each other.

    All paths are absolute.
    """

    words: tuple[str, ...]  # after `ssgan`
    log: Path  # receives what the command prints
    threads: int  # CPU threads of each of its processes
    folder: Path  # in which it runs
    ending: Path  # receives its CommandEnding
    request: Path  # holds the name of the signal that the study sends, if it sends one

    def __call__(self) -> None:
        """Run the command, in a job of Slurm."""
        os.chdir(self.folder)
        self.ending.unlink(missing_ok=True)  # of the time before it was interrupted
        ending = self._run()
        if ending is not None:
            write_json(self.ending, ending._asdict())

    def _run(self) -> CommandEnding | None:
        """How it ended; None when it was put back into the queue."""
        received: dict[int, float] = {}  # signal -> when, in seconds
        process: Process | None = None

        def pass_on(number: int, frame: FrameType | None) -> None:
            before, received[number] = received.get(number), time.monotonic()
            if before is not None and received[number] - before < _INSTANT:
                return
            if process is not None:
                process.send_signal(self._choose_signal(number))

        handled = (signal.SIGINT, signal.SIGTERM, _POSIX.SIGUSR2)
        for number in handled:
            signal.signal(number, pass_on)
        if self.request.exists():
            return CommandEnding(EXIT_CODES[self._choose_signal(_POSIX.SIGUSR2)], True)
        _POSIX.pthread_sigmask(_POSIX.SIG_BLOCK, [_POSIX.SIGUSR2])  # the child inherits this
        process = start_command(self.words, self.log, {"OMP_NUM_THREADS": str(self.threads)})
        early = tuple(received)
        _POSIX.pthread_sigmask(_POSIX.SIG_UNBLOCK, [_POSIX.SIGUSR2])
        for one in early:
            process.send_signal(self._choose_signal(one))
        code = process.wait()
        _POSIX.pthread_sigmask(_POSIX.SIG_BLOCK, handled)  # scontrol inherits this
        terminated = code in (
            -signal.SIGTERM,
            EXIT_CODES[signal.SIGTERM],
        )  # maybe before this process
        if code == 0 or not (received or terminated) or self.request.exists():
            return CommandEnding(code, True)
        if _POSIX.SIGUSR2 in received:
            return None if self._may_restart() and self._requeue() else CommandEnding(code, True)
        return None if _is_preempted() and self._requeue() else CommandEnding(code, False)

    def _choose_signal(self, number: int) -> signal.Signals:
        """The signal that the command gets in place of this one."""
        if number != _POSIX.SIGUSR2:
            return signal.Signals(number)
        try:
            return signal.Signals[self.request.read_text("ascii")]
        except FileNotFoundError:  # Slurm has sent it
            return signal.SIGTERM

    def _may_restart(self) -> bool:
        """Whether another start may bring it further."""
        if self.words[0] in _SAVING or _count_restarts() < _MOST_RESTARTS:
            return True
        self._note(f"the time limit ended it {_MOST_RESTARTS + 1} times: give a longer one")
        return False

    def _requeue(self) -> bool:
        """Put this job back into the queue; False if Slurm refuses."""
        done = _call_scontrol("requeue", _find_number())
        words = "interrupted by Slurm; it waits in the queue again"
        self._note(done.stderr.strip() if done.returncode else words)
        return done.returncode == 0

    def _note(self, words: str) -> None:
        with open(self.log, "a", encoding="utf-8", opener=open_unlinked) as file:
            file.write(f"[slurm] {words}\n")


def _is_preempted() -> bool:
    """Whether this job runs on in the time that Slurm grants to those that it preempts.

    Slurm counts a job that ends in this time as failed, and does not put it back itself.
    """
    return bool(_PREEMPTED.search(_call_scontrol("show", "job", _find_number()).stdout))


def _call_scontrol(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["scontrol", *words], capture_output=True, text=True, check=False)


def _find_number() -> str:
    """The number of this job; that of one task of an array is not that of all."""
    number, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return os.environ["SLURM_JOB_ID"] if number is None else f"{number}_{task}"


def _count_restarts() -> int:
    return int(os.environ.get("SLURM_RESTART_COUNT", "0"))
