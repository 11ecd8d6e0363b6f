"""Figure 3: accuracy of a classifier whose task changes, with and without the rotation loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ssgan.plots.figures import check_plot_file, encode_figure, write_figure
from ssgan.plots.forgetting import ForgettingCurve, draw_tasks
from ssgan.studies.forgetting.tables import (
    SUMMARIES,
    ForgettingGroup,
    forgetting_table,
    group_variants,
    read_forgetting_run,
    summarize_forgetting,
)
from ssgan.studies.rendering import (
    AbstractRenderer,
    BySeed,
    Rendered,
    by_name,
    compare_variants,
    comparison_lines,
    comparison_table,
    group_by_variant,
    join_parts,
    legend,
)
from ssgan.studies.trials import Trial
from ssgan.types import UserError

Summaries = Mapping[str, Sequence[float | None]]  # of one run, by name: one value per cycle


def draw_forgetting(roots: Sequence[Path], target: Path) -> None:
    """Write the curves of forgetting runs to a PNG or SVG file, by the target's suffix.

    The seeds of a variant become their mean, with a band from the lowest to the highest. Raises
    UserError for another suffix, and for directories without a run or that do not compare.
    """
    check_plot_file(target)
    write_figure(_draw(roots), target)


def _draw(roots: Sequence[Path]) -> Figure:
    groups = group_variants(roots)
    return draw_tasks([read_curve(group) for group in groups], groups[0].runs[0].schedule)


def read_curve(group: ForgettingGroup) -> ForgettingCurve:
    """The measurements that all runs of the variant have: the common part of unfinished runs.

    Raises UserError when there is none.
    """
    tables = [
        {(row["step"], row["after_switch"]): row["accuracy"] for row in run.rows}
        for run in group.runs
    ]
    points = [point for point in tables[0] if all(point in table for table in tables)]
    if not points:
        roots = " and ".join(str(run.root) for run in group.runs)
        raise UserError(f"{roots} have no measurement in common: there is nothing to draw")
    accuracy = np.array([[table[point] for point in points] for table in tables], np.float64)
    return ForgettingCurve(group.name, [step for step, _ in points], accuracy)


@dataclass(frozen=True)
class ForgettingCurves(AbstractRenderer):
    """Curves of `ssgan forget`."""

    def render(self, trials: Sequence[Trial]) -> Rendered:
        """The plot and the table that `ssgan forget --draw` produces for these directories."""
        roots = [trial.training.root for trial in trials]
        table = "\n".join(f"    {line}".rstrip() for line in forgetting_table(roots).splitlines())
        found: BySeed[Summaries] = group_by_variant(
            (trial, summarize_forgetting(read_forgetting_run(trial.training.root)))
            for trial in trials
        )
        last = {name: _last_cycle(found, name) for name in SUMMARIES}
        facts = {
            "metric": "balanced accuracy, one value per cycle",
            "directories": list(map(str, roots)),
            "values": by_name(found),
            "comparisons": {name: compare_variants(values) for name, values in last.items()},
        }
        lines = [
            line
            for name, values in last.items()
            for line in comparison_lines(_in_percent(values), f"{SUMMARIES[name]}: ", like=100)
        ]
        comparisons = comparison_table(lines, "last cycle, balanced accuracy in %")
        text = join_parts(table, comparisons, legend(found))
        return Rendered(text, facts, encode_figure(_draw(roots)))


def _last_cycle(found: BySeed[Summaries], name: str) -> BySeed[float]:
    """One summary of the last cycle, of the runs that have it."""
    return {
        variant: {
            seed: value for seed, own in by_seed.items() if (value := own[name][-1]) is not None
        }
        for variant, by_seed in found.items()
    }


def _in_percent(values: BySeed[float]) -> BySeed[float]:
    return {v: {seed: 100 * value for seed, value in own.items()} for v, own in values.items()}
