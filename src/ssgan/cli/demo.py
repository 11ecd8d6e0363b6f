"""`ssgan demo [--compare]`: a short run on the embedded data set, and the GAN beside it."""

import statistics
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from ssgan.cli.options import Demo
from ssgan.cli.progress import open_progress_bar
from ssgan.cli.train import train_in
from ssgan.data.prepare import default_cache, prepare
from ssgan.evaluation.evaluate import EvaluationSettings, evaluate
from ssgan.evaluation.feature_networks import choose_features, has_efficientnet_lite0
from ssgan.evaluation.features import FeatureExtraction, ProgressBar, no_progress
from ssgan.evaluation.image_sets import GeneratedImages, ImageSet, RealImages
from ssgan.evaluation.metrics import NAMEABLE
from ssgan.files.names import readable
from ssgan.files.own_outputs import refuse_other_picture
from ssgan.files.run_directory import RunDirectory
from ssgan.methods.gan import GAN
from ssgan.metrics.features import AbstractFeatures
from ssgan.metrics.nameable import CONFIDENCE, NUM_KINDS, ObjectClassifier
from ssgan.plots.side_by_side import CaptionedSheet, draw_side_by_side
from ssgan.recipes import objects
from ssgan.runs.checkpoint import find_state
from ssgan.runs.config import RunConfig
from ssgan.runs.precision import resolve_device
from ssgan.training.history import read_log
from ssgan.training.loop import train
from ssgan.training.resume import accept_directory, read_run_config
from ssgan.types import UserError

_AFTER_DEMO = """
what to try next
  ssgan show {run} --curves curves.png         its losses and its rotation accuracy
  ssgan sample {run} --n 64 --gif              more images, and an interpolation between them
  ssgan demo --run {run} --compare             the GAN for as long, beside it
  ssgan train objects:demo --total_steps 6400  a run four times as long
  ssgan train --data folder:PATH               your own images, no labels needed
"""
_CLASSIFIED, _COMPARED = 1000, 2000  # samples that are classified, and of a Frechet distance
_ON_SHEET = 64
_TIMED, _FIRST = 24, 4  # steps of each method that are timed, after the first ones
_ALIKE = 0.1  # steps whose times differ by a smaller share count as equal


def main(given: Demo) -> int:
    """Train on the embedded data set, and print what to try next; returns the exit code."""
    directory, config = given.run or Path("runs/demo"), objects.demo()
    if given.compare:
        _check_places(config, directory)
    if code := train_in(config, directory, advise=False):
        return code
    if given.compare:
        return _compare(config, directory)
    print(_describe(Standing(directory)))
    print(_AFTER_DEMO.format(run=readable(directory)), end="")
    return 0


@dataclass(frozen=True)
class Standing:
    """A finished run of the demonstration, and its numbers."""

    directory: Path

    @cached_property
    def samples(self) -> GeneratedImages:
        """Of the averaged generator."""
        state = find_state(self.directory).checkpoint
        device = resolve_device(state.config.device)
        return GeneratedImages(readable(self.directory), state, device)

    @property
    def config(self) -> RunConfig:
        """Its settings."""
        return self.samples.checkpoint.config

    @cached_property
    def real(self) -> RealImages:
        """The images that it was trained on, and the classifier was not."""
        data = self.config.data
        return RealImages(prepare(data.source, data.preprocessing), "train")

    @property
    def seconds(self) -> float:
        """What its steps took; evaluations are left out."""
        rows = read_log(RunDirectory(self.directory))
        seconds = rows[-1]["seconds"]
        assert isinstance(seconds, int | float)
        return float(seconds)

    def classify(self, images: ImageSet | None = None) -> dict[str, float]:
        """The share of nameable images and the number of kinds, by default of samples."""
        classifier = ObjectClassifier.load(resolve_device(self.config.device))
        return self._evaluate(images or self.samples, classifier, _CLASSIFIED)

    def measure_distance(self) -> tuple[str, float]:
        """The name and the value of the best Frechet distance that is there."""
        name = "lite0" if has_efficientnet_lite0() else "random"
        device = resolve_device(self.config.device)
        features = choose_features(name, device, default_cache()).features
        ((found, value),) = self._evaluate(
            self.samples, features, _COMPARED, "fd", open_progress_bar
        ).items()
        return found, value

    def _evaluate(
        self,
        images: ImageSet,
        features: AbstractFeatures,
        count: int,
        metric: str = NAMEABLE,
        bar: ProgressBar = no_progress,
    ) -> dict[str, float]:
        device = resolve_device(self.config.device).type
        extraction = FeatureExtraction(
            features=features, cache=default_cache(), device=device, progress_bar=bar
        )
        settings = EvaluationSettings(
            count=min(count, images.available or count),
            real_count=min(count, len(self.real.dataset)),
            seeds=(0,),
            metrics=(metric,),
        )
        results = evaluate(images, self.real, extraction, settings).results
        return {result.name: result.value for result in results}


