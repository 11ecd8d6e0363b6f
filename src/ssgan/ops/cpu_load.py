"""How many cores other processes keep busy."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_STAT = Path("/proc/stat")


class CpuTimes(NamedTuple):
    """Seconds of processor time up to one moment."""

    clock: float  # the moment
    everyone: float  # on the cores that this process may use, of all processes
    own: float  # of this process


def read_cpu_times() -> CpuTimes | None:
    """The times now; None on another system than Linux."""
    if sys.platform != "linux" or not hasattr(os, "sched_getaffinity"):
        return None
    try:
        text = _STAT.read_text()
    except OSError:  # hidden, as in some containers
        return None
    own = os.times()
    everyone = sum_busy_seconds(text, os.sched_getaffinity(0), os.sysconf("SC_CLK_TCK"))
    return CpuTimes(time.monotonic(), everyone, own.user + own.system)


def sum_busy_seconds(stat: str, cores: set[int], ticks_per_second: int) -> float:
    """Seconds that any process ran on these cores, of the text of /proc/stat."""
    ticks = 0
    for line in stat.splitlines():
        name, *columns = line.split()
        if name.removeprefix("cpu").isdecimal() and int(name[3:]) in cores:
            user, nice, system, _, _, irq, softirq = map(int, columns[:7])
            ticks += user + nice + system + irq + softirq
    return ticks / ticks_per_second


class OtherLoad:
    """Measures how many cores other processes keep busy."""

    def __init__(
        self,
        read: Callable[[], CpuTimes | None] = read_cpu_times,
        at_least: float = 2.0,  # seconds of a measurement; /proc/stat counts in hundredths
    ) -> None:
        self._read, self._at_least = read, at_least
        self._last = read()

    def take_busy_cores(self) -> float | None:
        """The number since the last one, 0 or more; None until enough seconds have passed.

        Always None on another system than Linux.
        """
        if self._last is None or time.monotonic() - self._last.clock < self._at_least:
            return None
        if (now := self._read()) is None:
            return None
        last, self._last = self._last, now
        others = now.everyone - last.everyone - (now.own - last.own)
        return max(0.0, others / (now.clock - last.clock))
