"""The lowest allowed version of every package that reads foreign files has no known fault."""

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
FIRST_GOOD = {
    "torch": (2, 6, 0),  # a file of weights could run code
    "pillow": (12, 3, 0),  # an image could make it write outside of its memory
    "pyarrow": (14, 0, 1),  # a Parquet file could run code
}


def floors() -> dict[str, tuple[int, ...]]:
    """Every package with the lowest version that the project allows."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    pairs = [re.split(r"[=>]=", line) for group in groups for line in group]
    return {package: tuple(map(int, floor.split("."))) for package, floor in pairs}


def test_no_version_with_a_known_fault_is_allowed() -> None:
    allowed = floors()
    assert allowed.keys() >= FIRST_GOOD.keys()
    assert {p: allowed[p] for p, good in FIRST_GOOD.items() if allowed[p] < good[:2]} == {}
