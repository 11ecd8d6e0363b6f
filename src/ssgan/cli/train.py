"""`ssgan train [RECIPE] [--data SOURCE] [--run DIR] [--config FILE] [--any.setting VALUE]`."""

import hashlib
import json
import logging
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby
from os.path import realpath
from pathlib import Path
from textwrap import fill

from rich.console import Console

from ssgan.cli.arguments import Options, take_options, whole_number
from ssgan.cli.images import fetched, prepared, remarks, turns_told
from ssgan.cli.main import NON_FINITE
from ssgan.cli.progress import Meter, log_to_terminal
from ssgan.cli.trust import trusted_modules
from ssgan.config.describe import settings_text
from ssgan.config.dump import without_additions
from ssgan.config.overlay import from_flags, overlay, read_json, read_toml
from ssgan.data.base import AbstractSource, Outline
from ssgan.data.dataset import Dataset
from ssgan.data.parse import FORMS, parse_source
from ssgan.data.prepare import default_cache, prepare
from ssgan.data.scan import readable
from ssgan.files.layout import RunLayout
from ssgan.ops.collective import rank
from ssgan.ops.memory import keep_freed_memory
from ssgan.recipes.find import made, names
from ssgan.recipes.images import fitted, with_source
from ssgan.training import kinds
from ssgan.training.config import RunConfig
from ssgan.training.distributed import TIMEOUT, Ranks, joined, launched
from ssgan.training.evaluation import held_out_images
from ssgan.training.misfits import refuse_misfits
from ssgan.training.plan import plan
from ssgan.training.resume import (
    config_of_run,
    definite,
    harmless,
    refuse_other_directory,
    refuse_other_settings,
    refuse_used_directory,
)
from ssgan.training.run import Collapsed, run
from ssgan.training.signals import Interrupted
from ssgan.training.stored import stored_config, upgraded
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
        print(USAGE.format(forms=FORMS, recipes=_listed(names())), end="")
        if name is None and options.get("data") is None:
            return 0
    table = _table(options)
    config, reasons, directory = _chosen(name, options, table)
    config = overlay(config, table, options.get("config") or "")
    config = overlay(config, changes, "--")
    if (choice := options.get("on-collapse")) is not None:
        config = overlay(config, {"evaluate": {"on_collapse": choice}}, "--")
    if options.on("help"):
        print("\n" + settings_text(config))
        return 0
    for reason in reasons:
        print(reason)
    directory = directory or Path(options.get("run") or _default_directory(name, config))
    processes = whole_number(options, "processes", 1, 1)
    timeout = whole_number(options, "timeout", TIMEOUT, 1)
    restarts = whole_number(options, "restarts", 0, 0)
    if restarts and processes == 1:
        raise UserError("--restarts is of --processes, which is not given or 1")
    if options.on("dry-run"):
        return _dry_run(config, RunLayout(directory), processes)
    if processes > 1 and not launched():
        from ssgan.cli.processes import in_processes

        outline = Outline.of(fetched(config.data.source).open())
        _refuse(config, RunLayout(directory), outline, processes)
        return in_processes(["train", *argv], processes, restarts)
    return train_in(config, directory, Path(options.get("cache") or default_cache()), timeout)


def _listed(recipes: list[str]) -> str:
    """The recipes, those of a file in one paragraph."""
    lines = []
    for file, group in groupby(recipes, key=lambda name: name.split(":")[0]):
        functions = ", ".join(name.split(":")[1] for name in group)
        lines.append(
            fill(f"{file}: {functions}", 96, initial_indent="  ", subsequent_indent="    ")
        )
    return "\n".join(lines)


def train_in(config: RunConfig, directory: Path, cache: Path, timeout: int = TIMEOUT) -> int:
    """Prepare the images, train in the directory with progress shown; returns the exit code.

    Under a launcher this is one process of several, of which that of rank 0 speaks.
    """
    with joined(timeout, config.device) as ranks:
        return (_lead if rank() == 0 else _follow)(config, directory, cache, ranks)


def _follow(config: RunConfig, directory: Path, cache: Path, ranks: Ranks) -> int:
    """Train as one of the other ranks, in silence."""
    logging.getLogger("ssgan").addHandler(logging.NullHandler())
    keep_freed_memory()

    def work() -> Dataset:
        config.data.source.fetch(lambda done, total: None)
        return prepare(config.data.source, config.data.policy, cache)

    try:
        for _ in run(config, directory, ranks.first_then_others(work)):
            pass
    except (Interrupted, Collapsed) as end:
        return end.exit_code
    except NonFinite:  # rank 0 has the same, and says it
        return NON_FINITE
    return 0


