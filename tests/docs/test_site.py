"""`make docs` builds the site without a warning, and the site needs nothing from outside."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
LOADS = {"src", "srcset", "data", "poster"}  # attributes of any element whose value is fetched


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("furo")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        ["make", "docs", f"PYTHON={sys.executable}", f"SITE={folder}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Loaded(HTMLParser):
    """Every address that a page loads without a click."""

    def __init__(self, page):
        super().__init__()
        self.addresses = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        loads = LOADS | {"href"} if tag == "link" else LOADS
        self.addresses += [value for name, value in attributes if name in loads and value]


def test_no_page_and_no_style_names_an_asset_from_outside(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    addresses = [one for page in pages for one in Loaded(page).addresses]
    assert addresses
    styles = "\n".join(style.read_text(encoding="utf-8") for style in site.rglob("*.css"))
    addresses += re.findall(r"""(?:url\(|@import\s+)["']?([^"')\s;]+)""", styles)
    assert [one for one in addresses if re.match(r"(https?:)?//", one)] == []


def test_every_page_of_docs_is_on_the_site(site):
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if not (site / page).with_suffix(".html").exists()] == []


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_browser_requests_nothing_from_outside(site):
    playwright = pytest.importorskip("playwright.sync_api")
    flags = "--no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    requests, errors = [], []
    with playwright.sync_playwright() as program:
        browser = program.chromium.launch(executable_path=CHROMIUM, args=flags.split())
        page = browser.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        for name in ("index", "api", "results/scenes"):
            page.goto((site / f"{name}.html").as_uri())
        assert errors == []
        page.goto((site / "search.html").as_uri() + "?q=rotation")
        page.wait_for_selector("#search-results li")
        browser.close()
    assert len(requests) > 10
    assert [one for one in requests if not one.startswith(("file:", "data:"))] == []
