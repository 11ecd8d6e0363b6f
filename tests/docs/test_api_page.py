"""docs/api.md: its examples run as they are, and every public name has an entry."""

import re
from pathlib import Path

import ssgan

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_public_name_has_an_entry():
    entries = set(re.findall(r"^\.\. auto\w+:: ssgan\.(\w+)$", PAGE, flags=re.MULTILINE))
    assert entries == set(ssgan.__all__) - {"recipes"}
    assert "`ssgan.recipes`" in PAGE


def test_the_examples_run_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for example in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(example, names)
    steps = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert steps[:4] == ["1", "2"] * 2
    assert names["model"].step == 2
    assert names["pixels"].shape == (16, 32, 32, 3)
    assert (tmp_path / "model.safetensors").is_file()
