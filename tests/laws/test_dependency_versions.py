"""The lowest allowed version of every package that reads foreign files has no known fault."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
FIRST_GOOD = {
    "torch": (2, 11, 0),  # CVE-2025-32434 until 2.5: a file of weights could run code;
    # CVE-2026-24747 until 2.10: it could write outside of its memory
    "pillow": (12, 3, 0),  # an image could make it write outside of its memory
    "pyarrow": (14, 0, 1),  # a Parquet file could run code
    "starlette": (0, 49, 1),  # a header could take minutes of work
    "h11": (0, 16, 0),  # the end of a chunk was not checked, so that requests could be smuggled
}


def floors(text: str) -> dict[str, tuple[int, ...]]:
    """Every package with the lowest version that the project allows."""
    project = tomllib.loads(text)["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    pairs = [re.split(r"[=>]=", line) for group in groups for line in group]
    return {package: tuple(map(int, floor.split("."))) for package, floor in pairs}


def too_low(allowed: Mapping[str, tuple[int, ...]]) -> set[str]:
    """The packages whose lowest version has a known fault."""
    return {package for package, good in FIRST_GOOD.items() if allowed[package] < good[:2]}


def test_no_version_with_a_known_fault_is_allowed() -> None:
    assert too_low(floors(PROJECT.read_text())) == set()


@pytest.mark.parametrize(
    ("pin", "bad"), [("torch>=2.11", "torch>=2.10"), ("pillow>=12.3", "pillow>=12.2")]
)
def test_a_known_bad_pin_is_seen(pin: str, bad: str) -> None:
    text = PROJECT.read_text()
    assert text.count(pin) == 1
    assert too_low(floors(text.replace(pin, bad))) == {pin.partition(">")[0]}
