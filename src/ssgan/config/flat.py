"""Nested settings as one table."""

from collections.abc import Mapping
from typing import Any


def flat(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Every value by its full name, such as `network.width`."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            found |= flat(value, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = value
    return found
