"""docs/report.md: its commands can be typed, and its pictures are there and small."""

import re
from pathlib import Path

import pytest

from ssgan.cli.main import VERBS
from ssgan.cli.parser import parse

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", re.findall(r"^    ssgan (.*)$", PAGE, flags=re.MULTILINE))
def test_every_command_of_the_page_can_be_typed(command):
    verb, *words = command.split()
    assert parse(verb, VERBS[verb], words).words == tuple(words)


def test_the_pictures_are_there_and_small():
    pictures = re.findall(r"\]\((images/[^)]+)\)", PAGE)
    assert len(pictures) == 2
    assert all((DOCS / picture).stat().st_size < 300_000 for picture in pictures)
