"""JSON lines: append-only files with one object a line, each with a "step"."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ssgan.files.atomic import O_BINARY, write_atomic
from ssgan.files.links import O_NOFOLLOW, require_file
from ssgan.files.nesting import parse_json
from ssgan.types import UserError

_MAX_CHARACTERS = 40
_TAIL_BYTES = 1 << 16  # holds several rows


class Kind(NamedTuple):
    """A condition on a value of parsed JSON."""

    words: str  # "a whole number"
    fits: Callable[[Any], bool]


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e100  # NaN is not


WHOLE = Kind("a whole number, 0 or more", lambda v: type(v) is int and 0 <= v < 2**63)
NUMBER = Kind("a number below 1e100", _number)  # sums and squares of such are finite
NUMBER_OR_NULL = Kind("a number below 1e100 or null", lambda v: v is None or _number(v))
SHARE = Kind("a number from 0 to 1", lambda v: _number(v) and 0 <= v <= 1)
FLAG = Kind("true or false", lambda v: isinstance(v, bool))
TEXT = Kind("a text", lambda v: isinstance(v, str))
TEXTS = Kind(
    "a list of texts", lambda v: isinstance(v, list) and all(isinstance(item, str) for item in v)
)
WHOLES = Kind("a list of whole numbers", lambda v: isinstance(v, list) and all(map(WHOLE.fits, v)))
TABLE = Kind("a table", lambda v: isinstance(v, dict))
PAIR = Kind(
    "a list of two numbers", lambda v: isinstance(v, list) and len(v) == 2 and all(map(_number, v))
)


def append(path: Path, row: dict[str, object]) -> None:
    """Append a line in one write, so that only the last line can be incomplete.

    Raises OSError (ELOOP) when the file is a link.
    """
    line = (json.dumps(row, allow_nan=False) + "\n").encode()
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | O_BINARY | O_NOFOLLOW
    descriptor = os.open(path, flags, 0o644)
    try:
        while line:  # a full disk takes a part; the next write raises
            line = line[os.write(descriptor, line) :]
    finally:
        os.close(descriptor)


def force_to_disk(path: Path) -> None:
    """Make all lines survive a loss of power; a missing file is ignored."""
    if path.exists():
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read(
    path: Path, needs: Mapping[str, Kind], others: Kind | None = None
) -> Iterator[dict[str, object]]:
    """The rows in order; empty lines and an incomplete last line are skipped.

    A missing file has no rows. Raises UserError with the number of a line that is no object,
    lacks a name in `needs`, or has a value that violates its condition there or, for other
    names, `others`: no command writes such a line.
    """
    require_file(path)
    lines = read_lines(path) if path.exists() else []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError:
            if number == len(lines):
                return
            complaint: str | None = "it is not valid JSON"
        else:
            complaint = _complaint(row, needs, others)
        if complaint is not None:
            advice = "correct or remove the line"
            raise UserError(f"{path}, line {number}: {complaint}; {advice}")
        yield row


def read_lines(path: Path) -> list[bytes]:
    """The lines of a file of rows in UTF-8; UserError for UTF-16, in which some editors save."""
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{")):  # not the zeros of a crash
        raise UserError(f"{path} is no text in UTF-8, perhaps in UTF-16: save it as UTF-8")
    return content.splitlines()


def read_last(path: Path) -> dict[str, object] | None:
    """The last valid row, from the end of the file alone; None when there is none there."""
    require_file(path)
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = file.read().splitlines()
    rows = (_up_to(line, 2**63) for line in reversed(lines))
    return next((row for row in rows if row is not None), None)


def cut_back(path: Path, step: int) -> None:
    """Remove every row after that step, and every invalid line, atomically."""
    require_file(path)
    if not path.exists():
        return
    lines = read_lines(path)
    kept = [row for line in lines if (row := _up_to(line, step)) is not None]
    write_atomic(path, "".join(json.dumps(row) + "\n" for row in kept).encode())


def list_steps(path: Path, step: int) -> list[int]:
    """The steps of all valid lines up to that step, in order, each once."""
    require_file(path)
    lines = read_lines(path) if path.exists() else []
    return sorted({row["step"] for line in lines if (row := _up_to(line, step)) is not None})


def _up_to(line: bytes, step: int) -> dict[str, Any] | None:
    """The row in a line, if it is valid and not after that step."""
    try:
        row = parse_json(line)
    except ValueError:
        return None
    known = isinstance(row, dict) and isinstance(row.get("step"), int)
    return row if known and row["step"] <= step else None


def _complaint(row: object, needs: Mapping[str, Kind], others: Kind | None) -> str | None:
    """The fault of a row; None without one."""
    if not isinstance(row, dict):
        return f"it must be an object, not {shorten(row)}"
    for name in needs:
        if name not in row:
            return f"it has no {name!r}"
    for name, value in row.items():
        kind = needs.get(name, others)
        if kind is not None and not kind.fits(value):
            return f"{name} must be {kind.words}, not {shorten(value)}"
    return None


def shorten(value: object) -> str:
    """A value of parsed JSON as text for an error, at most 40 characters."""
    text = json.dumps(value)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 3]}..."
