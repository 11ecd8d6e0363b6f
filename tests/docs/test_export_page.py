"""What the page on exporting says can be done as it stands there."""

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np

from tests.evaluation.saved import save_run

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
WITH, WITHOUT = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_ten_lines_that_load_a_model_run(tmp_path, monkeypatch, capsys):
    save_run(tmp_path / "runs" / "demo")
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(WITH, found)
    assert len([line for line in WITH.splitlines() if line]) <= 10
    assert found["pixels"].shape == found["likelier"].shape == (16, 32, 32, 3)
    assert found["images"].shape == (16, 3, 32, 32)
    assert found["scores"].features.shape[0] == 16
    assert [one.ndim for one in found["maps"]] == [4, 4, 4, 4]
    assert (tmp_path / "model.safetensors").is_file()
    assert capsys.readouterr().out.startswith("SSGAN 3 ")


def test_the_lines_without_ssgan_use_the_names_of_the_file(monkeypatch):
    """The names and shapes are those of `export.plain`, which test_programs checks in files."""
    calls = {}

    def run(outputs, feed):
        calls.update(feed)
        return [np.zeros((len(feed["latents"]), 3, 32, 32), np.float32)]

    fake = ModuleType("onnxruntime")
    fake.InferenceSession = lambda path: SimpleNamespace(run=run, path=path)
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    assert "ssgan" not in WITHOUT
    exec(WITHOUT, {})
    assert list(calls) == ["latents"]
    assert calls["latents"].dtype == np.float32
