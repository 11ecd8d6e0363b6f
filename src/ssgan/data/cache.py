"""Where prepared data is kept, and who may write there."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ssgan.files.locks import try_lock

CACHE = "SSGAN_CACHE"  # environment variable naming the cache folder


def default_cache() -> Path:
    """`$SSGAN_CACHE`, else `$XDG_CACHE_HOME/ssgan`, else `~/.cache/ssgan`; it need not exist."""
    if named := os.environ.get(CACHE):
        return Path(named)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "ssgan"
    return Path.home() / ".cache" / "ssgan"


@contextmanager
def locked_folder(path: Path, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """One process (and thread) at a time between here and the end of the block.

    `on_wait` is called once when another one is inside. The kernel gives the turn back when its
    holder dies. Raises UserError where there are no file locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not try_lock(descriptor, wait=False):
            if on_wait is not None:
                on_wait()
            try_lock(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)
