"""Metrics over training: mean and band over seeds, as a figure and a table."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ssgan.evaluation.results import Result
from ssgan.evaluation.selection_metric import FD_RANDOM, metric_name
from ssgan.files.run_directory import RunDirectory
from ssgan.plots.bands import BandCurve, Panel, draw_bands
from ssgan.runs.config import RunConfig
from ssgan.studies.jobs import TrainingJob
from ssgan.studies.measurements import stored_steps
from ssgan.studies.published import PublishedCurves
from ssgan.studies.rendering import (
    AbstractRenderer,
    BySeed,
    Rendered,
    compare_variants,
    comparison_table,
    format_with_std,
    group_by_variant,
    legend,
    markdown,
)
from ssgan.studies.statistics import compute_spread
from ssgan.studies.tables import (
    describe_distances,
    describe_probe,
    distance_facts,
    read_distance,
    read_last_distance,
    read_probe,
    require_same_probe,
)
from ssgan.studies.trials import Trial
from ssgan.studies.variants import AbstractVariant
from ssgan.training.history import read_metrics
from ssgan.types import UserError

ByStep = Mapping[int, float]


class StudyCurves(NamedTuple):
    """Curves with one protocol."""

    metric: str
    protocol: str  # Markdown
    facts: dict[str, object]
    curves: BySeed[ByStep]


@dataclass(frozen=True)
class AbstractCurves(AbstractRenderer):
    """Curves over steps; published curves get a panel of their own."""

    lower_is_better: bool

    @abstractmethod
    def read(self, trials: Sequence[Trial]) -> StudyCurves:
        """The curves of these trials; UserError when their protocols differ."""

    def render(self, trials: Sequence[Trial]) -> Rendered:
        """A figure and a table of the steps that all runs of a variant have."""
        found = self.read(trials)
        curves = {
            variant: _common_steps(variant, seeds, found.metric)
            for variant, seeds in found.curves.items()
        }
        panels = [Panel(f"{found.metric}, measured here", found.metric, _bands(curves))]
        panels += [_panel(one) for one in self.published if isinstance(one, PublishedCurves)]
        seeds = max(len(by_seed) for by_seed in curves.values())
        last = max(step for by_seed in curves.values() for by in by_seed.values() for step in by)
        at_end = {
            variant: {seed: by_step[last] for seed, by_step in by_seed.items()}
            for variant, by_seed in curves.items()
            if all(last in by_step for by_step in by_seed.values())
        }
        table = self._table(found.metric, curves)
        parts = [found.protocol, table, comparison_table(at_end, f"step {last:,}")]
        facts = {
            **found.facts,
            "values": {variant.name: by_seed for variant, by_seed in found.curves.items()},
            "comparisons": [{"step": last, **row} for row in compare_variants(at_end)],
        }
        tables = "\n\n".join(part for part in (*parts, legend(seeds)) if part)
        return Rendered(tables, facts, draw_bands(panels))

    def _table(self, metric: str, curves: BySeed[ByStep]) -> str:
        """One row per step, one column per variant."""
        lines = [[f"step ({metric})", *(variant.title for variant in curves)]]
        steps = {step for by_seed in curves.values() for by in by_seed.values() for step in by}
        for step in sorted(steps):
            line = [f"{step:,}"]
            for by_seed in curves.values():
                values = {seed: by[step] for seed, by in by_seed.items() if step in by}
                better = self.lower_is_better
                line.append(
                    format_with_std(compute_spread(values, lower_is_better=better))
                    if values
                    else "-"
                )
            lines.append(line)
        return markdown(lines)


@dataclass(frozen=True)
class ProbeCurves(AbstractCurves):
    """The linear probe of D's last block, at every stored state."""

    def read(self, trials: Sequence[Trial]) -> StudyCurves:
        """From the rows of `ssgan probe`."""
        found = group_by_variant((trial, read_probe(trial.measuring[-1])) for trial in trials)
        rows = [row for seeds in found.values() for own in seeds.values() for row in own]
        last = max(row["block"] for row in rows)
        in_last = [row for row in rows if row["block"] == last]
        curves: BySeed[ByStep] = {
            variant: {
                seed: {row["step"]: row["top1"] for row in own if row["block"] == last}
                for seed, own in seeds.items()
            }
            for variant, seeds in found.items()
        }
        facts: dict[str, object] = {"metric": "top-1", "block": last}
        facts["protocol"] = require_same_probe(in_last)
        return StudyCurves(f"top-1, block {last} of D", describe_probe(in_last), facts, curves)


