"""Runs commands as child processes, some at a time, and estimates the remaining time.

An interrupt is passed on to the commands and loses nothing.
"""

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import NamedTuple, Protocol

import torch

from ssgan.files.links import open_unlinked
from ssgan.ops.cpu import num_cores
from ssgan.studies.jobs import Job, TrainingJob
from ssgan.training.signals import EXIT_CODES, PARENT
from ssgan.types import UserError

VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"  # the GPUs that a process sees, comma-separated
_PASSED_ON = {signal.SIGINT: signal.SIGINT, signal.SIGTERM: signal.SIGTERM}
if hasattr(signal, "SIGHUP"):  # a closed terminal signals this process, not its children
    _PASSED_ON[signal.SIGHUP] = signal.SIGTERM


@dataclass(frozen=True)
class Resources:
    """One command's part of the machine."""

    threads: int  # CPU threads
    devices: tuple[str, ...] = ()  # as CUDA numbers them; empty: no restriction

    def environment(self, processes: int = 1) -> dict[str, str]:
        """The variables that limit a command of so many processes to its part."""
        devices = {VISIBLE_DEVICES: ",".join(self.devices)} if self.devices else {}
        if self.threads == num_cores() and processes == 1:
            return devices  # it has the whole machine, and adapts to who else is busy on it
        return {"OMP_NUM_THREADS": str(max(1, self.threads // processes)), **devices}


def divide_resources(slots: int) -> tuple[Resources, ...]:
    """The parts of `slots` simultaneous commands; they share GPUs where these are too few.

    Only CUDA devices are divided. Other accelerators are not restricted.
    """
    threads, devices = threads_per_job(slots), _visible_devices()
    if len(devices) < 2:
        return (Resources(threads),) * slots
    dealt = [devices[slot::slots] or (devices[slot % len(devices)],) for slot in range(slots)]
    return tuple(Resources(threads, own) for own in dealt)


def refuse_too_few_devices(slots: int, processes: int) -> None:
    """Raise UserError where `slots` commands of so many processes need more GPUs than there are."""
    count = len(_visible_devices())
    if processes > 1 and 0 < count < slots * processes:
        raise UserError(
            f"--jobs {slots} --processes {processes} need {slots * processes} GPUs, and there "
            f"{'is' if count == 1 else 'are'} {count}"
        )


def threads_per_job(slots: int) -> int:
    """CPU threads of each of `slots` commands: the cores divided, at least 1.

    A number in OMP_NUM_THREADS is an upper limit.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "")
    threads = max(1, num_cores() // slots)
    return min(threads, int(limit)) if limit.isdecimal() and int(limit) else threads


def _visible_devices() -> tuple[str, ...]:
    """The GPUs of this process, by the names that its children would use."""
    count = torch.cuda.device_count()
    variable = os.environ.get(VISIBLE_DEVICES)
    names = map(str, range(count)) if variable is None else variable.split(",")
    return tuple(name.strip() for name in names)[:count]


class Child(Protocol):
    """A running command, as `subprocess.Popen`."""

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None while it runs."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal; a command that has ended ignores it."""


def start_process(job: Job, resources: Resources) -> Child:
    """Start the command as a child process that writes to the job's log."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    limits = resources.environment(job.processes)
    with open(job.log, "ab", opener=open_unlinked) as log:
        log.write(f"$ {job.command}\n".encode("utf-8", "surrogateescape"))
        log.flush()
        return subprocess.Popen(
            [sys.executable, "-m", "ssgan", *job.words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **limits, PARENT: str(os.getpid())},
            start_new_session=True,  # else it gets Ctrl-C twice: from the terminal, from us
        )


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    job: Job
    code: int  # 0: its result exists
    seconds: float


@dataclass(frozen=True)
class Status:
    """The progress of all commands."""

    running: tuple[Job, ...]
    waiting: tuple[Job, ...]
    finished: tuple[Finished, ...]  # in order of their end
    stopped_by: signal.Signals | None  # the first signal, if any
    since: Mapping[Job, float] = field(default_factory=dict)  # running time of each, in seconds

    @property
    def exit_code(self) -> int:
        """0; 1 when a command failed or could not run; 129, 130 or 143 after a signal."""
        if self.stopped_by is not None:
            return EXIT_CODES[self.stopped_by]
        return 1 if self.waiting or any(one.code for one in self.finished) else 0


class _Running(NamedTuple):
    child: Child
    started: float  # monotonic clock, in seconds
    resources: Resources


def no_more(status: Status) -> Sequence[Job]:
    """No jobs but those that were given."""
    return ()


class Scheduler:
    """Runs jobs in order, `slots` at a time; a job whose needs failed is never started.

    `more` returns further jobs, of which the first can start; it is called while a slot is free.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        slots: int,
        start: Callable[[Job, Resources], Child] = start_process,
        pause: float = 0.2,
        more: Callable[[Status], Sequence[Job]] = no_more,
    ) -> None:
        self._waiting, self._more = list(jobs), more
        self._free, self._start, self._pause = list(divide_resources(slots)), start, pause
        self._running: dict[Job, _Running] = {}
        self._finished: list[Finished] = []
        self._stopped_by: signal.Signals | None = None

    def run(self) -> Iterator[Status]:
        """The status every `pause` seconds, the last one when nothing runs any more.

        A signal is passed on to the children, and no job starts after it. Closing the iterator
        early ends the children and waits for them.
        """
        with self._signals_passed_on():
            try:
                self._start_jobs()
                while self._running:
                    yield self.status()
                    time.sleep(self._pause)
                    self._collect()
                    self._start_jobs()
                yield self.status()
            finally:
                self._send(signal.SIGTERM)
                while self._running:
                    time.sleep(self._pause)
                    self._collect()

    def status(self) -> Status:
        """The present status."""
        running, waiting = tuple(self._running), tuple(self._waiting)
        now = time.monotonic()
        since = {job: now - one.started for job, one in self._running.items()}
        return Status(running, waiting, tuple(self._finished), self._stopped_by, since)

    def stop(self, job: Job) -> None:
        """Ask a running job to end, which a run of `ssgan train` does with its state saved."""
        if job in self._running:
            self._running[job].child.send_signal(signal.SIGTERM)

    def _start_jobs(self) -> None:
        """Fill the free slots with jobs whose needs are done, then with new ones."""
        self._start_ready()
        while self._free and self._stopped_by is None:
            new = self._more(self.status())
            if not new:
                return
            self._waiting += new
            self._start_ready()

    def _start_ready(self) -> None:
        for job in list(self._waiting):
            if self._stopped_by is not None or not self._free:
                return
            failed = (one.job for one in self._finished if one.code)
            if {*self._waiting, *self._running, *failed}.isdisjoint(job.needs):
                self._waiting.remove(job)
                resources = self._free.pop(0)
                child = self._start(job, resources)
                self._running[job] = _Running(child, time.monotonic(), resources)
                if self._stopped_by is not None:  # the signal arrived during the start
                    child.send_signal(_PASSED_ON[self._stopped_by])

    def _collect(self) -> None:
        """Move ended jobs to the finished ones. Exit code 0 without the result is a failure."""
        for job, one in list(self._running.items()):
            code = one.child.poll()
            if code is not None:
                del self._running[job]
                self._free.append(one.resources)
                if code == 0 and self._stopped_by is None and not job.is_done():
                    code = 1
                self._finished.append(Finished(job, code, time.monotonic() - one.started))

    def _send(self, number: int) -> None:
        for one in list(self._running.values()):
            one.child.send_signal(number)

    @contextmanager
    def _signals_passed_on(self) -> Iterator[None]:
        def pass_on(number: int, frame: FrameType | None) -> None:
            self._stopped_by = self._stopped_by or signal.Signals(number)
            self._send(_PASSED_ON[signal.Signals(number)])

        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may handle signals
            return
        handled = [number for number in _PASSED_ON if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, pass_on) for number in handled}  # nohup ignores one
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Eta(NamedTuple):
    """The remaining time of commands with an estimate, and the number of those without."""

    seconds: float | None  # None: there is no estimate yet
    unknown: Mapping[str, int]  # verb -> commands that `seconds` does not include

    def text(self, duration: str) -> str:
        """The estimate as text; `duration` is `seconds` in words."""
        if self.seconds is None:
            return "time left not known yet"
        rest = ", ".join(f"{count} x {verb}" for verb, count in self.unknown.items())
        return f"left about {duration}" + (f" and {rest}" if rest else "")


def estimate_eta(status: Status, jobs: Sequence[Job], slots: int) -> Eta:
    """The remaining time of running and waiting commands, all of them in `jobs`.

    Training takes its remaining steps at the pace of its own log, or else the mean pace of `jobs`.
    Any other command takes as long as finished commands of its verb took on average.
    """
    paces = {job: job.read_pace() for job in jobs if isinstance(job, TrainingJob)}
    known = [seconds / step for step, seconds in paces.values() if step]
    took: dict[str, list[float]] = {}
    for one in status.finished:
        if one.code == 0:
            took.setdefault(one.job.verb, []).append(one.seconds)
    estimates: list[float] = []
    unknown = Counter[str]()
    for job in (*status.running, *status.waiting):
        if isinstance(job, TrainingJob) and known:
            step, spent = paces[job]
            pace = spent / step if step else statistics.fmean(known)
            estimates.append(pace * (job.config.total_steps - step))
            continue
        since = status.since.get(job, 0.0)
        if job.verb in took and (mean := statistics.fmean(took[job.verb])) > since:
            estimates.append(mean - since)
        else:  # nothing to compare with, or slower than the mean
            unknown[job.verb] += 1
    return Eta(sum(estimates) / slots if estimates else None, unknown)


def describe_activity(job: Job) -> str:
    """The name of a running command, and its step if it trains."""
    if not isinstance(job, TrainingJob):
        return job.name
    return f"{job.name}: step {job.read_pace()[0]:,}/{job.config.total_steps:,}"
