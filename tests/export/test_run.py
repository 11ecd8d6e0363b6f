"""An export is whole, checked, repeatable, and replaces nothing of anybody else.

The converters are replaced by quick ones here, except in the last test; `test_programs` has them.
"""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import ssgan
from ssgan.export import run as exporting
from ssgan.export.card import Metric
from ssgan.export.run import FORMATS, ExportRequest, export_model, list_names
from ssgan.runs.sampling import generate_pixels, sample_latents
from ssgan.types import UserError
from tests.export.small import build_model

EVERY = [
    "README.md", "browser.html", "config.json", "discriminator.onnx", "discriminator.pt2",
    "export.json", "generator-float16.onnx", "generator.onnx", "generator.pt2",
    "model.safetensors", "samples.png",
]  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return build_model()


@pytest.fixture
def converters(monkeypatch):
    """Quick ones; the differences are set by the test."""
    differences = {}
    monkeypatch.setattr(exporting, "require_onnx", lambda: None)
    monkeypatch.setattr(exporting, "trace", lambda graph: graph.name)
    for name in ("write_onnx", "write_pt2"):
        monkeypatch.setattr(
            exporting, name, lambda program, graph, path: path.write_bytes(path.name.encode())
        )
    monkeypatch.setattr(
        exporting, "measure_difference", lambda path, graph: differences.get(path.name, 3e-7)
    )
    return differences


def names(folder):
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith(".lock"))


def content(folder):
    return {name: (folder / name).read_bytes() for name in names(folder)}


def request(*formats, **changes):
    return ExportRequest(formats=formats or FORMATS, **changes)


def test_all_formats_are_written_with_sizes_and_differences(model, tmp_path, converters):
    converters["generator-float16.onnx"] = 2e-3
    done = export_model(model, request(), tmp_path / "out")
    assert names(tmp_path / "out") == EVERY
    assert {one.name for one in done.files} == {*EVERY} - {"export.json"}
    found = {one.name: one.difference for one in done.files}
    assert found["model.safetensors"] == 0
    assert found["generator.pt2"] == 3e-7
    assert found["generator-float16.onnx"] == 2e-3
    for one in done.files:
        assert (tmp_path / "out" / one.name).stat().st_size == one.bytes
    assert not done.up_to_date


def test_the_card_states_them_and_names_no_path(model, tmp_path, converters):
    metrics = [Metric("FID", "12.3", "50,000 samples | against cifar10")]
    wanted = request(metrics=metrics, license="cc-by-4.0", name="me/mine")
    export_model(replace(model, source="folder"), wanted, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlicense: cc-by-4.0\nlibrary_name: ssgan\n")
    assert "| generator.onnx | 14 | 3.0e-07 |" in card
    assert "| FID | 12.3 | 50,000 samples \\| against cifar10 |" in card
    for words in ("SSGAN on folder", 'ssgan.load("me/mine")', "Intended use", "samples.png"):
        assert words in card
    assert str(tmp_path) not in "".join(
        v.decode("latin-1") for v in content(tmp_path / "out").values()
    )


def test_a_second_export_does_nothing_and_another_step_replaces(model, tmp_path, converters):
    out = tmp_path / "out"
    export_model(model, request(), out)
    before = {p.name: p.stat().st_mtime_ns for p in out.iterdir()}
    again = export_model(model, request(), out)
    assert again.up_to_date
    assert {p.name: p.stat().st_mtime_ns for p in out.iterdir()} == before
    (out / "generator.onnx").write_bytes(b"damaged")
    assert not export_model(model, request(), out).up_to_date
    assert (out / "generator.onnx").read_bytes() == b"generator.onnx"
    later = export_model(replace(model, step=8), request("safetensors"), out)
    assert not later.up_to_date
    assert json.loads((out / "config.json").read_text())["step"] == 8  # of all formats there
    assert ssgan.load(out).step == 8


def test_files_that_a_model_has_no_longer_are_removed(model, tmp_path, converters):
    out = tmp_path / "out"
    export_model(model, request("onnx"), out)
    alone = replace(model, tensors={"generator_ema": model.tensors["generator_ema"]})
    done = export_model(alone, request("onnx"), out)
    assert "discriminator.onnx" not in names(out)
    assert "discriminator.onnx" not in {one.name for one in done.files}
    assert "generator.onnx" in names(out)


def test_an_edited_card_stays(model, tmp_path, converters):
    out = tmp_path / "out"
    export_model(model, request(), out)
    (out / "README.md").write_text("my own words")
    assert export_model(model, request(), out).up_to_date
    done = export_model(replace(model, step=8), request(), out)
    assert done.notes == ["README.md stays as you edited it; remove it for a new one"]
    assert (out / "README.md").read_text() == "my own words"
    export_model(replace(model, step=9), request(), out)
    assert (out / "README.md").read_text() == "my own words"
    (out / "README.md").unlink()
    export_model(replace(model, step=9), request(), out)
    assert "9 steps" in (out / "README.md").read_text()


@pytest.mark.parametrize("name", ["README.md", "generator.onnx"])
def test_files_of_others_are_refused_and_stay(name, model, tmp_path, converters):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=f"{name} is not from an export of ssgan"):
        export_model(model, request(), tmp_path)
    assert content(tmp_path) == {name: b"mine"}


