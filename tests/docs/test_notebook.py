"""docs/notebooks/first-run.ipynb: stored without outputs, and every cell runs."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "first-run.ipynb"


@pytest.fixture(scope="module")
def notebook():
    return pytest.importorskip("nbformat").read(NOTEBOOK, as_version=4)


def test_it_is_stored_without_outputs(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) > 3
    assert [cell.source for cell in cells if cell.outputs or cell.execution_count] == []


def test_every_cell_runs_and_the_model_is_exported(notebook, tmp_path, monkeypatch):
    """In a kernel of this Python."""
    client = pytest.importorskip("nbclient")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    resources = {"metadata": {"path": str(tmp_path)}}
    client.NotebookClient(notebook, timeout=120, resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert [one for one in outputs if one.output_type == "error"] == []
    printed = "".join(one.text for one in outputs if one.output_type == "stream")
    assert "FD-random" in printed
    assert printed.endswith("(16,) (16, 4)\n4 steps\n")
    assert any("image/png" in one.get("data", {}) for one in outputs)
    assert (tmp_path / "first-run.safetensors").is_file()
