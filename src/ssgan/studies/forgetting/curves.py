"""Figure 3: what a classifier forgets, with and without the rotation loss."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ssgan.plots.forgetting import draw_forgetting
from ssgan.plots.forgetting_tables import (
    SUMMARIES,
    forgetting_table,
    read_forgetting_run,
    summarize_forgetting,
)
from ssgan.studies.comparison import compare_variants
from ssgan.studies.jobs import FileJob
from ssgan.studies.markdown import format_difference, legend, markdown
from ssgan.studies.rendering import AbstractRenderer, BySeed, Rendered, group_by_variant
from ssgan.studies.statistics import compare_paired
from ssgan.studies.trial import Trial

Figures = Mapping[str, Sequence[float | None]]  # of one run, by name: a value a cycle


@dataclass(frozen=True)
class ForgettingCurves(AbstractRenderer):
    """Curves of `ssgan forget`."""

    def draw(self, trials: Sequence[Trial]) -> Rendered:
        """The picture and the table that `ssgan forget --draw` makes of these directories."""
        roots = [_root(trial) for trial in trials]
        table = "\n".join(f"    {line}".rstrip() for line in forgetting_table(roots).splitlines())
        found: BySeed[Figures] = group_by_variant(
            (trial, summarize_forgetting(read_forgetting_run(_root(trial)))) for trial in trials
        )
        last = {name: _last_cycle(found, name) for name in SUMMARIES}
        seeds = max(len(of_arm) for of_arm in found.values())
        facts = {
            "number": "balanced accuracy, a value a cycle",
            "directories": list(map(str, roots)),
            "values": {variant.name: of_arm for variant, of_arm in found.items()},
            "comparisons": {name: compare_variants(values) for name, values in last.items()},
        }
        text = "\n\n".join(part for part in (table, _pairs(last), legend(seeds)) if part)
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "figure.png"
            draw_forgetting(roots, target)
            return Rendered(text, facts, target.read_bytes())


def _root(trial: Trial) -> Path:
    assert isinstance(trial.training, FileJob)
    return trial.training.result.parent


def _last_cycle(found: BySeed[Figures], name: str) -> BySeed[float]:
    """One figure of the last cycle, of the runs that have it."""
    return {
        variant: {
            seed: value for seed, own in of_arm.items() if (value := own[name][-1]) is not None
        }
        for variant, of_arm in found.items()
    }


def _pairs(last: Mapping[str, BySeed[float]]) -> str:
    """The last cycle's figures with the rotation loss less those without; empty if there is one."""
    lines = [["last cycle, balanced accuracy in %, at the same seed", "difference", "pairs"]]
    for name, values in last.items():
        percent = {variant: {s: 100 * v for s, v in own.items()} for variant, own in values.items()}
        first, *others = percent
        for variant in others:
            if (pairs := compare_paired(percent[variant], percent[first])) is not None:
                words = f"{SUMMARIES[name]}: {variant.title} less {first.label}"
                lines.append([words, format_difference(pairs, like=100), str(len(pairs.seeds))])
    return markdown(lines) if len(lines) > 1 else ""
