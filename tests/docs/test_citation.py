"""CITATION.cff names this software and the paper, in the fields that its format requires."""

import re
from pathlib import Path

import pytest

from ssgan import __version__

ROOT = Path(__file__).parents[2]


def test_the_citation_has_every_required_field():
    yaml = pytest.importorskip("yaml")
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert found["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "license"} <= found.keys()
    assert found["version"] == __version__
    paper = found["preferred-citation"]
    assert {"type", "title", "authors", "year"} <= paper.keys()
    assert [author["family-names"] for author in paper["authors"]][:2] == ["Chen", "Zhai"]
    assert "1811.11212" in paper["identifiers"][0]["value"]


def test_the_page_on_security_has_a_way_to_report_and_no_invented_address():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "private advisory" in text
    assert "docs/threat-model.md" in text
    assert not re.search(r"\S@\S|https?://", text)