def _lead(config: RunConfig, directory: Path, cache: Path, ranks: Ranks) -> int:
    log_to_terminal(Console(stderr=True))
    keep_freed_memory()
    layout = RunLayout(directory)
    config = definite(layout, config)
    refuse_other_directory(layout)
    refuse_other_settings(layout, config)
    collection = fetched(config.data.source).open()
    refuse_misfits(config, len(collection), len(collection.classes()))
    dataset, held_out = ranks.first_then_others(
        lambda: (
            prepared(config.data.source, config.data.policy, cache),
            held_out_images(config, lambda source, policy: prepared(source, policy, cache)),
        )
    )
    for line in remarks(dataset):
        print(line)
    if config.method.turns_images and not layout.holds_run():
        _warn_of_turns(dataset)
    if len(dataset) < config.batch_size:
        print(f"note: {len(dataset)} images are fewer than a batch of {config.batch_size}: repeats")
    print(f"run directory: {readable(directory)}")
    images = config.batch_size * config.discriminator_updates
    if config.compile:
        print("compiling with the first step, which may take minutes; kernels are kept for later")
    figures, done, started = "", 0, time.monotonic()
    try:
        with ExitStack() as bars:
            meter: Meter | None = None
            for report in run(config, directory, dataset, held_out=held_out):
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


def _warn_of_turns(dataset: Dataset) -> None:
    """Say it where turning makes no sense for the images, or teaches D little."""
    turns = turns_told(dataset)
    if turns is not None and turns.is_warning:
        print(f"note: turns: {turns.sentence}; --method GAN trains without it")


def _dry_run(config: RunConfig, layout: RunLayout, processes: int) -> int:
    """Refuse what a run there would refuse, in the same words; else print what it would cost."""
    outline = config.data.source.outline()
    config = _refuse(config, layout, outline, processes)
    print(plan(config, outline).text())
    return 0


def _refuse(config: RunConfig, layout: RunLayout, outline: Outline, processes: int) -> RunConfig:
    """Raise UserError for whatever a run there would refuse; returns its definite settings."""
    config = definite(layout, config)
    refuse_misfits(config, outline.survey.num_images, len(outline.classes), processes)
    refuse_other_directory(layout)
    refuse_used_directory(layout, config)
    return config


def _chosen(
    name: str | None, options: Options, table: Mapping[str, object]
) -> tuple[RunConfig, list[str], Path | None]:
    """The settings before any overlay, why they were chosen, and a run's own directory."""
    trusted = trusted_modules(options)
    given = options.get("data")
    source = None if given is None else parse_source(given)
    whole = "kind" in table  # a run's own, images included
    if whole and source is not None:
        raise UserError(
            f"--config {options.get('config')} names its images, and --data {given} others: leave "
            "--data out; --data.source changes them"
        )
    if name is None:
        if whole:
            return stored_config(table, trusted, f"{options.get('config')}"), [], None
        if source is None:
            raise UserError("train needs a recipe or --data SOURCE; see ssgan train --help")
        config, reasons = fitted(source, _outline(source, options))
        return config, reasons, None
    layout = RunLayout(Path(name))
    stored = config_of_run(layout, trusted) if layout.root.is_dir() else None
    if stored is None and layout.root.exists():
        raise UserError(_no_run(layout.root))
    other = options.get("run")
    if stored is not None and other is not None and realpath(other) != realpath(name):
        raise UserError(
            f"{name} is a run and continues in its own directory, not in --run {other}: type "
            f"`ssgan train {name}`, or start from a recipe"
        )
    config = made(name) if stored is None else stored
    if source is not None:
        config = with_source(config, source, _outline(source, options))
    return config, [], None if stored is None else layout.root


def _table(options: Options) -> Mapping[str, object]:
    """The settings in the file that --config names: TOML, or the config.json of a run."""
    file = options.get("config")
    if file is None:
        return {}
    if Path(file).suffix != ".json":
        return read_toml(file)
    table = read_json(file)
    return upgraded(table) if "kind" in table else table


def _no_run(path: Path) -> str:
    """What is said of a path that stands where a recipe or run should."""
    if path.is_dir():
        return (
            f"{path} is a folder and holds no run; to train on the images in it: ssgan train "
            f"--data folder:{path}"
        )
    return (
        f"{path} is a file, and no recipe or run; settings in a file are given by --config, and a "
        "recipe of your own is named as it is imported: my_file:function"
    )


def _outline(source: AbstractSource, options: Options) -> Outline:
    """What settings are fitted to; downloaded first, but not for help or a dry run."""
    if options.on("help") or options.on("dry-run"):
        return source.outline()
    return Outline.of(fetched(source).open())


def _default_directory(name: str | None, config: RunConfig) -> str:
    """runs/NAME-HASH: the same command finds the same directory again."""
    output, evaluate = type(config.output)(), type(config.evaluate)()
    spared = replace(config, output=output, evaluate=evaluate, device="auto", recompute=False)
    if harmless("total_steps", config):
        spared = replace(spared, total_steps=1)
    digest = hashlib.sha256(
        json.dumps(without_additions(spared), sort_keys=True).encode()
    ).hexdigest()
    stem = (name or config.data.source.name()).replace(":", "-").rstrip("/").split("/")[-1]
    return f"runs/{stem}-{digest[:8]}"


def _figures(terms: dict[str, float]) -> str:
    shown = {
        "D": "D/adversarial",
        "G": "G/adversarial",
        "rotation accuracy, real": "D/rotation_accuracy",
        "fake": "G/rotation_accuracy",
    }
    return "  ".join(f"{label} {terms[key]:.2f}" for label, key in shown.items() if key in terms)


assert kinds.MODULES  # imported, so that --method GAN and the like find every kind of setting
