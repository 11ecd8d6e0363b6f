"""Runs commands, some at a time, as child processes that can be interrupted and lose nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import NamedTuple

from ssgan.studies.jobs import Job
from ssgan.studies.resources import Resources, divide_resources
from ssgan.training.signals import EXIT_CODES, PARENT

_PASSED_ON = {signal.SIGINT: signal.SIGINT, signal.SIGTERM: signal.SIGTERM}
if hasattr(signal, "SIGHUP"):  # a closed terminal reaches us, no child
    _PASSED_ON[signal.SIGHUP] = signal.SIGTERM


class AbstractChild(ABC):
    """A command that is running."""

    @abstractmethod
    def code(self) -> int | None:
        """Its exit code; None as long as it runs."""

    @abstractmethod
    def send(self, number: int) -> None:
        """Pass a signal on; nothing happens when it has ended."""


class Process(AbstractChild):
    """A child process."""

    def __init__(self, job: Job, share: Resources) -> None:
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("ab") as log:
            log.write(f"$ {job.command}\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ssgan", *job.words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **share.environment(job.processes), PARENT: str(os.getpid())},
                start_new_session=True,  # else Ctrl-C reaches it twice: from the terminal, from us
            )

    def code(self) -> int | None:
        """Its exit code, or minus the signal that ended it."""
        return self._process.poll()

    def send(self, number: int) -> None:
        """Pass a signal on."""
        self._process.send_signal(number)


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    job: Job
    code: int  # 0: its result is there
    seconds: float


@dataclass(frozen=True)
class Status:
    """How far the commands are."""

    running: tuple[Job, ...]
    waiting: tuple[Job, ...]
    ended: tuple[Finished, ...]  # all so far, in order
    stopped_by: signal.Signals | None  # the first signal, if there was one
    since: Mapping[Job, float] = field(default_factory=dict)  # seconds that each has been running

    @property
    def exit_code(self) -> int:
        """0; 1 when a command failed or could not be run; a signal's, 129, 130 or 143."""
        if self.stopped_by is not None:
            return EXIT_CODES[self.stopped_by]
        return 1 if self.waiting or any(ended.code for ended in self.ended) else 0


class _Running(NamedTuple):
    child: AbstractChild
    started: float  # of the monotonic clock, in seconds
    share: Resources


class Scheduler:
    """Runs jobs in their order, `slots` at a time; one whose needs failed is never begun."""

    def __init__(
        self,
        jobs: Sequence[Job],
        slots: int,
        start: Callable[[Job, Resources], AbstractChild] = Process,
        pause: float = 0.2,
    ) -> None:
        self._waiting = list(jobs)
        self._free, self._start, self._pause = list(divide_resources(slots)), start, pause
        self._running: dict[Job, _Running] = {}
        self._ended: list[Finished] = []
        self._stopped_by: signal.Signals | None = None

    def run(self) -> Iterator[Status]:
        """How far it is, again and again; the last one is when nothing runs any more.

        Signals are passed on to the children, and nothing is begun after the first one. When the
        iterator is closed early the children are asked to end, and waited for.
        """
        with self._signals_passed_on():
            try:
                self._begin()
                while self._running:
                    yield self.standing()
                    time.sleep(self._pause)
                    self._collect()
                    self._begin()
                yield self.standing()
            finally:
                self._send(signal.SIGTERM)
                while self._running:
                    time.sleep(self._pause)
                    self._collect()

    def standing(self) -> Status:
        """How far it is now."""
        running, waiting = tuple(self._running), tuple(self._waiting)
        now = time.monotonic()
        since = {job: now - one.started for job, one in self._running.items()}
        return Status(running, waiting, tuple(self._ended), self._stopped_by, since)

    def _begin(self) -> None:
        """Fill the free slots with jobs whose needs are done."""
        for job in list(self._waiting):
            if self._stopped_by is not None or not self._free:
                return
            missing = {*self._waiting, *self._running, *(e.job for e in self._ended if e.code)}
            if missing.isdisjoint(job.needs):
                self._waiting.remove(job)
                share = self._free.pop(0)
                child = self._start(job, share)
                self._running[job] = _Running(child, time.monotonic(), share)
                if self._stopped_by is not None:  # the signal came while it was started
                    child.send(_PASSED_ON[self._stopped_by])

    def _collect(self) -> None:
        """Note those that have ended. One that says so without its result has failed."""
        for job, one in list(self._running.items()):
            code = one.child.code()
            if code is not None:
                del self._running[job]
                self._free.append(one.share)
                if code == 0 and self._stopped_by is None and not job.done():
                    code = 1
                self._ended.append(Finished(job, code, time.monotonic() - one.started))

    def _send(self, number: int) -> None:
        for one in list(self._running.values()):
            one.child.send(number)

    @contextmanager
    def _signals_passed_on(self) -> Iterator[None]:
        def note(number: int, frame: FrameType | None) -> None:
            self._stopped_by = self._stopped_by or signal.Signals(number)
            self._send(_PASSED_ON[signal.Signals(number)])

        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may listen to signals
            return
        heeded = [number for number in _PASSED_ON if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, note) for number in heeded}  # nohup ignores one
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
