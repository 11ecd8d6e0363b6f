"""Numbers over training: the mean and the band over seeds, as a figure and a table."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ssgan.evaluation.results import Result
from ssgan.evaluation.selection_metric import FD_RANDOM, metric_name
from ssgan.files.run_directory import RunDirectory
from ssgan.plots.bands import BandCurve, Panel, draw_bands
from ssgan.runs.config import EvaluateConfig
from ssgan.studies.comparison import compare_variants, pairs_table
from ssgan.studies.distances import (
    describe_protocol,
    distance,
    last_distance,
    protocol_facts,
    refuse_unlike,
)
from ssgan.studies.jobs import TrainingJob
from ssgan.studies.markdown import format_with_std, legend, markdown
from ssgan.studies.measurements import kept_steps
from ssgan.studies.probe_rows import one_protocol, probe_rows, protocol_text
from ssgan.studies.published import Curves
from ssgan.studies.rendering import AbstractRenderer, BySeed, Rendered, group_by_variant
from ssgan.studies.statistics import compute_spread
from ssgan.studies.trial import Trial
from ssgan.studies.variants import AbstractVariant
from ssgan.training.history import read_metrics
from ssgan.types import UserError

ByStep = Mapping[int, float]


class Found(NamedTuple):
    """Curves of one protocol."""

    name: str  # what the numbers are
    protocol: str  # Markdown
    facts: dict[str, object]
    curves: BySeed[ByStep]


@dataclass(frozen=True)
class CurvesByStep(AbstractRenderer):
    """Curves over steps, the paper's in a panel of their own."""

    lower_is_better: bool

    @abstractmethod
    def find(self, trials: Sequence[Trial]) -> Found:
        """The curves of these cells; UserError when they are of two protocols."""

    def draw(self, trials: Sequence[Trial]) -> Rendered:
        """Every step that all runs of an arm have."""
        found = self.find(trials)
        curves = {
            variant: _common(variant, seeds, found.name) for variant, seeds in found.curves.items()
        }
        panels = [Panel(f"{found.name}, measured here", found.name, _bands(curves))]
        panels += [_published(paper) for paper in self.published if isinstance(paper, Curves)]
        seeds = max(len(of_arm) for of_arm in curves.values())
        last = max(step for of_arm in curves.values() for by in of_arm.values() for step in by)
        at_end = {
            variant: {seed: by_step[last] for seed, by_step in of_arm.items()}
            for variant, of_arm in curves.items()
            if all(last in by_step for by_step in of_arm.values())
        }
        parts = [
            found.protocol,
            self._table(found.name, curves),
            pairs_table(at_end, f"step {last:,}: "),
        ]
        facts = {
            **found.facts,
            "values": {variant.name: of_arm for variant, of_arm in found.curves.items()},
            "comparisons": [{"step": last, **row} for row in compare_variants(at_end)],
        }
        tables = "\n\n".join(part for part in (*parts, legend(seeds)) if part)
        return Rendered(tables, facts, draw_bands(panels))

    def _table(self, name: str, curves: BySeed[ByStep]) -> str:
        """A row a step, a column an arm."""
        lines = [[f"step ({name})", *(variant.title for variant in curves)]]
        steps = {step for of_arm in curves.values() for by in of_arm.values() for step in by}
        for step in sorted(steps):
            trials = [
                {seed: by_step[step] for seed, by_step in of_arm.items() if step in by_step}
                for of_arm in curves.values()
            ]
            better = self.lower_is_better
            shown = [
                format_with_std(compute_spread(c, lower_is_better=better)) if c else "-"
                for c in trials
            ]
            lines.append([f"{step:,}", *shown])
        return markdown(lines)


@dataclass(frozen=True)
class ProbeCurves(CurvesByStep):
    """The linear probe of D's last block, at every kept state."""

    def find(self, trials: Sequence[Trial]) -> Found:
        """From the rows of `ssgan probe`."""
        rows = group_by_variant((trial, probe_rows(trial.measuring[-1])) for trial in trials)
        every = [row for seeds in rows.values() for own in seeds.values() for row in own]
        last = max(row["block"] for row in every)
        chosen = [row for row in every if row["block"] == last]
        curves: BySeed[ByStep] = {
            variant: {
                seed: {row["step"]: row["top1"] for row in own if row["block"] == last}
                for seed, own in seeds.items()
            }
            for variant, seeds in rows.items()
        }
        facts: dict[str, object] = {"number": "top-1", "block": last}
        facts["protocol"] = one_protocol(chosen)
        return Found(f"top-1, block {last} of D", protocol_text(chosen), facts, curves)


