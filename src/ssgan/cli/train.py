"""`ssgan train [RECIPE|RUN] [--data SOURCE] [--any.setting VALUE]`, and `ssgan demo`."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill

from rich.console import Console

from ssgan.cli.config_args import default_directory, read_config
from ssgan.cli.main import NON_FINITE
from ssgan.cli.options import Demo, Train
from ssgan.cli.preparation import (
    check_dataset_rotations,
    dataset_warnings,
    fetch_source,
    prepare_images,
)
from ssgan.cli.progress import Meter, log_to_terminal
from ssgan.config.help import format_settings
from ssgan.data.base import DatasetInfo
from ssgan.data.dataset import Dataset
from ssgan.data.prepare import default_cache, prepare
from ssgan.data.scan import readable
from ssgan.files.run_directory import RunDirectory
from ssgan.methods.base import Method
from ssgan.ops.collective import rank
from ssgan.ops.cpu import keep_freed_memory
from ssgan.recipes import scenes
from ssgan.recipes.find import list_recipes
from ssgan.runs import config_io
from ssgan.runs.config import RunConfig
from ssgan.training.cost import estimate_cost
from ssgan.training.distributed import TIMEOUT, Ranks, is_launched, join_ranks
from ssgan.training.evaluator import prepare_held_out
from ssgan.training.resume import (
    refuse_other_directory,
    refuse_other_settings,
    refuse_used_directory,
    resolve_auto,
)
from ssgan.training.run import Collapsed, RunReport, run
from ssgan.training.signals import Interrupted
from ssgan.training.validation import validate_run
from ssgan.types import NonFinite

_AFTER_DEMO = """
what to try next
  ssgan show {run} --curves curves.png         its losses and its rotation accuracy
  ssgan sample {run} --n 64 --gif              more images, and an interpolation between them
  ssgan train scenes:ssgan                     the same for ten times as long
  ssgan train --data folder:PATH               your own images, no labels needed
