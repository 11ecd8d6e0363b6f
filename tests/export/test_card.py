"""The card shows what was measured on this generator, and no path of the machine."""

import json
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ssgan.evaluation.format import format_value
from ssgan.evaluation.image_sets import GeneratedImages
from ssgan.evaluation.results import write_results
from ssgan.export.card import build_card, hide_path, read_measurements
from ssgan.files.alpha import straighten
from ssgan.files.image_grid import stretch
from ssgan.runs.checkpoint import find_state
from ssgan.runs.sampling import to_pixels
from tests.evaluation.saved import save_run
from tests.evaluation.test_results import FID
from tests.export.small import build_model


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("folder:/home/me/cats", "folder"),
        ("zip:cats.zip", "zip"),
        ("cifar10:/data/cifar", "cifar10"),
        ("cifar10-test", "cifar10-test"),
        ("hub:owner/name@v1#test", "hub:owner/name@v1#test"),
        ("hub:/home/me/set", "hub"),
        ("scenes:num_images=300", "scenes:num_images=300"),
        ("crops:4:folder:/home/me/cats", "crops:4:folder"),
        ("/home/me/statistics.npz", "images"),
        ("me/statistics.npz", "images"),
    ],
)
def test_a_path_is_hidden(source, shown):
    assert hide_path(source) == shown


@pytest.mark.parametrize(("channels", "ratio"), [(1, None), (3, 0.8), (4, 1.5)])
def test_its_script_draws_what_samples_show(channels, ratio, tmp_path, monkeypatch):
    """Colours are divided by alpha, and squares have the ratio of the pictures again."""
    images = torch.rand((16, channels, 32, 32)) * 2 - 1
    model = build_model("ssgan")
    data = replace(model.config.data, channels=channels, ratio=ratio)
    model = replace(model, config=replace(model.config, data=data))
    session = SimpleNamespace(run=lambda names, inputs: [images.numpy()])
    onnx = SimpleNamespace(InferenceSession=lambda path: session)
    monkeypatch.setitem(sys.modules, "onnxruntime", onnx)
    monkeypatch.chdir(tmp_path)
    card = build_card(model, {"generator.onnx": (1, 0.0)}, (), "unknown", "me/mine")
    exec(re.findall(r"```python\n(.*?)```", card, re.DOTALL)[1], {})
    (expected,) = stretch(straighten(to_pixels(images[:1])), ratio)
    with Image.open(tmp_path / "sample.png") as picture:
        found = np.asarray(picture).reshape(expected.shape).astype(int)
    assert abs(found - expected).max() <= 1


def test_what_was_measured_on_this_generator_is_shown_with_its_protocol(tmp_path):
    root = save_run(tmp_path / "run")
    checkpoint = find_state(root).checkpoint
    assert read_measurements(checkpoint) == []
    identity = GeneratedImages("", checkpoint, torch.device("cpu")).identity
    this = replace(FID, subject_content=identity, against="folder:/home/me/cats")
    file = root / "evaluation" / "some" / "results.jsonl"
    write_results(file, [this, replace(FID, subject_content="ab" * 32)])
    rows = [{"step": step, "name": "FD-random", "value": float(step), "num_fake": 200}
            for step in (2, 3)]  # fmt: skip
    rows += [{"step": 3, "name": "D/spectral_norm", "value": 1.0}]
    (root / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_measurements(checkpoint)
    assert [one.name for one in found] == [FID.name, "FD-random"]
    assert found[0].value == format_value(this)
    assert f"{FID.protocol.num_fake:,} samples against" in found[0].protocol
    assert "images of folder;" in found[0].protocol
    assert found[1] == ("FD-random", "3", "during training: num_fake 200")