@dataclass(frozen=True)
class DistanceCurves(CurvesByStep):
    """The Frechet distance of samples of every kept state: FID, where Inception is there."""

    def find(self, trials: Sequence[Trial]) -> Found:
        """From the results of `ssgan evaluate`."""
        curves: BySeed[ByStep] = {}
        results: list[Result] = []
        for trial in trials:
            assert isinstance(trial.training, TrainingJob)
            own = [*(distance(job) for job in trial.measuring[:-1]), last_distance(trial)]
            steps = kept_steps(trial.training.config)
            values = [result.value for result in own]
            curves.setdefault(trial.variant, {})[trial.seed] = dict(zip(steps, values, strict=True))
            results += own
        refuse_unlike(results)
        protocol = "\n".join(f"    {line}" for line in describe_protocol(results))
        return Found(results[0].name, protocol, protocol_facts(results), curves)


@dataclass(frozen=True)
class ScoreCurves(CurvesByStep):
    """The runs' own score, by `evaluate.features`, from their metrics.jsonl."""

    def find(self, trials: Sequence[Trial]) -> Found:
        """From the run directories."""
        names = ("num_real", "num_fake", "features", "split")
        (score,) = {metric_name(_evaluate(trial)) for trial in trials}  # settings go to every run
        protocols: list[dict[str, object]] = []
        curves: BySeed[ByStep] = {}
        for trial in trials:
            assert isinstance(trial.training, TrainingJob)
            rows = read_metrics(RunDirectory(trial.training.root))
            rows = [row for row in rows if row["name"] == score and row["value"] is not None]
            protocols += [{name: row.get(name) for name in names} for row in rows]
            by_step = {int(str(row["step"])): float(str(row["value"])) for row in rows}
            curves.setdefault(trial.variant, {})[trial.seed] = by_step
        if not protocols:
            raise UserError(
                f"no run has a score {score}: evaluate.every was 0, or evaluate.features another"
            )
        if unlike := [own for own in protocols if own != protocols[0]]:
            raise UserError(f"these scores are of two protocols: {protocols[0]} and {unlike[0]}")
        first = protocols[0]
        what = "on a seeded random network" if score == FD_RANDOM else "on trained features"
        text = (
            f"    {score}, the runs' own score: Frechet distance {what}, {first['num_real']:,}\n"
            f"    training images against {first['num_fake']:,} samples"
        )
        if score != "FID":
            score, text = f"{score} (no FID)", f"{text}; it is no FID and compares with none"
        return Found(score, text, {"number": score, "protocol": first}, curves)


def _evaluate(trial: Trial) -> EvaluateConfig:
    assert isinstance(trial.training, TrainingJob)
    return trial.training.config.evaluate


def _common(variant: AbstractVariant, seeds: Mapping[int, ByStep], name: str) -> dict[int, ByStep]:
    """The steps that all of an arm's runs have; UserError when there is none."""
    steps = sorted(set.intersection(*(set(by_step) for by_step in seeds.values())))
    if not steps:
        without = [seed for seed, by_step in seeds.items() if not by_step]
        which = f"; seed {', '.join(map(str, without))} has no value at all" if without else ""
        raise UserError(
            f"the runs of {variant.title} have no step in common at which {name} was measured"
            f"{which}: "
            "draw the other arms with --arms"
        )
    return {seed: {step: by_step[step] for step in steps} for seed, by_step in seeds.items()}


def _bands(curves: BySeed[ByStep]) -> list[BandCurve]:
    bands = []
    for variant, seeds in curves.items():
        steps = np.array(list(next(iter(seeds.values()))), dtype=np.int64)
        values = np.array([list(by_step.values()) for by_step in seeds.values()], dtype=np.float64)
        bands.append(BandCurve(variant.title, steps, values))
    return bands


def _published(paper: Curves) -> Panel:
    steps = np.array(paper.steps, dtype=np.int64)
    curves = [
        BandCurve(label, steps, np.array([values], dtype=np.float64))
        for label, values in paper.curves
    ]
    return Panel(f"{paper.title}\n{paper.place}", paper.what, curves)