def _describe(run: Standing) -> str:
    found, real = run.classify(), run.classify(run.real)
    return (
        f"nameable: {_format_share(found[NAMEABLE])} of {_CLASSIFIED:,} samples show one of the "
        f"ten kinds (confidence above {CONFIDENCE}; real images {real[NAMEABLE]:.0%}); "
        f"kinds: {found['kinds']:.1f} of {NUM_KINDS}"
    )


def _beside(directory: Path, ending: str) -> Path:
    """A path beside a directory, with its name and this ending."""
    directory = directory if directory.name.strip(".") else directory.resolve()
    if not directory.name:
        raise UserError(f"{directory} has no place beside it; give --run another directory")
    return directory.with_name(directory.name + ending)


def _check_places(config: RunConfig, directory: Path) -> None:
    """Raise UserError, before anything is trained, for what is in the way beside the run."""
    refuse_other_picture(_beside(directory, "-compare.png"))
    layout = RunDirectory(_beside(directory, "-gan"))
    if (stored := read_run_config(layout)) is not None:
        config = replace(config, total_steps=stored.total_steps)
    accept_directory(layout, replace(config, method=GAN()))


def _compare(config: RunConfig, directory: Path) -> int:
    """Train the GAN for as long, and draw both; returns the exit code."""
    beside, target = _beside(directory, "-gan"), _beside(directory, "-compare.png")
    stored = read_run_config(RunDirectory(beside))
    rival = replace(config, method=GAN())
    steps = stored.total_steps if stored else _choose_steps(config, rival)
    print(f"the same recipe by {_name(rival)}: {steps:,} steps")
    if code := train_in(replace(rival, total_steps=steps), beside, advise=False):
        return code
    runs = [Standing(directory), Standing(beside)]
    sheets = [_sheet(run) for run in runs]
    draw_side_by_side(sheets, _caption(*runs), target)
    for sheet in sheets:
        print(f"{sheet.title}: {'; '.join(sheet.lines)}")
    print(f"side by side: {readable(target)}")
    return 0


def _caption(run: Standing, beside: Standing) -> str:
    """What both sheets have in common, and what "for as long" means there."""
    fair = "Same recipe, data and seed"
    if run.config.total_steps == beside.config.total_steps:
        fair += ", and as many steps."
    else:
        fair += "; as many steps as fill the same time, by steps of both timed in turns."
    if abs(beside.seconds / run.seconds - 1) > _ALIKE:
        fair += " The seconds differ, as the machine was not equally busy."
    real = run.classify(run.real)[NAMEABLE]
    shown = (
        f"Nameable: one of ten kinds with confidence above {CONFIDENCE} (real images {real:.0%})."
    )
    return f"The first {_ON_SHEET} samples of each, not chosen. {shown}\n{fair}"


def _sheet(run: Standing) -> CaptionedSheet:
    """The first samples of a run, under its numbers."""
    (distance, value), found = run.measure_distance(), run.classify()
    steps = run.samples.checkpoint.step
    pixels = run.samples.images(0, torch.arange(_ON_SHEET))
    return CaptionedSheet(
        title=_name(run.config),
        lines=(
            f"{steps:,} steps in {run.seconds:,.0f} seconds",
            f"{distance} {value:.4g} ({_COMPARED:,} samples)",
            f"nameable {_format_share(found[NAMEABLE])}, kinds {found['kinds']:.1f} of {NUM_KINDS}",
        ),
        images=pixels.permute(0, 2, 3, 1).numpy(),
    )


def _format_share(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"


def _name(config: RunConfig) -> str:
    return {"SSGAN": "SS-GAN"}.get(name := type(config.method).__name__, name)


def _choose_steps(config: RunConfig, rival: RunConfig) -> int:
    """As many steps of the rival as take the time of the run: as many, if steps take as long.

    Steps of both are timed in turns, so that a busy machine is as slow for both.
    """
    dataset = prepare(config.data.source, config.data.preprocessing)
    runs = [train(one, dataset) for one in (config, rival)]
    seconds: list[list[float]] = [[], []]
    for _ in range(min(config.total_steps, _FIRST + _TIMED)):
        for steps, own in zip(runs, seconds, strict=True):
            started = time.perf_counter()
            next(steps)
            own.append(time.perf_counter() - started)
    longer, shorter = (statistics.median(own[-_TIMED:]) for own in seconds)
    same = abs(longer / shorter - 1) < _ALIKE
    return config.total_steps if same else round(config.total_steps * longer / shorter)
