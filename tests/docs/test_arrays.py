"""What the page on preprocessing says can be done as it stands there."""

import re
from pathlib import Path

from ssgan.data.npz import Npz

PAGE = Path(__file__).parents[2] / "docs" / "preprocessing.md"


def test_the_lines_that_write_an_npz_file_write_a_source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    exec(code, {})
    collection = Npz(str(tmp_path / "images.npz")).open()
    assert len(collection) == 8
    assert collection.classes() == ("0", "1")
