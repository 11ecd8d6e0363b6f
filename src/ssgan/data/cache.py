"""The folder for prepared data, downloads and features."""

import os
from pathlib import Path

from platformdirs import user_cache_path

CACHE = "SSGAN_CACHE"  # environment variable naming the cache folder


def default_cache() -> Path:
    """`$SSGAN_CACHE`, else the system's cache folder for `ssgan`; it need not exist.

    That is `$XDG_CACHE_HOME/ssgan` or `~/.cache/ssgan` on Linux, `~/Library/Caches/ssgan` on
    macOS and `%LOCALAPPDATA%\\ssgan\\Cache` on Windows.
    """
    named = os.environ.get(CACHE)
    return Path(named) if named else user_cache_path("ssgan", appauthor=False)
