"""Figure 3: what a classifier forgets, with and without the rotation loss."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ssgan.report.forgetting_plot import draw_forgetting
from ssgan.report.forgetting_table import forgetting_table
from ssgan.studies.cell import Cell
from ssgan.studies.drawing import AbstractDrawing, Drawn
from ssgan.studies.job import Making


@dataclass(frozen=True)
class ForgettingCurves(AbstractDrawing):
    """Curves of `ssgan forget`."""

    def draw(self, cells: Sequence[Cell]) -> Drawn:
        """The picture and the table that `ssgan forget --draw` makes of these directories."""
        roots = []
        for cell in cells:
            assert isinstance(cell.training, Making)
            roots.append(cell.training.result.parent)
        table = "\n".join(f"    {line}".rstrip() for line in forgetting_table(roots).splitlines())
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "figure.png"
            draw_forgetting(roots, target)
            return Drawn(table, {"directories": list(map(str, roots))}, target.read_bytes())
