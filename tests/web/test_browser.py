"""The page in a browser, from the list of runs to a downloaded image: one test for all views.

Chromium reports every request and every error, so that the page loads nothing from elsewhere and
no name in it becomes markup.
"""

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.web.pages import EVIL, TOKEN, write_logs

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@pytest.fixture
def page():
    api = pytest.importorskip("playwright.sync_api", reason="a browser is driven by playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page(viewport={"width": 1000, "height": 800})
        page.set_default_timeout(20_000)
        yield page
        browser.close()


@pytest.mark.slow
def test_a_reader_goes_from_the_runs_to_chosen_images(page, port, rows, folder, tmp_path):
    api = pytest.importorskip("playwright.sync_api", reason="a browser is driven by playwright")
    address = f"http://127.0.0.1:{port}/{TOKEN}/"
    asked, errors, first = [], [], rows["first"]["id"]
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.on("dialog", lambda dialog: errors.append(f"a script ran: {dialog.message}"))

    page.goto(address)
    page.locator(".run .name").nth(2).wait_for()
    assert sorted(page.locator(".run .name").all_inner_texts()) == sorted(
        [EVIL, "first", "labelled"]
    )
    assert page.locator("main img").count() == 0  # the name of a run is text
    write_logs(folder / "first", steps=6)  # the run goes on
    page.get_by_text("6 of 6").wait_for()

    page.goto(f"{address}#/run/{first}")
    page.get_by_role("img", name="Adversarial loss: D").wait_for()
    assert page.get_by_text("it learns").count()

    page.goto(f"{address}#/gallery/{first}")
    page.locator(".tile").nth(4).click()
    page.locator(".tile").nth(9).click()
    with page.expect_download() as download:
        page.get_by_text("Download 2").click()
    download.value.save_as(tmp_path / "chosen.zip")
    names = zipfile.ZipFile(tmp_path / "chosen.zip").namelist()
    assert names == ["image-00000.png", "image-00001.png", "images.json"]

    page.get_by_text("Pick 2 for Latents").click()
    page.locator(".strip img").nth(8).wait_for()
    big = page.locator("img.big").first
    api.expect(big).to_have_attribute("src", re.compile("^blob:"), timeout=20_000)
    before = big.get_attribute("src")
    page.get_by_label("direction 1").fill("3")
    api.expect(big).not_to_have_attribute("src", before, timeout=20_000)
    Image.fromarray(np.full((20, 30, 3), 120, np.uint8)).save(tmp_path / "mine.png")
    page.get_by_label("Steps").fill("3")
    page.set_input_files("input[type=file]", tmp_path / "mine.png")
    page.get_by_text("Move from here").click()
    page.get_by_text("projection of mine.png").wait_for()

    page.goto(f"{address}#/rotations/{first}")
    page.locator("figure .four").nth(11).wait_for()  # six fakes and six real images
    assert page.get_by_text("% of the rotations are recognised").count() == 2

    page.goto(f"{address}#/features/{first}")
    page.locator("canvas").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("fake: sample 0").wait_for()

    page.goto(address)
    for place in (0, 1):
        page.locator(".run input").nth(place).check()
    page.get_by_text("Compare 2 runs").click()
    page.get_by_text("Settings that differ").wait_for()
    page.goto(f"{address}#/rotations/{'0' * 16}")  # a run that is gone: the first one instead
    page.locator("figure .four").first.wait_for()

    foreign = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    assert (foreign, errors) == ([], [])
