"""Atomic writes: a reader sees the old or the new content of a file, whenever the writer dies.

The steps are: a temporary file in the same folder, fsync, rename, fsync of the folder.
"""

import contextlib
import errno
import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_CHUNK_BYTES = 16 * 1024
TEMPORARY = ".writing-{}.tmp"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # no room: of the disk, the user, the process

O_BINARY: int = getattr(os, "O_BINARY", 0)  # Windows writes CR LF for LF without it

Crash = Callable[[str], None]  # called with the name of each step of a writer


class DiskFull(Exception):  # noqa: N818 - the name of a state
    """No space for a file: one line with the path, the bytes needed and what does not allow them.

    `code` is the system's: ENOSPC for a full disk, EDQUOT for the user's quota, EFBIG for the
    limit on the size of a file.
    """

    def __init__(
        self, path: Path, needed: int | None, free: int, code: int | None = errno.ENOSPC
    ) -> None:
        self.path, self.needed, self.free = path, needed, free
        size = "more bytes" if needed is None else f"{needed:,} bytes"
        if code == errno.EFBIG:
            words = f"file too large: {path} needs {size}, and {_file_limit()}"
        elif code == errno.EDQUOT:
            words = f"quota used up: {path} needs {size}, and your quota on this disk has no more"
        elif needed is None:
            words = f"disk full: {path} needs more than the {free:,} bytes that are free"
        else:
            words = f"disk full: {path} needs {size}, but only {free:,} are free"
        super().__init__(words)


def _file_limit() -> str:
    """What limits the size of a file: the process (`ulimit -f`), or else the file system."""
    if sys.platform != "win32":
        import resource  # which Windows lacks

        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if limit != resource.RLIM_INFINITY:
            return f"a file may have {limit:,} here (ulimit -f)"
    return "its file system takes no file of that size"


class AtomicFile:
    """A file that is written under a temporary name."""

    def __init__(self, descriptor: int, crash: Crash | None) -> None:
        self._descriptor, self._crash = descriptor, crash
        self.written = 0  # bytes so far

    def write(self, data: bytes | memoryview) -> int:
        """Append all of `data`, in pieces of at most 16 KiB; returns its bytes."""
        view = memoryview(data).cast("B")
        for first in range(0, len(view), _CHUNK_BYTES):
            piece = view[first : first + _CHUNK_BYTES]
            while piece:
                piece = piece[os.write(self._descriptor, piece) :]
            self.written += len(view[first : first + _CHUNK_BYTES])
            self.reach(f"wrote:{self.written}")
        return len(view)

    def flush(self) -> None:
        """Nothing is buffered."""

    def reach(self, point: str) -> None:
        """Report a step to the fault harness, if there is one."""
        if self._crash is not None:
            self._crash(point)


@contextmanager
def open_atomic(
    path: Path, needed: int | None = None, crash: Crash | None = None, *, durable: bool = True
) -> Iterator[AtomicFile]:
    """Write a file piece by piece; it is renamed to `path` if the block ends without an error.

    `needed` is the size in bytes if known, for the message of DiskFull. On an error the temporary
    file is removed and `path` is unchanged. A killed process leaves its temporary file: see
    `remove_strays`. Without `durable` there is no fsync: after a loss of power the content is
    arbitrary, so the reader must verify it.
    """
    temporary = path.parent / TEMPORARY.format(secrets.token_hex(8))
    file: AtomicFile | None = None
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | O_BINARY
        descriptor = os.open(temporary, flags, 0o666)
        try:
            file = AtomicFile(descriptor, crash)
            file.reach("opened")
            yield file
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        file.reach("synced")
        os.replace(temporary, path)
        file.reach("renamed")
        if durable:
            sync_folder(path.parent)
        file.reach("folder-synced")
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno in FULL:
            size = needed if needed is not None else (file.written if file else None)
            raise DiskFull(path, size, free_bytes(path.parent), error.errno) from None
        raise


def write_atomic(
    path: Path, data: bytes | memoryview, crash: Crash | None = None, *, durable: bool = True
) -> None:
    """Write `data` to `path` atomically; it survives a loss of power after the return.

    `crash` is called at the points "opened", "wrote:<bytes so far>" every 16 KiB, "synced",
    "renamed" and "folder-synced". `durable` as in `open_atomic`. Raises DiskFull or OSError.
    """
    with open_atomic(path, len(memoryview(data).cast("B")), crash, durable=durable) as file:
        file.write(data)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented ASCII JSON, atomically; ValueError for NaN or infinity."""
    text = json.dumps(value, indent=2, allow_nan=False)
    write_atomic(path, (text + "\n").encode("ascii"))


def remove_strays(folder: Path) -> list[Path]:
    """Remove the temporary files of killed writers from `folder`, and return their paths.

    The caller must hold the lock of the folder, as files of living writers are removed too.
    """
    strays = sorted(folder.glob(TEMPORARY.format("*")))
    for stray in strays:
        stray.unlink(missing_ok=True)
    return strays


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a loss of power, if the file system supports it."""
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of `folder`, which need not exist yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
