"""Figure 3: what a classifier forgets, with and without the rotation loss."""

import importlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ssgan.studies.cell import Cell
from ssgan.studies.drawing import AbstractDrawing, Drawn
from ssgan.studies.job import Making
from ssgan.types import UserError

_PLOT, _TABLE = "ssgan.report.forgetting_plot", "ssgan.report.forgetting_table"


@dataclass(frozen=True)
class ForgettingCurves(AbstractDrawing):
    """Curves of `ssgan forget`."""

    def draw(self, cells: Sequence[Cell]) -> Drawn:
        """The picture and the table that `ssgan forget --draw` makes of these directories."""
        roots = []
        for cell in cells:
            assert isinstance(cell.training, Making)
            roots.append(cell.training.result.parent)
        table, picture = drawn(roots)
        text = "\n".join(f"    {line}".rstrip() for line in table.splitlines())
        return Drawn(text, {"directories": [str(root) for root in roots]}, picture)


def drawn(roots: Sequence[Path]) -> tuple[str, bytes]:
    """The table and the PNG of these directories; UserError where they cannot be made."""
    try:
        plot, table = importlib.import_module(_PLOT), importlib.import_module(_TABLE)
    except ModuleNotFoundError:
        raise UserError("figure 3 cannot be drawn: there is no `ssgan forget` here") from None
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "figure.png"
        plot.draw_forgetting(roots, target)
        text: str = table.forgetting_table(roots)
        return text, target.read_bytes()
