"""Locks on files: one run per directory, one preparation of the same data at a time.

The system frees a lock when its owner ends, however it ends. A forked child neither shares nor
frees its parent's lock. Network file systems may keep locks on one host only.
"""

import contextlib
import errno
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from ssgan.files.links import open_unlinked, refuse_links, require_file
from ssgan.files.nesting import parse_json
from ssgan.types import UserError

_UNSUPPORTED = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}  # some cluster file systems
_POLL_SECONDS = 0.05
_LOG = logging.getLogger("ssgan")


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold the lock file, or raise UserError naming the host and process that hold it.

    The names are in a second file, `<path>.owner`, as a locked file is unreadable on Windows.
    """
    owner = _owner_path(path)
    refuse_links(path.parent, path, owner, _marker_path(path))
    require_file(owner)
    lock = _try_lock(path)
    if lock is None:
        raise UserError(f"{path.parent} is in use by {_owner(path)}")
    try:
        with open(owner, "w", encoding="ascii", opener=open_unlinked) as file:
            json.dump({"host": socket.gethostname(), "process": os.getpid()}, file)
        yield
    finally:
        if lock.is_locked:  # a forked child does not hold it
            with contextlib.suppress(OSError):
                owner.unlink()
        lock.release()


def find_holder(path: Path) -> str | None:
    """The process that holds the lock file, in words; None when none does. Creates nothing.

    A lock whose owner ended without a word, as after kill -9, is held for an instant to see it.
    """
    if not (path.exists() and _owner_path(path).exists()):
        return None
    if _marker_path(path).exists():
        return _owner(path)
    lock = None
    try:
        if FileLock is not SoftFileLock:
            lock = _native_lock(path)
            lock.acquire(blocking=False)
    except Timeout:
        return _owner(path)
    except OSError:  # not ours to open, or no locks here: only the marker would say
        return None
    if lock is not None:
        lock.release()
    return None


@contextmanager
def wait_for_lock(path: Path, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file as soon as no other process or thread holds it.

    `on_wait` is called once if another one does.
    """
    refuse_links(path.parent, path, _marker_path(path))
    lock = _try_lock(path)
    if lock is None and on_wait is not None:
        on_wait()
    while lock is None:
        time.sleep(_POLL_SECONDS)
        lock = _try_lock(path)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Hold the lock file and give True, or give False when another process or thread holds it.

    On a file system without locks everyone gets True: what is done twice must do no harm.
    """
    refuse_links(path.parent, path)
    lock: BaseFileLock | None = None
    try:
        if FileLock is not SoftFileLock:
            lock = _native_lock(path)
            lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        lock = None
    try:
        yield True
    finally:
        if lock is not None:
            lock.release()


def _native_lock(path: Path) -> BaseFileLock:
    # Not per thread: a generator that holds it may be closed by another thread.
    return FileLock(path, thread_local=False, fallback_to_soft=False, preserve_lock_file=True)


def _try_lock(path: Path) -> BaseFileLock | None:
    """The lock, held; None when another process or thread holds it."""
    if FileLock is SoftFileLock:  # a system with locks of neither Unix nor Windows
        return _try_marker(path)
    lock = _native_lock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return _try_marker(path)
    return lock


def _try_marker(path: Path) -> BaseFileLock | None:
    """In place of a lock: a file that exists while it is held and names its owner.

    Another process of the same host removes it when the owner is dead.
    """
    marker = SoftFileLock(_marker_path(path), thread_local=False)
    try:
        marker.acquire(blocking=False)
    except Timeout:
        return None
    _LOG.warning(
        "%s is on a file system without locks: while it is in use there is a file %s.marker, to be "
        "removed by hand when another host crashed",
        *(path.parent, path.name),
    )
    return marker


def _owner(path: Path) -> str:
    for place in (_owner_path(path), path):  # the second: as version 0.1.0 wrote it
        try:
            owner = parse_json(place.read_bytes())
            return f"process {owner['process']} on {owner['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return "another process"


def _marker_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.marker")


def _owner_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.owner")
