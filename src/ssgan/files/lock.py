"""One run per directory; the lock dies with its owner."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssgan.types import UserError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file, or raise UserError naming the host and process that hold it.

    The kernel frees it when the owner ends, however it ends, so a dead run blocks nobody. The
    file's text is for people only. On network file systems the lock may be advisory.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{path.parent} is in use by {_owner(descriptor)}") from None
        os.ftruncate(descriptor, 0)
        owner = {"host": socket.gethostname(), "process": os.getpid()}
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _owner(descriptor: int) -> str:
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {owner['process']} on {owner['host']}"
    except (ValueError, KeyError, TypeError):
        return "another run"
