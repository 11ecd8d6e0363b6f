"""Kills runs and looks whether anything was lost.

A trial is a forked child, so torch is imported once. The digest of what is on disk in the end
must be that of a run which nobody killed.
"""

import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import torch

from ssgan.data.dataset import Dataset
from ssgan.files.atomic import TEMPORARY
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.runs.config import RunConfig
from ssgan.training.loop import train
from ssgan.training.run import RunReport, run
from ssgan.training.signals import Interrupted
from tests.training.tiny import digest_on_disk, rows_of

Crash = Callable[[str], None]
KILLS_A_RUN = 2


@dataclass
class Tally:
    """What a series of trials came to."""

    runs: int = 0
    sent: int = 0  # kills
    landed: int = 0  # kills that found the run with something to do
    equal: int = 0  # runs with the digest of the uninterrupted one

    def __str__(self) -> str:
        return f"{self.runs:6} {self.sent:6} {self.landed:8} {self.equal:7}"

    def __iadd__(self, other: "Tally") -> "Tally":
        self.runs, self.sent = self.runs + other.runs, self.sent + other.sent
        self.landed, self.equal = self.landed + other.landed, self.equal + other.equal
        return self


def fork(work: Callable[[], int]) -> int:
    """Start a child that ends with the code that `work` returns; its process number."""
    child = os.fork()
    if child:
        return child
    code = 130  # of an interrupt before the work has begun
    try:
        torch.set_num_threads(1)
        code = 99
        code = work()
    except BaseException:
        if code != 130:
            traceback.print_exc()
    finally:
        os._exit(code)


