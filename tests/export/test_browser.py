"""The page draws the generator's images in a browser, from a local file, without a network."""

import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from ssgan.export.browser import build_page, read_runtime
from ssgan.export.plain import build_generator_graph
from ssgan.export.programs import trace, write_onnx
from tests.export.small import build_model

pytest.importorskip("onnxscript")
RUNTIME = os.environ.get("SSGAN_ONNXRUNTIME_WEB")
CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
ROWS, COLUMNS = 4, 8


def draw_numbers(seed, count):
    """The numbers of mulberry32 in [0, 1), by integers of Python."""
    state, mask, found = seed, 2**32 - 1, []
    for _ in range(count):
        state = (state + 0x6D2B79F5) & mask
        t = ((state ^ (state >> 15)) * (1 | state)) & mask
        t = ((t + ((t ^ (t >> 7)) * (61 | t))) & mask) ^ t
        found.append(((t ^ (t >> 14)) & mask) / 2**32)
    return found


@pytest.mark.slow
@pytest.mark.skipif(RUNTIME is None, reason="SSGAN_ONNXRUNTIME_WEB names no npm package")
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_page_draws_the_images_of_its_latents_and_asks_nothing_of_anybody(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    model = build_model("conditional")
    graph, onnx = build_generator_graph(model), tmp_path / "g.onnx"
    write_onnx(trace(graph), graph, onnx)
    page = tmp_path / "browser.html"
    page.write_text(build_page(model, onnx.read_bytes(), read_runtime(Path(RUNTIME))))
    asked, said = [], []
    with playwright.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page()
        tab.on("request", lambda request: asked.append(request.url.partition(":")[0]))
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(page.as_uri())
        tab.wait_for_function("document.getElementById('state').textContent.includes(' ms')")
        shown = tab.evaluate(
            "(() => { const c = document.getElementById('canvas');"
            " return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data) })()"
        )
        browser.close()
    assert said == []
    assert set(asked) <= {"file", "blob", "data"}

    size, count = model.config.data.image_size, ROWS * COLUMNS
    pairs = np.reshape(draw_numbers(0, 2 * count * model.config.generator.latent_size), (-1, 2))
    values = [math.sqrt(-2 * math.log(1 - a)) * math.cos(2 * math.pi * b) for a, b in pairs]
    latents = torch.tensor(values, dtype=torch.float32).reshape(count, -1)
    with torch.no_grad():
        images = graph.module(latents, torch.arange(count) % len(model.classes))
    expected = ((images + 1) * 127.5).permute(0, 2, 3, 1).numpy()
    canvas = np.reshape(shown, (ROWS * (size + 1) + 1, COLUMNS * (size + 1) + 1, 4))
    found = canvas[1:, 1:, :3].reshape(ROWS, size + 1, COLUMNS, size + 1, 3)[:, :-1, :, :-1]
    found = found.transpose(0, 2, 1, 3, 4).reshape(count, size, size, 3)
    assert expected.std() > 10
    np.testing.assert_allclose(found, expected.clip(0, 255), atol=1)
