"""`ssgan train [RECIPE|RUN] [--data SOURCE] [--any.setting VALUE]`: trains, or continues."""

import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import groupby
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill

from rich.console import Console

from ssgan.cli.config_args import default_directory, read_config, take_source
from ssgan.cli.launching.launchers import join_launcher
from ssgan.cli.main import NON_FINITE
from ssgan.cli.moved import find_moved_run
from ssgan.cli.options import Train
from ssgan.cli.progress import (
    Meter,
    describe_rejects,
    fetch_source,
    log_to_terminal,
    open_progress_bar,
)
from ssgan.cli.report import leave_report
from ssgan.config.help import format_settings
from ssgan.config.serialize import dump
from ssgan.config.text import spell_duration
from ssgan.data.base import AbstractCollection, DatasetInfo, Progress
from ssgan.data.dataset import Dataset
from ssgan.files.names import readable
from ssgan.files.run_directory import RunDirectory
from ssgan.ops.collective import rank
from ssgan.ops.numa import divide_nodes
from ssgan.recipes.find import list_recipes
from ssgan.runs import config_io
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import list_modules
from ssgan.training.cost import estimate_cost
from ssgan.training.inputs import RunProgress
from ssgan.training.ranks.distributed import TIMEOUT, is_launched, join_ranks
from ssgan.training.resume import ask_for_place, is_finished, may_change
from ssgan.training.run import Collapsed, RunReport, check_run, run
from ssgan.training.signals import Interrupted
from ssgan.training.tracker import Tracking
from ssgan.types import NonFinite

_LARGE = 128  # pixels; above, a run says its cost before it starts


def main(given: Train) -> int:
    """Train, or continue; returns the exit code."""
    if given.recipes:
        print(_list_by_file(list_recipes()))
        return 0
    join_launcher(given.processes)
    given = take_source(given)
    speaks = _speaks(given)
    if speaks:
        log_to_terminal(Console(stderr=True))
    config, reasons, directory, collection = read_config(given)
    if given.help:
        print(format_settings(config, get_terminal_size().columns))
        return 0
    tracker = None
    if given.track is not None:
        tracker = Tracking(library=given.track, project=given.track_project)
    named = directory or (None if given.run is None else Path(given.run))
    directory = default = named or Path(default_directory(given.recipe, config))
    if named is None and not given.dry_run:
        directory = find_moved_run(config, default, given.cache, collection)
    if not (given.dry_run or given.accept_new_data) and is_finished(config, directory):
        if speaks:
            _say_finished(config, directory)
        return 0
    for reason in reasons if speaks else ():
        print(reason)
    count = _count_processes(given, config)
    if given.dry_run:
        return _dry_run(config, directory, count, collection)
    if speaks and directory != default:
        print(f"{readable(directory)} has the same settings and images: it continues")
    if count > 1 and not is_launched():
        from ssgan.cli.launching.processes import run_in_processes

        if collection is None:
            with ask_for_place(RunDirectory(directory), config.data.source):
                collection = fetch_source(config.data.source).open()
        check_run(config, directory, DatasetInfo.of(collection), count)
        cores = divide_nodes(count, config.device) if given.numa == "node" else None
        return run_in_processes(["train", *given.words], count, given.restarts, cores)
    if speaks and collection is not None:
        _say_cost(config, RunDirectory(directory), DatasetInfo.of(collection))
    return train_in(
        *(config, directory, given.cache, given.timeout or TIMEOUT, collection),
        verify=given.verify,
        accept_new_data=given.accept_new_data,
        tracker=tracker,
        report=not given.no_report,
    )


def _speaks(given: Train) -> bool:
    """Whether this process says what was chosen. For ranks of --processes their parent did."""
    return not is_launched() or (given.processes == 1 and os.environ.get("RANK") == "0")


def _count_processes(given: Train, config: RunConfig) -> int:
    """The number of --processes; says what auto is."""
    if given.processes != "auto":
        return given.processes
    if is_launched():
        return 1
    from ssgan.cli.launching.processes import choose_count

    count, why = choose_count(config.device)
    idle = count == 1 and (given.restarts or given.numa != "none")
    print(f"--processes auto is {why}{'; --restarts and --numa have no effect' * bool(idle)}")
    return count


def _list_by_file(recipes: list[str]) -> str:
    """The recipes, a paragraph for each file."""
    lines, width = [], get_terminal_size().columns - 2
    for file, group in groupby(recipes, key=lambda name: name.split(":")[0]):
        functions = ", ".join(name.split(":")[1] for name in group)
        lines.append(fill(f"{file}: {functions}", width, subsequent_indent="  "))
    return "\n".join(lines)


