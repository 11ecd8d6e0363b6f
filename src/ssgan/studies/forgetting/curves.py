"""Figure 3: accuracy of a classifier whose task changes, with and without the rotation loss."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssgan.plots.forgetting import ForgettingCurve, TaskSchedule, draw_tasks
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
    compare_variants,
    format_difference,
    group_by_variant,
    legend,
    markdown,
)
from ssgan.studies.statistics import PAIRED, compare_paired
from ssgan.studies.trials import Trial
from ssgan.types import UserError

Summaries = Mapping[str, Sequence[float | None]]  # of one run, by name: one value per cycle


def draw_forgetting(roots: Sequence[Path], target: Path) -> None:
    """Write the curves of forgetting runs to a PNG or SVG file, by the target's suffix.

    The seeds of a variant become their mean, with a band from the lowest to the highest. Raises
    UserError for another suffix, and for directories without a run or that do not compare.
    """
    groups = group_variants(roots)
    first = groups[0].runs[0]
    schedule = TaskSchedule(first.classes, first.per_task, first.cycles)
    draw_tasks([read_curve(group) for group in groups], schedule, target)


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
        seeds = max(len(by_seed) for by_seed in found.values())
        facts = {
            "metric": "balanced accuracy, one value per cycle",
            "directories": list(map(str, roots)),
            "values": {variant.name: by_seed for variant, by_seed in found.items()},
            "comparisons": {name: compare_variants(values) for name, values in last.items()},
        }
        text = "\n\n".join(part for part in (table, _comparisons(last), legend(seeds)) if part)
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "figure.png"
            draw_forgetting(roots, target)
            return Rendered(text, facts, target.read_bytes())


def _last_cycle(found: BySeed[Summaries], name: str) -> BySeed[float]:
    """One summary of the last cycle, of the runs that have it."""
    return {
        variant: {
            seed: value for seed, own in by_seed.items() if (value := own[name][-1]) is not None
        }
        for variant, by_seed in found.items()
    }


def _comparisons(last: Mapping[str, BySeed[float]]) -> str:
    """Every variant minus the first in the last cycle; empty when there is nothing to compare."""
    heading = "last cycle, balanced accuracy in %"
    lines = [[heading, f"difference ({PAIRED})", "pairs"]]
    for name, values in last.items():
        percent = {variant: {s: 100 * v for s, v in own.items()} for variant, own in values.items()}
        first, *others = percent
        for variant in others:
            if (paired := compare_paired(percent[variant], percent[first])) is not None:
                words = f"{SUMMARIES[name]}: {variant.title} minus {first.label}"
                text = format_difference(paired, like=100)
                lines.append([words, text, str(len(paired.seeds))])
    return markdown(lines) if len(lines) > 1 else ""
