"""Cores and memory of the CPU for this process."""

import ctypes
import os
import sys


def num_cores() -> int:
    """The number of cores that this process may use, at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1


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
