"""docs/web.md: its commands can be typed, and its pictures are there and small."""

import re
from pathlib import Path

from PIL import Image

from ssgan.cli.main import VERBS
from ssgan.cli.parser import parse

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "web.md").read_text(encoding="utf-8")


def test_every_command_of_the_page_can_be_typed():
    commands = re.findall(r"^    ssgan (.*)$", PAGE, flags=re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        verb, *words = command.split()
        assert parse(verb, VERBS[verb], words).words == tuple(words)


def test_its_pictures_are_there_and_below_300_kilobytes():
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", PAGE)
    assert len(pictures) == 2
    for name in pictures:
        assert (DOCS / name).stat().st_size < 300_000
        with Image.open(DOCS / name) as picture:
            assert picture.format == "PNG"
