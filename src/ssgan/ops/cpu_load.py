"""How many cores other processes keep busy, and what a run can do about it."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ssgan.ops.cpu import num_cores

_STAT = Path("/proc/stat")
_FREE = 0.5  # cores: with fewer than a run's threads by this much, threads wait for others


class CpuTimes(NamedTuple):
    """Seconds of processor time up to one moment."""

    clock: float  # the moment
    everyone: float  # on the cores that this process may use, of all processes
    own: float  # of this process


def read_cpu_times() -> CpuTimes | None:
    """The times now; None where the system has no /proc/stat."""
    try:
        text = _STAT.read_text()
    except OSError:
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
    """Measures, from its creation on, how many cores other processes keep busy."""

    def __init__(
        self,
        read: Callable[[], CpuTimes | None] = read_cpu_times,
        cores: int | None = None,  # None: those that this process may use
        at_least: float = 3.0,  # seconds to measure for; /proc/stat counts in hundredths
    ) -> None:
        self._read, self._cores, self._at_least = read, cores or num_cores(), at_least
        self._start = read()
        # elsewhere than on Linux: the load before this process has computed anything
        self._load = os.getloadavg()[0] if self._start is None and hasattr(os, "getloadavg") else 0
        self.is_known = False

    def busy_cores(self) -> float | None:
        """The number of cores, from 0 on; None until enough seconds have passed."""
        if self._start is None:
            found = self._load
        elif (now := self._read()) is None or now.clock - self._start.clock < self._at_least:
            return None
        else:
            others = now.everyone - self._start.everyone - (now.own - self._start.own)
            found = others / (now.clock - self._start.clock)
        self.is_known = True
        return min(max(0.0, found), float(self._cores))

    def sentence(self, threads: int) -> str:
        """What slows a run of so many threads, and what helps; empty when nothing does, or yet."""
        others = self.busy_cores()
        if others is None or others + threads < self._cores + _FREE:
            return ""
        fewer = max(1, round(self._cores - others))
        advice = "steps take longer than on an idle machine"
        if fewer < threads:
            advice = (
                f"{threads} threads wait for them: until they end, the same command with "
                f"OMP_NUM_THREADS={fewer} is faster (the last digits of losses change)"
            )
        return f"other processes keep {others:.1f} of the {self._cores} cores busy; {advice}"
