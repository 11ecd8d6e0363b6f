"""Read a file that was listed before: a regular one of bounded size, without waiting."""

import os
import stat

from ssgan.data.preprocessing import MAX_FILE_BYTES


def read_regular_file(path: bytes | str) -> bytes:
    """The content of a file of at most MAX_FILE_BYTES.

    Raises OSError with the reason for a larger one, and for what became a pipe, a device or a
    folder since it was listed.
    """
    # O_NONBLOCK: opening a pipe would wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("no longer a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise OSError(f"the file is larger than {MAX_FILE_BYTES:,} bytes")
        return file.read(MAX_FILE_BYTES)