def train_in(
    config: RunConfig,
    directory: Path,
    cache: Path | None = None,
    timeout: int = TIMEOUT,
    collection: AbstractCollection | None = None,
    *,
    advise: bool = True,
    verify: bool = False,
    accept_new_data: bool = False,
    tracker: Tracking | None = None,
    report: bool = True,
) -> int:
    """Train in the directory with progress shown; returns the exit code.

    `collection` is the opened source, where the caller has it. Under a launcher this is one
    process of several; only rank 0 prints. With `advise` it prints the warnings of the run. With
    `report` the run leaves report.html, without networks unless it is finished.
    """
    start = partial(
        run,
        config,
        directory,
        cache=cache,
        collection=collection,
        verify=verify,
        accept_new_data=accept_new_data,
        tracker=tracker,
    )
    with join_ranks(timeout, config.device):
        if rank() > 0:
            return _follow(start())
        steps = start(progress=_Progress(directory, advise))
        trusted = list_modules(dump(config))
        try:
            code = _lead(config, directory, steps)
        except NonFinite:
            if report:
                leave_report(directory, quick=True, trusted=trusted)
            raise
    if report:
        leave_report(directory, quick=code != 0, cache=cache, trusted=trusted)
    return code


def _follow(steps: Iterator[RunReport]) -> int:
    """Train as one of the other ranks, which print nothing."""
    logging.getLogger("ssgan").addHandler(logging.NullHandler())
    try:
        for _ in steps:
            pass
    except (Interrupted, Collapsed) as end:
        return end.exit_code
    except NonFinite:  # rank 0 has the same error, and prints it
        return NON_FINITE
    return 0


class _Progress(RunProgress):
    """Bars and notes before the first step."""

    def __init__(self, directory: Path, advise: bool) -> None:
        self.directory, self.advise = directory, advise

    def bar(self, what: str, unit: str) -> AbstractContextManager[Progress]:
        return open_progress_bar(what, unit)

    def wait(self) -> None:
        print("waiting: another process is preparing the same images", file=sys.stderr)

    def begin(self, dataset: Dataset, warnings: Sequence[str]) -> None:
        for line in describe_rejects(dataset):
            print(line)
        for sentence in warnings if self.advise else ():
            print(f"warning: {sentence}")
        print(f"run directory: {readable(self.directory)}")


def _lead(config: RunConfig, directory: Path, steps: Iterator[RunReport]) -> int:
    log_to_terminal(Console(stderr=True))
    try:
        done = _train_with_bar(steps, config)
    except Interrupted as stop:
        print(f"{stop}; run the same command again to continue", file=sys.stderr)
        return stop.exit_code
    except Collapsed as end:
        print(end, file=sys.stderr)
        return end.exit_code
    if not done:
        _say_finished(config, directory)
        return 0
    print("done")
    _say_samples(directory)
    return 0


def _say_finished(config: RunConfig, directory: Path) -> None:
    """Print that a run is finished, how it can be trained longer, and where its samples are."""
    name, step = readable(directory), config.total_steps
    print(f"finished, nothing to do: {name} is at step {step} of {step}")
    if may_change("total_steps", config):
        longer = f"any number above {step}: ssgan train {name} --total_steps {2 * step}"
    else:
        what = "learning_rate_decay" if config.learning_rate_decay != "none" else "the method"
        longer = f"no other number, because {what} depends on it: start a new run with --run DIR"
    print(f"to train longer, total_steps may be {longer}")
    _say_samples(directory)


def _say_samples(directory: Path) -> None:
    if (newest := RunDirectory(directory).newest_sample()) is not None:
        print(f"samples: {readable(newest)}")


def _train_with_bar(steps: Iterator[RunReport], config: RunConfig) -> int:
    """Take all steps, with a bar; returns the number of the last, 0 where none was left."""
    images = config.batch_size * config.discriminator_updates
    if config.compile:
        print("the first step compiles, which may take minutes; the kernels are reused later")
    figures, done, started = "", 0, time.monotonic()
    with Meter("step", config.total_steps, per_step=images) as meter:
        for report in steps:
            if config.compile and done == 0:
                print(
                    f"the first step, compiled, took {spell_duration(time.monotonic() - started)}"
                )
            if report.terms is not None:
                figures = _figures(report.terms)
            saved = f"saved {report.checkpoint.stem}" if report.checkpoint else "not saved yet"
            words = (figures, report.verdict.state, saved)
            meter.advance(report.step, "  ".join(word for word in words if word))
            done = report.step
    return done


def _dry_run(
    config: RunConfig, directory: Path, processes: int, collection: AbstractCollection | None
) -> int:
    """Refuse what a run there would refuse, in the same words; else print its cost."""
    with ask_for_place(RunDirectory(directory), config.data.source):
        source = config.data.source
        info = source.info() if collection is None else DatasetInfo.of(collection)
    config, state = check_run(config, directory, info, processes)
    print(estimate_cost(config, info, state).text())
    return 0


def _say_cost(config: RunConfig, layout: RunDirectory, info: DatasetInfo) -> None:
    """Print time and memory before a new run on large images, which may take days."""
    if config.data.image_size > _LARGE and not layout.holds_run():
        config, state = check_run(config, layout.root, info)
        print(estimate_cost(config, info, state).sentence())


def _figures(terms: dict[str, float]) -> str:
    shown = {
        "D": "D/adversarial",
        "G": "G/adversarial",
        "rotation accuracy, real": "D/rotation_accuracy",
        "fake": "G/rotation_accuracy",
    }
    return "  ".join(f"{label} {terms[key]:.2f}" for label, key in shown.items() if key in terms)


assert config_io.REGISTRY  # imported, so that --method GAN and the like find every kind of setting
