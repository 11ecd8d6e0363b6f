"""Reports of runs: one file that opens offline, of every kind of run."""

import base64
import io
import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssgan.cli.main import main
from ssgan.cli.report import leave_report
from ssgan.config.serialize import dump
from ssgan.files.atomic import write_json
from ssgan.files.run_directory import RunDirectory
from ssgan.report.comparison import open_run
from ssgan.report.curves import chart_run
from ssgan.report.facts import collect_facts
from ssgan.report.pictures import draw_networks, read_sheets
from ssgan.report.report import build_report
from ssgan.training import evaluator
from ssgan.types import NonFinite
from tests.training.tiny import tiny

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"
TRAIN = [
    *("train", "scenes:ssgan", "--data", "scenes:num_images=24", "--batch_size", "8"),
    *("--generator.width", "0.03", "--discriminator.width", "0.06", "--total_steps", "2"),
    *("--output.log_every", "1", "--output.sample_rows", "2", "--output.sample_every", "1"),
    *("--output.checkpoint_every", "1", "--evaluate.every", "1", "--evaluate.images", "16"),
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run of two steps, by the command, and its cache."""
    root = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSGAN_CACHE", str(root / "cache"))
        patch.setattr("ssgan.cli.train.leave_report", leave_report)  # conftest.py has a quick one
        assert main([*TRAIN, "--run", str(root / "run")]) == 0
        yield root / "run"


@pytest.fixture
def copy(trained, tmp_path):
    """A copy of that run without its report, to be changed."""
    shutil.copytree(trained, tmp_path / "copy")
    (tmp_path / "copy" / "report.html").unlink()
    return tmp_path / "copy"


def read(path):
    return path.read_text(encoding="utf-8")


def test_a_finished_run_leaves_a_whole_report(trained):
    page = read(trained / "report.html")
    for words in (
        "Finished: all 2 steps are done.", "ssgan train --config", "adversarial loss",
        "rotation accuracy", "FD-random", "class accuracy", "CKA", 'type="range"', "Interpolation",
        "among 24 of 24 images", "Spectral norms by layer", "real images/s",
    ):  # fmt: skip
        assert words in page, words
    assert len(page) < 5_000_000


def test_the_page_names_nothing_outside_of_itself(trained):
    page = read(trained / "report.html")
    assert not re.search(r"""(src|href|action)\s*=\s*["'](?!data:|#)""", page)
    assert not re.search(r"url\(|@import|https?://", page)
    assert "default-src 'none'" in page


def test_names_from_files_are_escaped(copy):
    root = copy.rename(copy.with_name(HOSTILE.replace("/", "")))
    for name, key in (("manifest.json", "content_hash"), ("environment.json", "commit")):
        stored = json.loads(read(root / name))
        (root / name).write_text(json.dumps({**stored, key: HOSTILE, "argv": ["train", HOSTILE]}))
    event = {"step": 2, "verdict": HOSTILE, "alarm": HOSTILE, "evidence": [HOSTILE]}
    (root / "events.jsonl").write_text(json.dumps(event) + "\n")
    page = build_report([open_run(root)], networks=False)
    assert page.count("<script") == 1  # of the slider
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x") > 5


def test_a_run_that_was_never_sampled_or_evaluated_reads_well(copy, capsys):
    for name in ("samples", "checkpoints", "evaluation", "healthy", "best"):
        shutil.rmtree(copy / name, ignore_errors=True)
    for name in ("log.jsonl", "metrics.jsonl", "events.jsonl", "manifest.json"):
        (copy / name).unlink(missing_ok=True)
    assert main(["report", str(copy)]) == 0
    page = read(copy / "report.html")
    for words in (
        "No step was logged or saved yet.", "Nothing was logged yet.", "No sheet of samples",
        "it has no checkpoint yet", "Not measured by",
    ):  # fmt: skip
        assert words in page, words


def test_a_run_that_stopped_early_says_how_to_continue(copy):
    config = open_run(copy).config
    write_json(copy / "config.json", dump(replace(config, total_steps=50)))
    page = build_report([open_run(copy)], networks=False)
    assert "Not finished: it stopped at step 2 of 50." in page
    assert f"ssgan train {copy}</code>" in page
    assert "The networks were left out" in page


def test_a_run_that_went_back_because_of_its_numbers_says_so(copy):
    event = {"step": 1, "verdict": "diverged", "alarm": "rolled back", "evidence": ["D/rotation"]}
    (copy / "events.jsonl").write_text(json.dumps(event) + "\n")
    sentence = collect_facts(open_run(copy), "copy").ending.sentence
    assert sentence.endswith("it returned to a checkpoint, at step 1.")


def test_values_far_away_do_not_flatten_the_rest_of_a_chart():
    steps = np.arange(1.0, 101)
    losses = np.where(steps > 90, 1e12, 1 + steps / 100)
    (chart,) = chart_run({"D/adversarial": (steps, losses)}, [90])
    assert "values beyond the edge" in chart
    assert ">alarm</text>" in chart
    assert "e+1" not in chart.partition("<svg")[2].partition("<details")[0].partition(">")[2]


def test_images_that_are_not_prepared_here_are_named_as_the_reason(trained, tmp_path):
    made = draw_networks(RunDirectory(trained), "cpu", tmp_path / "empty")
    assert made.interpolation
    assert made.nearest == []
    assert "are not prepared on this machine" in made.notes[-1]


def test_a_sample_that_copies_a_real_image_is_beside_it(trained, monkeypatch):
    from ssgan.evaluation.image_sets import RealImages
    from ssgan.report import pictures

    cache = Path(os.environ["SSGAN_CACHE"])
    dataset = pictures._open_images(RunDirectory(trained), cache)
    wanted = RealImages(dataset).batches(8, 8)
    copies = next(wanted).permute(0, 2, 3, 1).numpy()
    monkeypatch.setattr(pictures, "_generate", lambda *_: copies)
    monkeypatch.setattr(pictures, "join_pictures", lambda images, columns: images[0])
    pairs, _ = pictures._find_nearest(copies, RunDirectory(trained), cache)
    assert [pair.sample for pair in pairs] == [pair.reals for pair in pairs]
    (first, *_), _ = pictures._find_nearest(copies, RunDirectory(trained), cache, ratio=2.0)
    with Image.open(io.BytesIO(base64.b64decode(first.sample.partition(",")[2]))) as picture:
        assert picture.size == (2 * copies.shape[2], copies.shape[1])


def test_the_slider_has_at_most_24_sheets_with_the_first_and_last_and_fewer_in_a_small_budget(
    tmp_path,
):
    layout = RunDirectory(tmp_path)
    layout.samples.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    for step in range(100):
        Image.fromarray(noise).save(layout.sample(step))
    layout.sample(99).with_name("step-00000100.png").write_bytes(b"no picture")
    sheets, notes = read_sheets(layout, 10**7)
    assert (len(sheets), sheets[0].step) == (23, 0)
    assert [note for note in notes if "step-00000100.png cannot be read" in note]
    fewer, _ = read_sheets(layout, 4 * len(sheets[0].uri))
    assert len(fewer) <= 4
    assert fewer[-1].step == sheets[-1].step


def test_several_runs_are_side_by_side_with_the_settings_that_differ(trained, copy, tmp_path):
    config = open_run(copy).config
    write_json(copy / "config.json", dump(replace(config, seed=7)))
    target = tmp_path / "both.html"
    assert main(["report", str(trained), str(copy), "--quick", "--out", str(target)]) == 0
    page = read(target)
    assert '<th scope="row">seed</th><td>0</td><td>7</td>' in page
    assert "run, D" in page
    assert "copy, D" in page
    assert page.count("<h2 id=") == len(set(re.findall(r'<h2 id="([^"]+)"', page)))


def test_a_file_of_somebody_else_is_not_replaced(copy, capsys):
    (copy / "report.html").write_text("<p>mine</p>")
    assert main(["report", str(copy)]) == 2
    assert "is no report of ssgan" in capsys.readouterr().err
    assert read(copy / "report.html") == "<p>mine</p>"


def test_a_report_that_cannot_be_written_never_fails_a_run(trained, monkeypatch, capsys):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ssgan.cli.report.build_report", fail)
    assert main([*TRAIN, "--run", str(trained.with_name("other"))]) == 0
    assert "no report was written: " in capsys.readouterr().err
    assert not trained.with_name("other").joinpath("report.html").exists()


def test_a_run_that_ends_on_bad_numbers_leaves_a_report_without_networks(
    trained, monkeypatch, capsys
):
    def end(*args):
        raise NonFinite("D/rotation is not finite")

    monkeypatch.setattr("ssgan.cli.train._lead", end)
    left = []
    monkeypatch.setattr("ssgan.cli.train.leave_report", lambda *a, **k: left.append(k["quick"]))
    assert main([*TRAIN, "--run", str(trained.with_name("bad"))]) == 70
    assert main([*TRAIN, "--run", str(trained.with_name("bad")), "--no-report"]) == 70
    assert left == [True]


def test_the_norms_by_layer_have_the_largest_of_the_network_among_them():
    from ssgan.runs.state import build_discriminator

    network = build_discriminator(tiny(), 0)
    largest, layers = evaluator.largest_norms(network), evaluator.layer_norms(network)
    weights = {name for name, value in network.named_parameters() if value.ndim > 1}
    assert {name for name, _ in layers} == weights
    assert max(norms.raw for _, norms in layers) == largest.raw


def test_a_browser_shows_it_offline_on_a_phone_and_by_keyboard(trained):
    api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("no Chromium")
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    said = []
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        page = browser.new_page(viewport={"width": 400, "height": 800}, color_scheme="dark")
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url))
        page.goto(f"file://{trained / 'report.html'}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        slider = page.locator("input[type=range]")
        slider.focus()
        slider.press("Home")
        assert page.locator("output").text_content() == "1"
        assert page.locator("[data-sheets] img:visible").count() == 1
        browser.close()
    assert [url for url in said if not url.startswith(("data:", "file:"))] == []
