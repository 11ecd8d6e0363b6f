"""Locks on files: one run per directory, one preparation of the same data at a time.

The kernel frees a lock when its owner ends, however it ends, so a dead process blocks nobody. On
network file systems locks may be advisory.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssgan.types import UserError


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold the lock file, or raise UserError naming the host and process that hold it.

    The file's text is for people only. Also UserError where there are no file locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not try_lock(descriptor, wait=False):
            raise UserError(f"{path.parent} is in use by {_owner(descriptor)}")
        os.ftruncate(descriptor, 0)
        owner = {"host": socket.gethostname(), "process": os.getpid()}
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file until it is closed; False when another holds it and we are not to wait.

    Raises UserError where there are no file locks (Windows): two processes would write one file.
    """
    try:
        import fcntl  # not on every system, and only needed here
    except ImportError:
        raise UserError("this system has no file locks (fcntl): use Linux, macOS or WSL") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(descriptor: int) -> str:
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {owner['process']} on {owner['host']}"
    except (ValueError, KeyError, TypeError):
        return "another run"