def wait(child: int) -> int:
    """The exit code of a child, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_code(
    code: str, arguments: Sequence[str], folder: Path, variables: Mapping[str, str], late: str = ""
) -> CompletedProcess[str]:
    """What `python -c` prints and ends with, from a forked child: PyTorch is imported already.

    It prints into files of `folder`. `late` names a package to import again, which reads the
    environment then. Where there is an accelerator, which a child cannot use, it is a new process.
    """
    command = [sys.executable, "-c", code, *arguments]
    if torch.accelerator.is_available():
        env = {**os.environ, **variables}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    places = [folder / f"{name}.txt" for name in ("stdout", "stderr")]

    def work() -> int:
        os.environ.update(variables)
        sys.argv = ["-c", *arguments]
        for name in [one for one in sys.modules if one.partition(".")[0] == late]:
            del sys.modules[name]
        with places[0].open("w") as out, places[1].open("w") as err:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            with redirect_stdout(out), redirect_stderr(err):
                return execute(code)

    code_at_end = wait(fork(work))
    return CompletedProcess(command, code_at_end, *(place.read_text() for place in places))


def execute(code: str) -> int:
    """Run it as a main module; the exit code."""
    try:
        exec(code, {"__name__": "__main__"})
    except SystemExit as end:
        return int(end.code or 0)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def train_in(
    config: RunConfig,
    root: Path,
    dataset: Dataset,
    crash: Crash = checkpoint.no_crash,
    watch: Callable[[RunReport], None] = lambda report: None,
) -> int:
    """Run to the end, or until a signal; the exit code that the command line would give."""
    try:
        for report in run(config, root, dataset, crash=crash):
            watch(report)
    except Interrupted as stop:
        return stop.exit_code
    return 0


def reference(config: RunConfig, root: Path, dataset: Dataset) -> tuple[str, float]:
    """The digest of an uninterrupted run, which must succeed, and the seconds it took."""
    warm_up(config, dataset)
    started = time.perf_counter()
    code = wait(fork(lambda: train_in(config, root, dataset)))
    seconds = time.perf_counter() - started
    assert code == 0, f"the reference run ended with {code}"
    check_whole(config, root)
    return digest_on_disk(config, root, dataset), seconds


def warm_up(config: RunConfig, dataset: Dataset) -> None:
    """Take a step here, so that every child finds its convolutions compiled: a trial in 1/4.

    Not where there is an accelerator: a process that has trained there cannot be forked.
    """
    if not torch.accelerator.is_available():
        next(train(config, dataset))


def check_whole(config: RunConfig, root: Path) -> None:
    """Nothing is left of killed saves, and the log has each step once."""
    assert not list(root.rglob(TEMPORARY.format("*"))), f"{root} has stray files"
    steps = [row["step"] for row in rows_of(RunDirectory(root).log)]
    assert steps == list(range(1, config.total_steps + 1)), f"{root} has logged {steps}"


def random_kills(config: RunConfig, folder: Path, dataset: Dataset, runs: int, seed: int) -> Tally:
    """Runs that are each killed at two random instants, then finished.

    An instant is a drawn time after the log has a drawn number of lines, another for each kill.
    The time is at most that of a step, and the run goes one step further at most: however busy
    the machine is, every kill but one after the last line finds a run that is not done.
    """
    expected, seconds = reference(config, folder / "reference", dataset)
    draw, tally = random.Random(seed), Tally()
    for number in range(runs):
        root = folder / f"run-{number}"
        for lines in sorted(draw.sample(range(config.total_steps), KILLS_A_RUN)):
            pause = draw.uniform(0, seconds / config.total_steps)
            tally.sent += 1
            tally.landed += killed_after(lines, pause, config, root, dataset)
        tally.runs += 1
        tally.equal += finished(config, root, dataset) == expected
    return tally


def killed_after(lines: int, pause: float, config: RunConfig, root: Path, dataset: Dataset) -> bool:
    """Start or continue a run and kill it then; whether it still had something to do."""

    def await_death(report: RunReport) -> None:
        if report.step > lines:
            time.sleep(60)

    child = fork(lambda: train_in(config, root, dataset, watch=await_death))
    wait_for(child, RunDirectory(root).log, lines)
    time.sleep(pause)
    os.kill(child, signal.SIGKILL)
    code = wait(child)
    assert code == -signal.SIGKILL, f"a run ended with {code} by itself"
    return not RunDirectory(root).checkpoint(config.total_steps).exists()


def wait_for(child: int, path: Path, lines: int) -> None:
    """Until the child has written so many lines; an error when it ends before."""
    while lines and (not path.exists() or path.read_bytes().count(b"\n") < lines):
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        assert ended is None, f"the child ended before {path} had {lines} lines"
        time.sleep(0.002)


def finished(config: RunConfig, root: Path, dataset: Dataset) -> str:
    """Continue a run to its end; its digest."""
    code = wait(fork(lambda: train_in(config, root, dataset)))
    assert code == 0, f"continuing {root} ended with {code}"
    check_whole(config, root)
    return digest_on_disk(config, root, dataset)


def points_of(config: RunConfig, root: Path, dataset: Dataset) -> list[str]:
    """The points that the saves of a run pass, in order; it runs in a child."""
    root.mkdir(parents=True)
    path = root.with_suffix(".points")

    def note(point: str) -> None:
        with path.open("a") as file:
            file.write(f"{point}\n")

    code = wait(fork(lambda: train_in(config, root, dataset, note)))
    assert code == 0, f"the run that lists the points ended with {code}"
    return path.read_text().split()


def die_at(number: int) -> Crash:
    """Ends the process, as kill -9 does, at the point of that number, from 0."""
    passed = -1

    def crash(point: str) -> None:
        nonlocal passed
        passed += 1
        if passed == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return crash


def kills_at_points(
    config: RunConfig, folder: Path, dataset: Dataset, numbers: Sequence[int], points: list[str]
) -> Tally:
    """A run for each number, which dies at that point and is then finished."""
    expected, _ = reference(config, folder / "reference", dataset)
    tally = Tally()
    for number in numbers:
        root = folder / f"point-{number}"
        crash = die_at(number)
        tally.sent += 1
        code = wait(fork(lambda crash=crash: train_in(config, root, dataset, crash)))  # noqa: B023
        tally.landed += code == -signal.SIGKILL
        check_newest(root, points[: number + 1])
        tally.runs += 1
        tally.equal += finished(config, root, dataset) == expected
    return tally


def check_newest(root: Path, passed: list[str]) -> None:
    """Once a save's file has its name, there is a whole checkpoint whatever happens."""
    found, passed_over = checkpoint.load_newest(RunDirectory(root))
    assert not passed_over, passed_over
    files = len(RunDirectory(root).checkpoint_files())
    assert (found is not None) == (files > 0)
    assert files > 0 or "folder-synced" not in passed
