"""docs/commands.md: every command of the page is one, and every verb that only reads is on it."""

import re
from pathlib import Path

import pytest

from ssgan.cli.main import VERBS
from ssgan.cli.parser import parse

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    ssgan (.*)$", PAGE, flags=re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_can_be_typed(command):
    verb, *words = command.split()
    assert parse(verb, VERBS[verb], words).words == tuple(words)


def test_every_verb_that_only_reads_is_on_the_page():
    assert {command.split()[0] for command in COMMANDS} >= {"runs", "show", "doctor"}
