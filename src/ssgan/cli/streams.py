"""Output for people: written line by line; a line that cannot be written ends nothing."""

import codecs
import errno
import io
import os
import re
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from ssgan.files.names import printable

_STDERR = 2
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069]")

# A wrapper that `open` did not make has no `mode`: to a check at run time it is no TextIO.
Stream = TextIO | io.TextIOWrapper


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    """Bytes of file names as they are, and every other character as an escape."""
    assert isinstance(error, UnicodeEncodeError)
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeEncodeError:
        error.end = error.start + 1  # one character: the next may be a byte again
        return codecs.lookup_error("backslashreplace")(error)


codecs.register_error("ssgan.escape", _escape)
# What a stream does with a character that it cannot encode. The C locale has surrogateescape.
_ERRORS = {"strict": "backslashreplace", "surrogateescape": "ssgan.escape"}


class Lines(io.FileIO):
    """Writes to an open file until the first error, and nowhere after it."""

    error: OSError | None = None  # the first

    def write(self, data: Any, /) -> int:
        """Write all of it, or lose what is left; returns its size."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left and self.error is None:
            try:
                left = left[os.write(self.fileno(), left) :]
            except BlockingIOError:  # of a terminal or a pipe that somebody set so
                select.select([], [self], [])
            except OSError as error:
                self.error = error
        return size


class Text(io.TextIOWrapper):
    """Text for people, in which no name from a file can move the cursor or hide other text."""

    def write(self, text: str, /) -> int:
        """Write the text, with its control characters but line feed and tab escaped."""
        return super().write(_CONTROLS.sub(lambda found: printable(found[0]), text))


@contextmanager
def tolerate_lost_output() -> Iterator[Lines | None]:
    """Writing to stdout and stderr raises nothing inside; yields the lines of stdout.

    It yields None where stdout is no open file. Characters outside its encoding are escaped.
    """
    before = sys.stdout, sys.stderr
    lines = _lines(sys.stdout), _lines(sys.stderr)
    sys.stdout, sys.stderr = ours = _over(lines[0], before[0]), _over(lines[1], before[1])
    try:
        yield lines[0]
    finally:
        sys.stdout, sys.stderr = before
        for stream in ours:
            if stream is not None:  # Python's word for one that was closed at the start
                stream.flush()


def find_output_error(lines: Lines | None) -> OSError | None:
    """Why not all of stdout was written; a reader who had read enough (EPIPE) is no reason."""
    if lines is None:
        return None
    sys.stdout.flush()
    gone = lines.error is not None and lines.error.errno == errno.EPIPE
    return None if gone else lines.error


def _lines(stream: Stream) -> Lines | None:
    try:
        return Lines(stream.fileno(), "w", closefd=False)
    except (OSError, AttributeError):  # in memory, as in a notebook, or closed at the start: None
        return None


def _over(lines: Lines | None, stream: Stream) -> Stream:
    """The stream again, but writing to these lines, if there are any."""
    if lines is None or not isinstance(stream, io.TextIOWrapper):
        return stream
    errors = _ERRORS.get(stream.errors or "strict", stream.errors)
    buffer = io.BufferedWriter(lines)
    # line by line in a file and a pipe, too: what is printed survives a process that is killed
    # stderr shows a live bar, which moves the cursor
    kind = io.TextIOWrapper if lines.fileno() == _STDERR else Text
    return kind(buffer, stream.encoding, errors, line_buffering=True)
