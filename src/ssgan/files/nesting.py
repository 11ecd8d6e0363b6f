"""JSON from foreign files: text that is nested too deeply is a ValueError, as any other fault."""

import json
from typing import Any

MAX_DEPTH = 64  # tables and lists in one another; a config has about 8


def parse_json(text: str | bytes) -> Any:
    """The value that `json.loads` finds; ValueError for bad syntax and for deep nesting.

    What is returned can be walked by a recursive function.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check_depth(value)
    return value


def _check_depth(value: object) -> None:
    """Raise ValueError for tables and lists that are nested more than 64 deep."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        inner = [one for one in level if isinstance(one, dict | list) and one]
        if not inner:
            return
        level = [
            below
            for one in inner
            for below in (one.values() if isinstance(one, dict) else one)
            if isinstance(below, dict | list)
        ]
    raise ValueError(f"it is nested too deeply; at most {MAX_DEPTH} levels are read")
