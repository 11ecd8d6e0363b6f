"""docs/install.md: its table of extras is that of the package, and its commands can be typed."""

import re
import tomllib
from pathlib import Path

from ssgan.cli.main import VERBS
from ssgan.cli.parser import parse

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")


def test_the_table_of_extras_has_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = PAGE[PAGE.index("## Extras") :].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)) == set(
        project["optional-dependencies"]
    )


def test_the_way_to_the_page_can_be_typed():
    commands = re.findall(r"^    \.venv/bin/ssgan (.*)$", PAGE, flags=re.MULTILINE)
    assert commands == ["demo", "web"]
    for verb in commands:
        assert parse(verb, VERBS[verb], []).words == ()
    assert f"ssgan-{_version()}-py3-none-any.whl[web]" in PAGE


def _version() -> str:
    return str(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    )
