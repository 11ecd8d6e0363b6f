"""Folders that only this user should write: other writers are named.

A cache may lie on a shared disk. Whoever can write there can replace what is read from it.
"""

import contextlib
import logging
import os
import stat
import sys
from pathlib import Path

_LOG = logging.getLogger("ssgan")
_NAMED: set[Path] = set()  # folders that a warning has named


def warn_of_other_writers(folder: Path) -> None:
    """Log one warning, once a process, when other users can replace what is in a folder.

    That is: it is another user's, or others may write it, or they may rename a folder above it.
    A sticky folder such as /tmp protects what belongs to somebody. Root is trusted.
    """
    place = Path(os.path.realpath(folder))
    for number, path in enumerate((place, *place.parents)):
        reason = _describe_writers(path, is_inner=number == 0)
        if reason and path not in _NAMED:
            _NAMED.add(path)
            _LOG.warning(
                "%s %s: they can replace the images and features that are read from there; "
                "SSGAN_CACHE or --cache names another folder",
                *(path, reason),
            )


def _describe_writers(path: Path, is_inner: bool) -> str:
    """Who else can replace entries of a folder, in words; empty: nobody."""
    if sys.platform == "win32":  # rights are lists there
        return ""
    try:
        status = path.stat()
    except OSError:  # it is not there yet
        return ""
    if is_inner and status.st_uid not in (os.getuid(), 0):
        return f"belongs to another user ({_user_name(status.st_uid)})"
    if status.st_mode & stat.S_ISVTX:
        return ""
    if status.st_mode & stat.S_IWOTH:
        return "can be written by every user"
    if is_inner and status.st_mode & stat.S_IWGRP:
        group = _group_name(status.st_gid)
        if group != _user_name(os.getuid()):  # many systems give each user a group alone
            return f"can be written by the group {group}"
    return ""


if sys.platform != "win32":
    import grp
    import pwd

    def _user_name(number: int) -> str:
        with contextlib.suppress(KeyError):
            return pwd.getpwuid(number).pw_name
        return str(number)

    def _group_name(number: int) -> str:
        with contextlib.suppress(KeyError):
            return grp.getgrgid(number).gr_name
        return str(number)
