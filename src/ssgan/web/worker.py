"""Threads of low priority that compute for the page, one piece of work at a time each.

A training that runs beside the page goes first: the threads have low priority, torch has one thread
in each, and long work rests while other processes keep the cores busy, because a system may share
its cores by terminal and not by priority.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ssgan.ops.cpu import num_cores
from ssgan.ops.cpu_load import OtherLoad

T = TypeVar("T")
_MOST_WAITING = 128  # pieces of work; a page asks for at most some tens of images at once
_BUSY = 0.5  # share of the cores that others use, from which on long work rests
_REST = 19.0  # seconds of rest for each second on a core, beside busy processes
_LONGEST_REST = 20.0  # seconds between two pieces of work
_NAP = 1.0  # seconds, after each of which the work may end


class Busy(Exception):  # noqa: N818 - names the state
    """Too much work waits already."""


class Worker:
    """One thread and the work that waits for it."""

    def __init__(self, name: str, begin: Callable[[], None] = lambda: None) -> None:
        """`begin` runs in the thread before its first work, and may lower its priority."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name, initializer=begin)
        self._waiting = 0

    async def run(self, work: Callable[[], T]) -> T:
        """The result of some work, after all that waits; raises Busy when that is too much."""
        if self._waiting >= _MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1

    def start(self, work: Callable[[], None]) -> None:
        """Do some work after all that waits, and return at once."""
        self._pool.submit(work)

    def stop(self) -> None:
        """Drop what waits; work that has begun ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class Pacer:
    """Rests within long work while other processes keep the cores busy."""

    def __init__(
        self,
        others: OtherLoad | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._others, self._sleep, self._clock = others or OtherLoad(), sleep, clock
        self._is_busy = False
        self._began: float | None = None  # on the clock of the thread that works

    def rest(self, check: Callable[[], None] = lambda: None) -> None:
        """Call it between short pieces of the work. `check` may raise, which ends a long rest."""
        worked = 0.0 if self._began is None else self._clock() - self._began
        left = min(_LONGEST_REST, _REST * worked)
        while self._must_rest() and left > 0:
            self._sleep(min(_NAP, left))
            left -= _NAP
            check()
        self._began = self._clock()

    def _must_rest(self) -> bool:
        busy = self._others.take_busy_cores()
        if busy is not None:
            self._is_busy = busy >= _BUSY * num_cores()
        return self._is_busy
