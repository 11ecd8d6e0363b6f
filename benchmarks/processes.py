"""A process of its own for a measurement: nothing of one case is left for the next."""

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import Adam

from ssgan.ops.cpu import keep_freed_memory

_STATUS = Path("/proc/self/status")
_held: Any = None  # in a worker's process: what it was made to hold
_baseline = 0  # bytes that were resident before it was made


def fresh(function: Callable[..., Any], *args: object, threads: int | None = None) -> Any:
    """The function's result, from a process that ends with it."""
    with _pool(threads, keep_memory=True) as pool:
        return pool.submit(function, *args).result()


class Worker:
    """A process that holds `make(*args)` and calls its methods when told; else it sleeps."""

    def __init__(
        self,
        make: Callable[..., Any],
        *args: object,
        threads: int | None = None,
        keep_memory: bool = True,  # as `ssgan train` does; see ops/memory.py
    ) -> None:
        self._pool = _pool(threads, keep_memory)
        self._pool.submit(_hold, make, args).result()

    def call(self, method: str, *args: object) -> Any:
        """What the held thing's method returns."""
        return self._pool.submit(_call, method, args).result()

    def memory(self) -> dict[str, int]:
        """Peak and baseline of its process in bytes."""
        return self._pool.submit(memory_row, None).result()

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()


def memory_row(device: torch.device | None) -> dict[str, int]:
    """Bytes: the peak so far above the baseline, and the baseline (0 on an accelerator)."""
    if device is not None and device.type != "cpu":
        return {"memory_bytes": torch.accelerator.max_memory_allocated(device), "baseline_bytes": 0}
    return {"memory_bytes": peak_bytes() - _baseline, "baseline_bytes": _baseline}


def peak_bytes() -> int:
    """The most memory that was ever resident in this process.

    On Linux from VmHWM: ru_maxrss of a child begins with the size of its parent.
    """
    if _STATUS.exists():
        return _status("VmHWM")
    import resource  # not on every system, and only needed here

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident_bytes() -> int:
    """What is resident in this process now; on Linux only."""
    return _status("VmRSS")


def set_baseline() -> None:
    """Count memory from what is resident now: after the imports, and those that torch puts off."""
    global _baseline
    weight = nn.Parameter(torch.ones(1, 1, 1, 1))
    optimizer = Adam([weight], fused=True)
    torch.autograd.backward(F.conv2d(torch.ones(1, 1, 1, 1), weight).sum())
    optimizer.step()
    _baseline = resident_bytes() if _STATUS.exists() else peak_bytes()


def _status(field: str) -> int:
    lines = _STATUS.read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{field}:")]
    return int(line.split()[1]) * 1024


def _pool(threads: int | None, keep_memory: bool) -> ProcessPoolExecutor:
    context = get_context("spawn")
    return ProcessPoolExecutor(1, context, initializer=_prepare, initargs=(threads, keep_memory))


def _prepare(threads: int | None, keep_memory: bool) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
    if keep_memory:
        keep_freed_memory()


def _hold(make: Callable[..., Any], args: tuple[object, ...]) -> None:
    global _held
    set_baseline()  # `make` has come with its imports
    _held = make(*args)


def _call(method: str, args: tuple[object, ...]) -> Any:
    return getattr(_held, method)(*args)
