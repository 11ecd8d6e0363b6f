"""Runs commands on an engine, some at a time, and estimates the remaining time.

An interrupt is passed on to the commands and loses nothing.
"""

import signal
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import NamedTuple

from ssgan.studies.engines.base import Child, Engine, NoFreeSlotError
from ssgan.studies.jobs import Job, TrainingJob
from ssgan.training.signals import EXIT_CODES

RETRY_SECONDS = 30.0  # after an engine has refused a command for now
_PASSED_ON = {signal.SIGINT: signal.SIGINT, signal.SIGTERM: signal.SIGTERM}
if hasattr(signal, "SIGHUP"):  # a closed terminal signals this process, not its children
    _PASSED_ON[signal.SIGHUP] = signal.SIGTERM


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
    places: Mapping[Job, str] = field(default_factory=dict)  # Child.place of each
    refusal: str = ""  # why the engine accepts no command now; empty: it does

    @property
    def exit_code(self) -> int:
        """0; 1 when a command failed or could not run; 129, 130 or 143 after a signal."""
        if self.stopped_by is not None:
            return EXIT_CODES[self.stopped_by]
        return 1 if self.waiting or any(one.code for one in self.finished) else 0


class _Running(NamedTuple):
    child: Child
    started: float  # monotonic clock, in seconds


def no_more(status: Status) -> Sequence[Job]:
    """No jobs but those that were given."""
    return ()


class Scheduler:
    """Runs jobs in order on an engine; a job whose needs failed is never started.

    `more` returns further jobs, of which the first can start; it is called while a slot is free.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        engine: Engine,
        pause: float = 0.2,
        more: Callable[[Status], Sequence[Job]] = no_more,
    ) -> None:
        self._waiting, self._more = list(jobs), more
        self._engine, self._pause = engine, pause
        self._running: dict[Job, _Running] = {}
        self._finished: list[Finished] = []
        self._stopped_by: signal.Signals | None = None
        self._refusal, self._retry_at = "", 0.0  # monotonic clock, in seconds

    def run(self) -> Iterator[Status]:
        """The status every `pause` seconds, the last one when nothing runs any more.

        What the engine refuses for now waits, and is tried again after a while.

        A signal is passed on to the children, and no job starts after it. Closing the iterator
        early ends the children and waits for them.
        """
        with self._signals_passed_on():
            try:
                self._start_jobs()
                while self._running or (self._refusal and self._stopped_by is None):
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
        places = {job: one.child.place() for job, one in self._running.items()}
        ended = tuple(self._finished)
        return Status(running, waiting, ended, self._stopped_by, since, places, self._refusal)

    def stop(self, job: Job) -> None:
        """Ask a running job to end, which a run of `ssgan train` does with its state saved."""
        if job in self._running:
            self._running[job].child.send_signal(signal.SIGTERM)

    @property
    def _free(self) -> int:
        """Slots for further commands: none after a signal, and for a while after a refusal."""
        if self._stopped_by or time.monotonic() < self._retry_at:
            return 0
        return self._engine.slots - len(self._running)

    def _start_jobs(self) -> None:
        """Fill the free slots with jobs whose needs are done, then with new ones."""
        self._start_ready()
        while self._free and not self._refusal:
            new = self._more(self.status())
            if not new:
                return
            self._waiting += new
            self._start_ready()

    def _start_ready(self) -> None:
        while ready := self._ready()[: self._free]:
            try:
                children = self._engine.start(ready)
            except NoFreeSlotError as error:
                self._refusal, self._retry_at = str(error), time.monotonic() + RETRY_SECONDS
                return
            self._refusal = ""
            for job, child in zip(ready, children, strict=False):
                self._waiting.remove(job)
                self._running[job] = _Running(child, time.monotonic())
                if self._stopped_by is not None:  # the signal arrived during the start
                    child.send_signal(_PASSED_ON[self._stopped_by])

    def _ready(self) -> list[Job]:
        """The waiting jobs whose needs are done."""
        failed = (one.job for one in self._finished if one.code)
        undone = {*self._waiting, *self._running, *failed}
        return [job for job in self._waiting if undone.isdisjoint(job.needs)]

    def _collect(self) -> None:
        """Move ended jobs to the finished ones. Exit code 0 without the result is a failure."""
        for job, one in list(self._running.items()):
            code = one.child.poll()
            if code is not None:
                del self._running[job]
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
