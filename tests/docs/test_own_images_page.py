"""docs/own-images.md: its tables follow from sizes and from docs/results/speed.md."""

import re
from pathlib import Path

import pytest

from ssgan.files.archive import MAX_MEMBERS
from ssgan.recipes import auto
from ssgan.training import validation

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "own-images.md").read_text(encoding="utf-8")
SPEED = (DOCS / "results" / "speed.md").read_text(encoding="utf-8")


def rows(heading):
    """The cells below the line that begins a table with this heading."""
    lines = PAGE[PAGE.index(f"| {heading} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def number(text):
    value, *unit = text.replace(",", "").split()
    return float(value) * {"MB": 1e6, "GB": 1e9}.get("".join(unit), 1)


def test_prepared_images_have_three_bytes_a_pixel():
    for count, *sizes, times in rows("images"):
        for side, size in zip((32, 64, 128), sizes, strict=True):
            assert number(size) == pytest.approx(number(count) * 3 * side**2, rel=0.03), side
        assert number(times.split()[0]) == pytest.approx(5000 * 64 / number(count))


def curve(name):
    """A row of the cost curve in speed.md for every batch size, then for every side."""
    part = SPEED[SPEED.index("## Cost against batch and pixels") :].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith(f"| {name}")]
    return [[number(cell) for cell in line.strip("|").split("|")[1:]] for line in lines]


def test_time_and_memory_are_those_of_the_cost_curve():
    seconds, memory = curve("seconds a step"), curve("memory, MB")
    batches, sides = rows("batch, at 32 pixels"), rows("side, at batch 64")
    assert [number(row[1]) for row in batches] == seconds[0]
    assert [number(row[2]) / 1e6 for row in batches] == memory[0]
    assert [number(row[1]) for row in sides] == seconds[1]
    assert [number(row[3]) / 1e6 for row in sides] == memory[1]
    minutes = [int(row[2].split()[0]) for row in sides]
    assert minutes == [round(5000 * value / 60) for value in seconds[1]]


def test_the_limits_of_the_page_are_those_of_the_code():
    assert f"below {auto._SMALL:,} pictures" in PAGE
    assert f"at most {MAX_MEMBERS:,} members" in PAGE
    few = PAGE[PAGE.index("## 1,000 images") :]
    assert validation._FEW == 1000
    assert re.search(r"line on few pictures is no longer printed", few)
