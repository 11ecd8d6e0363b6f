"""Errors of the operating system as one line for the user."""

import errno
import fnmatch
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssgan.files.atomic import FULL, TEMPORARY, DiskFull, free_bytes
from ssgan.types import UserError

_ADVICE = {
    errno.EROFS: "give a directory on another disk",
    errno.ENAMETOOLONG: "most systems allow 255 bytes in a name and 4,096 in a path; "
    "give a shorter one",
    errno.EMFILE: "this process may open no more (ulimit -n)",
    errno.ENFILE: "the whole system has too many open",
    errno.ELOOP: "it is a link, and nothing is written through one",
}


@contextmanager
def translate_file_errors(place: Path) -> Iterator[None]:
    """Within the block an OSError becomes DiskFull or a UserError with the file and the reason.

    `place` stands in if the error names no file.
    """
    try:
        yield
    except OSError as error:
        named = error.filename2 or error.filename  # filename2 is the target of a rename
        path = Path(str(named)) if named else place
        if fnmatch.fnmatch(path.name, TEMPORARY.format("*")):
            path = path.parent  # the folder cannot be written
        if error.errno in FULL:
            raise DiskFull(path, None, free_bytes(path), error.errno) from error
        raise UserError(f"{path} cannot be written or read: {explain(error)}") from error


def explain(error: OSError) -> str:
    """Why the system refused, with what helps where it is not plain."""
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    advice = _ADVICE.get(error.errno or 0)
    return f"{reason}: {advice}" if advice else reason


def require_writable(folder: Path) -> None:
    """Raise UserError if a folder, which need not exist yet, is not writable by its rights.

    Nothing is written, so a full or read-only disk is not noticed here.
    """
    place = folder
    try:
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {explain(error)}") from None
