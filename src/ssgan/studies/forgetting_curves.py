"""Figure 3: what a classifier forgets, with and without the rotation loss."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ssgan.report.forgetting_plot import draw_forgetting
from ssgan.report.forgetting_table import FIGURES, figures, forgetting_table, read_study
from ssgan.studies.cell import Cell
from ssgan.studies.comparing import comparisons
from ssgan.studies.drawing import AbstractDrawing, BySeed, Drawn, by_arm
from ssgan.studies.job import Making
from ssgan.studies.markdown import difference, legend, markdown
from ssgan.studies.spread import paired

Figures = Mapping[str, Sequence[float | None]]  # of one run, by name: a value a cycle


@dataclass(frozen=True)
class ForgettingCurves(AbstractDrawing):
    """Curves of `ssgan forget`."""

    def draw(self, cells: Sequence[Cell]) -> Drawn:
        """The picture and the table that `ssgan forget --draw` makes of these directories."""
        roots = [_root(cell) for cell in cells]
        table = "\n".join(f"    {line}".rstrip() for line in forgetting_table(roots).splitlines())
        found: BySeed[Figures] = by_arm((cell, figures(read_study(_root(cell)))) for cell in cells)
        last = {name: _last_cycle(found, name) for name in FIGURES}
        seeds = max(len(of_arm) for of_arm in found.values())
        facts = {
            "number": "balanced accuracy, a value a cycle",
            "directories": list(map(str, roots)),
            "values": {arm.name: of_arm for arm, of_arm in found.items()},
            "comparisons": {name: comparisons(values) for name, values in last.items()},
        }
        text = "\n\n".join(part for part in (table, _pairs(last), legend(seeds)) if part)
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "figure.png"
            draw_forgetting(roots, target)
            return Drawn(text, facts, target.read_bytes())


def _root(cell: Cell) -> Path:
    assert isinstance(cell.training, Making)
    return cell.training.result.parent


def _last_cycle(found: BySeed[Figures], name: str) -> BySeed[float]:
    """One figure of the last cycle, of the runs that have it."""
    return {
        arm: {seed: value for seed, own in of_arm.items() if (value := own[name][-1]) is not None}
        for arm, of_arm in found.items()
    }


def _pairs(last: Mapping[str, BySeed[float]]) -> str:
    """The last cycle's figures with the rotation loss less those without; empty if there is one."""
    lines = [["last cycle, balanced accuracy in %, at the same seed", "difference", "pairs"]]
    for name, values in last.items():
        percent = {arm: {s: 100 * v for s, v in own.items()} for arm, own in values.items()}
        first, *others = percent
        for arm in others:
            if (pairs := paired(percent[arm], percent[first])) is not None:
                words = f"{FIGURES[name]}: {arm.title} less {first.label}"
                lines.append([words, difference(pairs, like=100), str(len(pairs.seeds))])
    return markdown(lines) if len(lines) > 1 else ""
