"""The processor as this process may use it."""

import ctypes
import os
import sys


def num_cores() -> int:
    """Cores that this process may run on, at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1


_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's names for mallopt, without their M_
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Ask the C library to keep what is freed; whether it could be asked (glibc on Linux only).

    Activations are large and live for one layer. By default each is mapped, cleared page by page
    and unmapped again: thousands of page faults a step, and with this none.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
