"""Cores, threads and memory of the CPU for this process."""

import ctypes
import os
import sys
from collections.abc import MutableMapping

_WAITING = {  # how long a waiting thread of OpenMP spins before it sleeps
    "GOMP_SPINCOUNT": "10000",  # rounds of a loop, about 0.2 ms; libgomp's own number is 300,000
    "KMP_BLOCKTIME": "1",  # milliseconds, of LLVM's and Intel's OpenMP; their own number is 200
}


def num_cores() -> int:
    """The number of cores that this process may use, at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def let_waiting_threads_sleep(environment: MutableMapping[str, str]) -> None:
    """Have OpenMP's waiting threads sleep early, unless the user has chosen how they wait.

    OpenMP reads the environment once, when torch is loaded. A spinning thread holds a core that
    another process could use. A shorter spin costs the threads of a step time to wake up.
    """
    if "OMP_WAIT_POLICY" not in environment:
        for name, value in _WAITING.items():
            environment.setdefault(name, value)


_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # parameters of glibc's mallopt
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Make the C library keep freed memory; returns whether it can (only glibc on Linux).

    Activations are large and short-lived. By default each one is mapped, cleared page by page and
    unmapped again: thousands of page faults per step, and none with this setting.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