@dataclass(frozen=True)
class DistanceCurves(AbstractCurves):
    """The Frechet distance of every stored state: FID with Inception features."""

    def read(self, trials: Sequence[Trial]) -> StudyCurves:
        """From the results of `ssgan evaluate`."""
        curves: BySeed[ByStep] = {}
        results: list[Result] = []
        for trial in trials:
            own = [*(read_distance(job) for job in trial.measuring[:-1]), read_last_distance(trial)]
            steps = stored_steps(_config(trial))
            values = [result.value for result in own]
            curves.setdefault(trial.variant, {})[trial.seed] = dict(zip(steps, values, strict=True))
            results += own
        protocol = describe_distances(results)
        return StudyCurves(results[0].name, protocol, distance_facts(results), curves)


@dataclass(frozen=True)
class SelectionMetricCurves(AbstractCurves):
    """The runs' own selection metric, by `evaluate.features`, from their metrics.jsonl."""

    def read(self, trials: Sequence[Trial]) -> StudyCurves:
        """From the run directories."""
        names = ("num_real", "num_fake", "features", "split")
        (metric,) = {metric_name(_config(trial).evaluate) for trial in trials}  # set for all runs
        protocols: list[dict[str, object]] = []
        curves: BySeed[ByStep] = {}
        for trial in trials:
            assert isinstance(trial.training, TrainingJob)
            rows = read_metrics(RunDirectory(trial.training.root))
            rows = [row for row in rows if row["name"] == metric and row["value"] is not None]
            protocols += [{name: row.get(name) for name in names} for row in rows]
            by_step = {int(str(row["step"])): float(str(row["value"])) for row in rows}
            curves.setdefault(trial.variant, {})[trial.seed] = by_step
        if not protocols:
            raise UserError(
                f"no run has logged {metric}: evaluate.every was 0, or evaluate.features another"
            )
        first = protocols[0]
        if unlike := [own for own in protocols if own != first]:
            raise UserError(f"these metrics have two protocols: {first} and {unlike[0]}")
        network = "a seeded random network" if metric == FD_RANDOM else "trained features"
        text = (
            f"    {metric}, logged in training: Frechet distance on {network}, "
            f"{first['num_real']:,}\n    training images against {first['num_fake']:,} samples"
        )
        label = metric if metric == "FID" else f"{metric} (not FID)"
        if metric != "FID":
            text = f"{text}; not comparable with FID"
        return StudyCurves(label, text, {"metric": label, "protocol": first}, curves)


def _config(trial: Trial) -> RunConfig:
    assert isinstance(trial.training, TrainingJob)
    return trial.training.config


def _common_steps(
    variant: AbstractVariant, seeds: Mapping[int, ByStep], metric: str
) -> dict[int, ByStep]:
    """The steps that all runs of a variant have; UserError when there is none."""
    steps = sorted(set.intersection(*(set(by_step) for by_step in seeds.values())))
    if not steps:
        without = [seed for seed, by_step in seeds.items() if not by_step]
        which = f"; seed {', '.join(map(str, without))} has no value at all" if without else ""
        raise UserError(
            f"the runs of {variant.title} have no common step with {metric}{which}: "
            "draw the other variants with --variants"
        )
    return {seed: {step: by_step[step] for step in steps} for seed, by_step in seeds.items()}


def _bands(curves: BySeed[ByStep]) -> list[BandCurve]:
    bands = []
    for variant, seeds in curves.items():
        steps = np.array(list(next(iter(seeds.values()))), dtype=np.int64)
        values = np.array([list(by_step.values()) for by_step in seeds.values()], dtype=np.float64)
        bands.append(BandCurve(variant.title, steps, values))
    return bands


def _panel(published: PublishedCurves) -> Panel:
    steps = np.array(published.steps, dtype=np.int64)
    curves = [
        BandCurve(label, steps, np.array([values], dtype=np.float64))
        for label, values in published.curves
    ]
    return Panel(f"{published.title}\n{published.place}", published.quantity, curves)
