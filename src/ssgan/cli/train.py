"""`ssgan train [RECIPE] [--data SOURCE] [--run DIR] [--config FILE] [--any.setting VALUE]`."""

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import groupby
from pathlib import Path
from textwrap import fill

from rich.console import Console

from ssgan.cli.arguments import take_options, whole_number
from ssgan.cli.images import bar, fetched, remarks
from ssgan.cli.main import NON_FINITE
from ssgan.cli.progress import Meter, log_to_terminal
from ssgan.cli.settings import chosen_settings, default_directory, settings_file
from ssgan.config.describe import settings_text
from ssgan.config.overlay import from_flags, overlay
from ssgan.data.base import AbstractCollection, DatasetInfo
from ssgan.data.dataset import Dataset
from ssgan.data.prepare import Progress, default_cache
from ssgan.data.scan import readable
from ssgan.data.sources import FORMS
from ssgan.files.run_directory import RunDirectory
from ssgan.ops.collective import rank
from ssgan.recipes.find import list_recipes
from ssgan.runs import config_io
from ssgan.runs.config import RunConfig
from ssgan.training.cost import estimate_cost
from ssgan.training.distributed import TIMEOUT, is_launched, join_ranks
from ssgan.training.run import Collapsed, RunProgress, RunReport, check_run, run
from ssgan.training.signals import Interrupted
from ssgan.types import NonFinite, UserError

USAGE = """usage: ssgan train [RECIPE | RUN] [--data SOURCE] [--run DIR] [--config FILE]
                   [--cache DIR] [--on-collapse warn|stop] [--trust MODULE] [--dry-run]
                   [--processes N [--restarts N]] [--timeout SECONDS] [--any.setting VALUE ...]

  RECIPE    one of those below, or your_module:function; without one, --data gets settings that
            fit the images
  RUN       a run directory, to continue it
  --data    {forms}
  --run     where to write; running the same command again continues there
  --config  a TOML file laid over the recipe, or a run's config.json, which needs no recipe; flags
            are laid over the file
  --cache   where prepared images are kept
  --trust   modules of your own, by commas, whose classes the run uses; they are imported
  --on-collapse  stop: save and end with exit code 75 when the run collapses or diverges
  --processes  on this machine, each with a device of its own and a part of every batch; on several
            machines torchrun, or a cluster, starts `python -m ssgan train ...`
  --restarts  how often all are started anew when one has gone (0)
  --timeout seconds that a process waits for the others (1800)
  --dry-run say what would be done and what it would cost; write and download nothing

ssgan train RECIPE --help lists every setting with its value there. Recipes:

{recipes}
"""
_VALUED = (
    *("data", "run", "config", "cache", "on-collapse", "trust"),
    *("processes", "restarts", "timeout"),
)


def main(argv: list[str]) -> int:
    """Train, or continue; returns the exit code."""
    options, rest = take_options(argv, _VALUED, ("dry-run", "help"))
    changes, positional = from_flags(rest)
    if len(positional) > 1:
        raise UserError(f"train takes one recipe or run, not {' '.join(positional)}")
    name = positional[0] if positional else None
    if options.on("help"):
        print(USAGE.format(forms=FORMS, recipes=_listed(list_recipes())), end="")
        if name is None and options.get("data") is None:
            return 0
    table = settings_file(options)
    config, reasons, directory, source, collection = chosen_settings(name, options, table)
    config = overlay(config, table, options.get("config") or "")
    config = overlay(config, changes, "--")
    if (choice := options.get("on-collapse")) is not None:
        config = overlay(config, {"evaluate": {"on_collapse": choice}}, "--")
    if options.on("help"):
        print("\n" + settings_text(config))
        return 0
    for reason in reasons:
        print(reason)
    directory = directory or Path(options.get("run") or default_directory(name, config))
    processes = whole_number(options, "processes", 1, 1)
    timeout = whole_number(options, "timeout", TIMEOUT, 1)
    restarts = whole_number(options, "restarts", 0, 0)
    if restarts and processes == 1:
        raise UserError("--restarts is of --processes, which is not given or 1")
    if options.on("dry-run"):
        return _dry_run(config, directory, processes)
    if processes > 1 and not is_launched():
        from ssgan.cli.processes import in_processes

        outline = DatasetInfo.of(fetched(config.data.source).open())
        check_run(config, directory, outline, processes)
        return in_processes(["train", *argv], processes, restarts)
    if config.data.source != source:  # a file or a flag has changed it
        collection = None
    cache = Path(options.get("cache") or default_cache())
    return train_in(config, directory, cache, timeout, collection)


