"""Append-only files of one JSON object a line, each with a "step"."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from ssgan.files.atomic import write_atomic


def append(path: Path, row: dict[str, object]) -> None:
    """One line, in one write where there is room, so that only the last line can be torn."""
    line = (json.dumps(row, allow_nan=False) + "\n").encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        while line:  # a disk that fills up takes a part; the rest then raises
            line = line[os.write(descriptor, line) :]
    finally:
        os.close(descriptor)


def read(path: Path) -> Iterator[dict[str, object]]:
    """Every whole line, in order; a torn last line is passed over. Missing file: no rows."""
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def cut_back(path: Path, step: int) -> None:
    """Drop every row later than that step, and a torn line; the file is replaced whole."""
    if not path.exists():
        return
    rows = [row for row in read(path) if isinstance(row.get("step"), int) and row["step"] <= step]  # type: ignore[operator]
    write_atomic(path, "".join(json.dumps(row) + "\n" for row in rows).encode())
