"""Every command of some pages can be typed; docs/commands.md has every verb that only reads."""

import re
from pathlib import Path

import pytest

from ssgan.cli.main import VERBS
from ssgan.cli.parser import parse

DOCS = Path(__file__).parents[2] / "docs"


def commands(page):
    """What follows `ssgan` in the indented blocks of a page; a backslash joins two lines."""
    text = (DOCS / page).read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(r"^(?: {4}| {6})ssgan (.*)$", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("page", "command"),
    [
        (page, command)
        for page in ("commands.md", "curves.md", "install.md", "own-images.md")
        for command in commands(page)
    ],
)
def test_every_command_of_the_page_can_be_typed(page, command):
    verb, *words = command.split()
    options = parse(verb, VERBS[verb], words)
    if page == "commands.md":
        assert options.words == tuple(words)


def test_every_verb_that_only_reads_is_on_the_page():
    assert {command.split()[0] for command in commands("commands.md")} >= {"runs", "show", "doctor"}
