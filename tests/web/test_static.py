"""The files of the page: plain scripts of ours that load nothing else; text stays text."""

import re
from pathlib import Path

import pytest

from ssgan.web import app
from ssgan.web.requests import MOST_IMAGES, MOST_SLIDERS

STATIC = Path(app.__file__).parent / "static"
FILES = {path.name: path.read_text(encoding="utf-8") for path in STATIC.iterdir()}
MARKUP = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser"


def test_every_file_of_the_page_is_served_and_no_other():
    assert set(FILES) == {*app._STATIC, *(f"{name}.js" for name in app._SCRIPTS)}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_loads_nothing_from_elsewhere_and_makes_no_markup_of_text(name):
    text = FILES[name].replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    assert not re.search(r"https?:|//cdn|@import", text)
    assert not re.search(MARKUP, text)
    assert not re.search(r"\son\w+=|style=|<script>|<style>|javascript:", text)
    imported = re.findall(r'from "\./([^"]+)"', text)
    assert set(imported) <= set(FILES)


def test_the_search_for_markup_finds_a_planted_line():
    for line in ("a.innerHTML = name", "document.write(name)", "eval(name)"):
        assert re.search(MARKUP, line)


def test_the_page_asks_for_no_more_than_is_served():
    assert f"const MOST_CHOSEN = {MOST_IMAGES};" in FILES["gallery.js"]
    assert MOST_SLIDERS == 8