@pytest.mark.parametrize(
    "change", [{"bytes": "many"}, {"name": "../mine"}, {"name": 3}, {"sha256": None}, {"more": 1}]
)
def test_a_record_of_somebody_else_is_no_record(change, model, tmp_path, converters):
    export_model(model, request("safetensors"), tmp_path)
    record = json.loads((tmp_path / "export.json").read_text())
    record["files"][0] |= change
    (tmp_path / "export.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="is not from an export of ssgan"):
        export_model(model, request("safetensors"), tmp_path)


def test_a_link_is_not_followed(model, tmp_path, converters):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "generator.onnx").symlink_to(tmp_path / "victim")
    with pytest.raises(UserError, match="is a link"):
        export_model(model, request("onnx"), tmp_path / "out")
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("name", ["generator.onnx", "discriminator.pt2"])
@pytest.mark.parametrize("difference", [2e-4, float("inf"), float("nan")])
def test_nothing_is_written_when_a_file_differs(name, difference, model, tmp_path, converters):
    out = tmp_path / "out"
    export_model(model, request(), out)
    before = content(out)
    converters[name] = difference
    with pytest.raises(UserError, match=f"nothing is exported: {name} differs from the network"):
        export_model(replace(model, step=8), request(), out)
    assert content(out) == before


def test_float16_is_left_out_where_it_differs_visibly(model, tmp_path, converters):
    converters["generator-float16.onnx"] = 0.3
    done = export_model(model, request("onnx"), tmp_path)
    assert "generator-float16.onnx" not in names(tmp_path)
    assert done.notes == ["generator-float16.onnx is left out: in float16 images differ by 0.3"]
    assert export_model(model, request("onnx"), tmp_path).up_to_date


def test_the_page_holds_the_weights_and_no_code_of_others(model, tmp_path, converters):
    evil = replace(build_model("conditional"), classes=("</script><b>", "{{MODEL}}", "c", "d", "e"))
    export_model(evil, request("onnx"), tmp_path)
    page = (tmp_path / "browser.html").read_text()
    stored = re.search(r'id="model">([^<]*)<', page)[1]
    assert base64.b64decode(stored) == b"generator.onnx"
    assert page.count("</script>") == 4
    assert page.count(stored) == 1
    facts = json.loads(re.search(r"const facts = (.*);", page)[1])
    assert facts["classes"] == list(evil.classes)
    assert (facts["channels"], facts["size"], facts["latent_size"]) == (3, 32, 8)


def test_the_page_may_hold_the_runtime(model, tmp_path, converters):
    runtime = tmp_path / "package" / "dist"
    runtime.mkdir(parents=True)
    (runtime / "ort.wasm.bundle.min.mjs").write_bytes(b"a script")
    with pytest.raises(UserError, match=r"has no ort-wasm-simd-threaded\.wasm: give the folder"):
        export_model(model, request("onnx", web_runtime=tmp_path / "package"), tmp_path / "out")
    (runtime / "ort-wasm-simd-threaded.wasm").write_bytes(b"a program")
    export_model(model, request("onnx", web_runtime=tmp_path / "package"), tmp_path / "out")
    page = (tmp_path / "out" / "browser.html").read_text()
    assert base64.b64encode(b"a program").decode() in page
    assert "python -m http.server" not in page


@pytest.mark.parametrize(("name", "mode"), [("grey", "L"), ("ssgan", "RGB")])
def test_the_sheet_shows_the_first_samples_in_their_channels(name, mode, tmp_path, converters):
    model = build_model(name)
    export_model(model, request("hub"), tmp_path)
    with Image.open(tmp_path / "samples.png") as sheet:
        assert sheet.mode == mode
        pixels = np.asarray(sheet)
    loaded = ssgan.load(tmp_path)
    latents = sample_latents(model.config.generator, 0, "sample", 1)
    first = generate_pixels(loaded.generator, latents, None)[0]
    zoom = pixels.shape[0] // (8 * 33 + 1)
    found = pixels[zoom : 33 * zoom : zoom, zoom : 33 * zoom : zoom].reshape(first.shape)
    assert (found == first).all()


def test_the_raw_weights_stay_at_home(model, tmp_path, converters):
    export_model(model, request("safetensors"), tmp_path)
    assert list(ssgan.load(tmp_path).stored.tensors) == ["generator_ema", "discriminator"]


def test_names_are_listed_without_writing(model):
    assert sorted([*list_names(model, FORMATS), "export.json"]) == EVERY
    assert list_names(model, ["safetensors"]) == ["model.safetensors"]


@pytest.mark.slow
def test_the_folder_is_used_with_and_without_ssgan_as_its_card_says(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    model = build_model("conditional")
    out = tmp_path / "out"
    done = export_model(model, request("hub", name=str(out)), out)
    assert all(one.difference is None or one.difference < 0.02 for one in done.files)
    ours, theirs = re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)
    found = {}
    exec(ours, found)
    assert found["pixels"].shape == (16, 32, 32, 3)
    monkeypatch.chdir(out)
    assert "ssgan" not in theirs
    exec(theirs, found)
    assert found["pixels"].shape == (16, 32, 32, 3)
    with Image.open("sample.png") as picture:
        assert (np.asarray(picture) == found["pixels"][0]).all()
