"""What the page on data sets says can be done as it stands there."""

import re
from pathlib import Path

from ssgan.data.npz import Npz

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"


def test_the_lines_that_write_an_npz_file_write_a_source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8").partition("### Arrays")[2]
    code = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)[0]
    exec(code, {})
    collection = Npz(str(tmp_path / "images.npz")).open()
    assert len(collection) == 8
    assert collection.classes() == ("0", "1")