def _listed(recipes: list[str]) -> str:
    """The recipes, those of a file in one paragraph."""
    lines = []
    for file, group in groupby(recipes, key=lambda name: name.split(":")[0]):
        functions = ", ".join(name.split(":")[1] for name in group)
        lines.append(
            fill(f"{file}: {functions}", 96, initial_indent="  ", subsequent_indent="    ")
        )
    return "\n".join(lines)


def train_in(
    config: RunConfig,
    directory: Path,
    cache: Path,
    timeout: int = TIMEOUT,
    collection: AbstractCollection | None = None,
    *,
    advise: bool = True,
) -> int:
    """Run in the directory with progress shown; returns the exit code.

    Under a launcher this is one process of several, of which that of rank 0 speaks. With `advise`
    it warns of images that do not suit the run.
    """
    with join_ranks(timeout, config.device):
        if rank() > 0:
            return _follow(run(config, directory, cache=cache, collection=collection))
        shown = _Progress(directory, advise)
        steps = run(config, directory, cache=cache, collection=collection, progress=shown)
        return _lead(config, directory, steps)


def _follow(steps: Iterator[RunReport]) -> int:
    """Train as one of the other ranks, in silence."""
    logging.getLogger("ssgan").addHandler(logging.NullHandler())
    try:
        for _ in steps:
            pass
    except (Interrupted, Collapsed) as end:
        return end.exit_code
    except NonFinite:  # rank 0 has the same, and says it
        return NON_FINITE
    return 0


class _Progress(RunProgress):
    """Bars and notes on the terminal."""

    def __init__(self, directory: Path, advise: bool) -> None:
        self.directory, self.advise = directory, advise

    def bar(self, what: str, unit: str) -> AbstractContextManager[Progress]:
        return bar(what, unit)

    def wait(self) -> None:
        print("waiting: another process prepares the same", file=sys.stderr)

    def begin(self, dataset: Dataset, warnings: Sequence[str]) -> None:
        for line in remarks(dataset):
            print(line)
        for sentence in warnings if self.advise else ():
            print(f"warning: {sentence}")
        print(f"run directory: {readable(self.directory)}")


def _lead(config: RunConfig, directory: Path, steps: Iterator[RunReport]) -> int:
    log_to_terminal(Console(stderr=True))
    try:
        done = _shown(steps, config)
    except Interrupted as stop:
        print(f"{stop}; run the same command again to continue", file=sys.stderr)
        return stop.exit_code
    except Collapsed as end:
        print(end, file=sys.stderr)
        return end.exit_code
    where = f"{readable(directory)} is at step {config.total_steps}"
    print("done" if done else f"nothing to do: {where}")
    if (newest := RunDirectory(directory).newest_sample()) is not None:
        print(f"samples: {readable(newest)}")
    return 0


def _shown(steps: Iterator[RunReport], config: RunConfig) -> int:
    """Take all steps, with a bar; returns the last one's number, 0 where none was left."""
    images = config.batch_size * config.discriminator_updates
    if config.compile:
        print("compiling with the first step, which may take minutes; kernels are kept for later")
    figures, done, started = "", 0, time.monotonic()
    with ExitStack() as bars:
        meter: Meter | None = None
        for report in steps:
            if meter is None:  # from the first step's end on: nobody saw it begin
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


def _dry_run(config: RunConfig, directory: Path, processes: int) -> int:
    """Refuse what a run there would refuse, in the same words; else print what it would cost."""
    outline = config.data.source.outline()
    config, state = check_run(config, directory, outline, processes)
    print(estimate_cost(config, outline, state).text())
    return 0


def _figures(terms: dict[str, float]) -> str:
    shown = {
        "D": "D/adversarial",
        "G": "G/adversarial",
        "rotation accuracy, real": "D/rotation_accuracy",
        "fake": "G/rotation_accuracy",
    }
    return "  ".join(f"{label} {terms[key]:.2f}" for label, key in shown.items() if key in terms)


assert config_io.REGISTRY  # imported, so that --method GAN and the like find every kind of setting
