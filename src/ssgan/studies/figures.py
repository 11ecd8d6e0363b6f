"""Figures of a study: metrics over training as curves, and sheets of samples."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ssgan.evaluation.results import Result
from ssgan.evaluation.selection_metric import FD_RANDOM, metric_name
from ssgan.files.image_grid import image_grid
from ssgan.files.run_directory import RunDirectory
from ssgan.plots.bands import BandCurve, Panel, draw_bands
from ssgan.plots.figures import encode_figure
from ssgan.runs.sample_folder import SampleFolder
from ssgan.studies.measurements import stored_steps
from ssgan.studies.published import PublishedCurves
from ssgan.studies.rendering import (
    AbstractRenderer,
    BySeed,
    Rendered,
    by_name,
    compare_variants,
    comparison_lines,
    comparison_table,
    format_with_std,
    join_parts,
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
    read_probes,
    require_same_probe,
)
from ssgan.studies.trials import Trial
from ssgan.studies.variants import AbstractVariant
from ssgan.training.history import read_metrics
from ssgan.types import UserError

_INCHES = 9.0  # width of a strip of samples
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
        by_step = _transpose(curves)
        lines = [[f"step ({found.metric})", *(variant.title for variant in curves)]]
        for step, values in by_step.items():
            texts = [
                format_with_std(compute_spread(values[v])) if v in values else "-" for v in curves
            ]
            lines.append([f"{step:,}", *texts])
        last, at_end = max(by_step.items())
        comparisons = comparison_table(comparison_lines(at_end), f"step {last:,}")
        facts = {
            **found.facts,
            "values": by_name(found.curves),
            "comparisons": [{"step": last, **row} for row in compare_variants(at_end)],
        }
        text = join_parts(found.protocol, markdown(lines), comparisons, legend(curves))
        return Rendered(text, facts, draw_bands(panels))


@dataclass(frozen=True)
class ProbeCurves(AbstractCurves):
    """The linear probe of D's last block, at every stored state."""

    def read(self, trials: Sequence[Trial]) -> StudyCurves:
        """From the rows of `ssgan probe`."""
        found, rows = read_probes(trials)
        last = max(row["block"] for row in rows)
        in_last = [row for row in rows if row["block"] == last]
        curves: BySeed[ByStep] = {
            variant: {
                seed: {row["step"]: row["top1"] for row in own if row["block"] == last}
                for seed, own in seeds.items()
            }
            for variant, seeds in found.items()
        }
        facts = {"metric": "top-1", "block": last, "protocol": require_same_probe(in_last)}
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
            values = [result.value for result in own]
            by_step = dict(zip(stored_steps(trial.config), values, strict=True))
            curves.setdefault(trial.variant, {})[trial.seed] = by_step
            results += own
        protocol = describe_distances(results)
        return StudyCurves(results[0].name, protocol, distance_facts(results), curves)


@dataclass(frozen=True)
class SelectionMetricCurves(AbstractCurves):
    """The runs' own selection metric, by `evaluate.features`, from their metrics.jsonl."""

    def read(self, trials: Sequence[Trial]) -> StudyCurves:
        """From the run directories."""
        names = ("num_real", "num_fake", "features", "split")
        (metric,) = {metric_name(trial.config.evaluate) for trial in trials}  # set for all runs
        protocols: list[dict[str, object]] = []
        curves: BySeed[ByStep] = {}
        for trial in trials:
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


def _transpose(curves: BySeed[ByStep]) -> dict[int, BySeed[float]]:
    """The values by step, in ascending order, then by variant and seed."""
    steps = {step for seeds in curves.values() for by_step in seeds.values() for step in by_step}
    values: dict[int, BySeed[float]] = {step: {} for step in sorted(steps)}
    for variant, seeds in curves.items():
        for seed, by_step in seeds.items():
            for step, value in by_step.items():
                values[step].setdefault(variant, {})[seed] = value
    return values


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


@dataclass(frozen=True)
class SampleSheet(AbstractRenderer):
    """A picture with one row of samples per run, from the same latents."""

    def render(self, trials: Sequence[Trial]) -> Rendered:
        """Column k is one latent vector, if all G have the same latent size.

        A conditional variant cycles through its classes.
        """
        strips, lines = {}, [["row", "training seed", "images"]]
        for trial in trials:
            folder = trial.measuring[-1].result.parent
            strips[f"{trial.variant.title}, seed {trial.seed}"] = _read_strip(folder)
            lines.append([trial.variant.title, str(trial.seed), str(folder)])
        text = (
            "The first samples of the averaged generators for seed 0, not selected. A column is "
            "one latent vector; a conditional GAN cycles through its classes."
        )
        facts = {"latents": "of `ssgan sample --seed 0`, the first ones", "rows": lines[1:]}
        return Rendered(f"{text}\n\n{markdown(lines)}", facts, _draw_strips(strips))


def _read_strip(folder: Path) -> Image.Image:
    """The images that `ssgan sample` wrote to a folder, side by side; UserError without any."""
    within = SampleFolder(folder).images  # earlier versions put images beside their sheet
    files = sorted((within if within.is_dir() else folder).glob("image-*.png"))
    if not files:
        raise UserError(f"{folder} holds no image-*.png: remove it, and run the same command again")
    images = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    return image_grid(images, len(images)).convert("RGB")


def _draw_strips(strips: dict[str, Image.Image]) -> bytes:
    """PNG with a labelled row per strip; every pixel of an image is a square of equal pixels."""
    first = next(iter(strips.values()))
    height = len(strips) * (_INCHES * first.height / first.width + 0.1)
    figure = Figure(figsize=(_INCHES + 2, height))
    grid = figure.subplots(
        len(strips), 1, squeeze=False, gridspec_kw={"hspace": 0.04, "left": 2 / (_INCHES + 2)}
    )
    figure.subplots_adjust(right=0.995, top=0.995, bottom=0.005)
    for axes, (label, strip) in zip(grid[:, 0], strips.items(), strict=True):
        axes.imshow(np.asarray(strip), interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10)
    return encode_figure(figure)