"""


def main(given: Train) -> int:
    """Train, or continue; returns the exit code."""
    if given.recipes:
        print(_listed(list_recipes()))
        return 0
    config, reasons, directory = read_config(given)
    if given.help:
        print(format_settings(config))
        return 0
    for reason in reasons:
        print(reason)
    directory = directory or Path(given.run or default_directory(given.recipe, config))
    if given.dry_run:
        return _dry_run(config, RunDirectory(directory), given.processes)
    if given.processes > 1 and not is_launched():
        from ssgan.cli.processes import in_processes

        info = DatasetInfo.of(fetch_source(config.data.source).open())
        _refuse(config, RunDirectory(directory), info, given.processes)
        return in_processes(["train", *given.words], given.processes, given.restarts)
    return train_in(config, directory, given.cache or default_cache(), given.timeout or TIMEOUT)


def demo(given: Demo) -> int:
    """Train on the embedded data set, and print what to try next; returns the exit code."""
    directory = given.run or Path("runs/demo")
    code = train_in(scenes.demo(), directory, default_cache(), advise=False)
    if code == 0:
        print(_AFTER_DEMO.format(run=readable(directory)), end="")
    return code


def _listed(recipes: list[str]) -> str:
    """The recipes, a paragraph for each file."""
    lines, width = [], get_terminal_size().columns - 2
    for file, group in groupby(recipes, key=lambda name: name.split(":")[0]):
        functions = ", ".join(name.split(":")[1] for name in group)
        lines.append(fill(f"{file}: {functions}", width, subsequent_indent="  "))
    return "\n".join(lines)


def train_in(
    config: RunConfig, directory: Path, cache: Path, timeout: int = TIMEOUT, *, advise: bool = True
) -> int:
    """Prepare the images, train in the directory with progress shown; returns the exit code.

    Under a launcher this is one process of several; only rank 0 prints. With `advise` it warns
    where rotation prediction does not suit the images.
    """
    with join_ranks(timeout, config.device) as ranks:
        if rank() > 0:
            return _follow(config, directory, cache, ranks)
        return _lead(config, directory, cache, ranks, advise)


def _follow(config: RunConfig, directory: Path, cache: Path, ranks: Ranks) -> int:
    """Train as one of the other ranks, which print nothing."""
    logging.getLogger("ssgan").addHandler(logging.NullHandler())
    keep_freed_memory()

    def work() -> Dataset:
        config.data.source.fetch(lambda done, total: None)
        return prepare(config.data.source, config.data.preprocessing, cache)

    try:
        for _ in run(config, directory, ranks.first_then_others(work)):
            pass
    except (Interrupted, Collapsed) as end:
        return end.exit_code
    except NonFinite:  # rank 0 has the same error, and prints it
        return NON_FINITE
    return 0


def _lead(config: RunConfig, directory: Path, cache: Path, ranks: Ranks, advise: bool) -> int:
    log_to_terminal(Console(stderr=True))
    keep_freed_memory()
    layout = RunDirectory(directory)
    config = resolve_auto(layout, config)
    refuse_other_directory(layout)
    refuse_other_settings(layout, config)
    collection = fetch_source(config.data.source).open()
    validate_run(config, len(collection), len(collection.classes()))
    dataset, held_out = ranks.first_then_others(
        lambda: (
            prepare_images(config.data.source, config.data.preprocessing, cache),
            prepare_held_out(
                config, lambda source, preprocessing: prepare_images(source, preprocessing, cache)
            ),
        )
    )
    for line in dataset_warnings(dataset):
        print(line)
    if advise and config.method.predicts_rotation and not layout.holds_run():
        _warn_of_rotations(dataset, config.method)
    if len(dataset) < config.batch_size:
        print(f"note: a batch of {config.batch_size} repeats some of the {len(dataset)} images")
    print(f"run directory: {readable(directory)}")
    try:
        done = _train_with_bar(run(config, directory, dataset, held_out=held_out), config)
    except Interrupted as stop:
        print(f"{stop}; run the same command again to continue", file=sys.stderr)
        return stop.exit_code
    except Collapsed as end:
        print(end, file=sys.stderr)
        return end.exit_code
    where = f"{readable(directory)} is at step {config.total_steps}"
    print("done" if done else f"nothing to do: {where}")
    if (newest := layout.newest_sample()) is not None:
        print(f"samples: {readable(newest)}")
    return 0


def _train_with_bar(steps: Iterator[RunReport], config: RunConfig) -> int:
    """Take all steps, with a bar; returns the number of the last, 0 where none was left."""
    images = config.batch_size * config.discriminator_updates
    if config.compile:
        print("the first step compiles, which may take minutes; the kernels are reused later")
    figures, done, started = "", 0, time.monotonic()
    with ExitStack() as bars:
        meter: Meter | None = None
        for report in steps:
            if meter is None:  # the first step was not timed whole
                if config.compile:
                    print(f"the first step, compiled, took {time.monotonic() - started:.0f} s")
                meter = Meter("step", config.total_steps, report.step, images)
                bars.enter_context(meter)
            if report.terms is not None:
                figures = _figures(report.terms)
            saved = f"saved {report.checkpoint.stem}" if report.checkpoint else "not saved yet"
            words = (figures, report.verdict.state, saved)
            meter.advance(report.step, "  ".join(word for word in words if word))
            done = report.step
    return done


def _warn_of_rotations(dataset: Dataset, method: Method) -> None:
    """Warn where rotation prediction does not suit the images, or teaches D little."""
    report = check_dataset_rotations(dataset)
    if report is not None and report.is_warning:
        without = "ConditionalGAN" if method.conditional else "GAN"
        print(
            f"warning: rotation prediction may not suit these images ({report.sentence}); "
            f"--method {without} trains without it"
        )


def _dry_run(config: RunConfig, layout: RunDirectory, processes: int) -> int:
    """Refuse what a run there would refuse, in the same words; else print its cost."""
    info = config.data.source.info()
    config = _refuse(config, layout, info, processes)
    print(estimate_cost(config, info).text())
    return 0


def _refuse(
    config: RunConfig, layout: RunDirectory, info: DatasetInfo, processes: int
) -> RunConfig:
    """The definite settings of a run there; raises UserError for whatever it would refuse."""
    config = resolve_auto(layout, config)
    validate_run(config, info.header_stats.num_images, len(info.classes), processes)
    refuse_other_directory(layout)
    refuse_used_directory(layout, config)
    return config


def _figures(terms: dict[str, float]) -> str:
    shown = {
        "D": "D/adversarial",
        "G": "G/adversarial",
        "rotation accuracy, real": "D/rotation_accuracy",
        "fake": "G/rotation_accuracy",
    }
    return "  ".join(f"{label} {terms[key]:.2f}" for label, key in shown.items() if key in terms)


assert config_io.REGISTRY  # imported, so that --method GAN and the like find every kind of setting
