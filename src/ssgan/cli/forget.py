"""`ssgan forget --data SOURCE --out DIR`: does a classifier forget, and does rotation help it?"""

import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import get_args

from rich.console import Console

from ssgan.cli.arguments import Options, decimal_number, one_of, take_options, whole_number
from ssgan.cli.images import fetched, prepared, remarks
from ssgan.cli.progress import Meter, log_to_terminal
from ssgan.data.base import AbstractSource
from ssgan.data.dataset import Dataset
from ssgan.data.prepare import default_cache
from ssgan.data.sources import FORMS, parse_source
from ssgan.evaluation.splits import split
from ssgan.files.run_directory import ForgettingDirectory
from ssgan.models.resnet import PLANS, ResNetDiscriminator
from ssgan.ops.cpu import keep_freed_memory
from ssgan.runs.precision import Precision
from ssgan.studies.forgetting.curves import draw_forgetting
from ssgan.studies.forgetting.run import Row, forget, resolve_auto_precision
from ssgan.studies.forgetting.settings import ForgettingSettings, check_classes
from ssgan.studies.forgetting.tables import forgetting_table
from ssgan.training.signals import Interrupted
from ssgan.types import UserError

USAGE = f"""usage: ssgan forget --data SOURCE --out DIR [--rotation 1.0] [--seed 0] [--test SOURCE]
                    [--iterations-per-task 1000] [--cycles 2] [--measure-every 100]
                    [--width 0.5] [--batch 64] [--size 32] [--asked 1000]
                    [--precision auto] [--device auto] [--cache DIR]
       ssgan forget --draw DIR [DIR ...] [--out FILE.png|FILE.svg]

A classifier learns one class against the rest; the class changes, and after the last one the cycle
begins again. Balanced accuracy is measured on held-out images all along.

  --data      labelled images: {FORMS}
  --test      images to test on; by default the source's own held-out part (cifar10-test for
              cifar10), else a fifth of --data that is not trained on
  --rotation  weight of the rotation loss; 0: without it
  --seed      of the weights and of every batch
  --iterations-per-task, --cycles   how long a class stays, how often all are gone through
  --measure-every                   iterations between measurements
  --width     channels of the network, as a share of the published discriminator's
  --batch     images an iteration: half of the class, half others
  --size      side of the images in pixels: {", ".join(map(str, PLANS))}
  --asked     held-out images of the class, and of the others, at most
  --precision float32, bfloat16, float64, or auto
  --out       where forgetting.jsonl and forgetting.png go
  --draw      tables and one picture of several such directories; seeds become a mean and a band

An interrupted command continues when it is run again. docs/forgetting.md tells more.
"""
_VALUED = (
    *("data", "out", "rotation", "seed", "test", "iterations-per-task", "cycles"),
    *("measure-every", "width", "batch", "size", "asked", "precision", "device", "cache"),
)


def main(argv: list[str]) -> int:
    """Learn and forget, or draw what was measured; returns the exit code."""
    options, rest = _taken(argv)
    if options.on("help"):
        print(USAGE, end="")
        return 0
    if options.on("draw"):
        return _draw(rest, options)
    if rest:
        raise UserError(f"forget takes no {rest[0]!r}; to draw directories: ssgan forget --draw")
    given, out = options.get("data"), options.get("out")
    if given is None or out is None:
        missing = f"--data SOURCE with labels: {FORMS}" if given is None else "--out DIR"
        raise UserError(f"forget needs {missing}")
    source, asked = parse_source(given), options.get("test")
    held_out = source.held_out() if asked is None else parse_source(asked)
    settings, device = settings_of(options, source, held_out), options.get("device") or "auto"
    for one in (source, held_out) if held_out is not None else (source,):
        check_classes(one.name(), fetched(one).open().classes())
    settings = replace(settings, channels=1 if source.open().survey().grey else 3)
    settings = resolve_auto_precision(ForgettingDirectory(Path(out)), settings, device)
    return _forget(settings, Path(out), device, Path(options.get("cache") or default_cache()))


def refuse_unknown(argv: list[str], source: AbstractSource) -> None:
    """Raise UserError for what `ssgan forget` would refuse of these words, images apart."""
    settings_of(_taken(argv)[0], source, None)


def _taken(argv: list[str]) -> tuple[Options, list[str]]:
    """The options, and words that are none; UserError for an option that is not there."""
    options, rest = take_options(argv, _VALUED, ("draw", "help"))
    for word in rest:
        if word.startswith("-"):
            raise UserError(f"forget has no option {word}; see ssgan forget --help")
    return options, rest


def settings_of(
    options: Options, source: AbstractSource, held_out: AbstractSource | None
) -> ForgettingSettings:
    """The settings among the options; UserError for what is none."""
    usual = ForgettingSettings(source=source)
    size = whole_number(options, "size", usual.image_size, 1)
    if size not in PLANS:
        raise UserError(f"--size must be one of {', '.join(map(str, PLANS))}, not {size}")
    width = options.get("width")
    rotation = options.get("rotation")
    weight = usual.rotation if rotation is None else decimal_number("rotation", rotation)
    if not 0 <= weight < float("inf"):
        raise UserError(f"--rotation must be a finite number, 0 or more, not {rotation!r}")
    network = usual.network
    if width is not None:
        network = ResNetDiscriminator(width=decimal_number("width", width))
    return ForgettingSettings(
        source=source,
        held_out=held_out,
        image_size=size,
        network=network,
        rotation=weight,
        batch_size=whole_number(options, "batch", usual.batch_size, 2),
        iterations_per_task=whole_number(
            options, "iterations-per-task", usual.iterations_per_task, 1
        ),
        cycles=whole_number(options, "cycles", usual.cycles, 1),
        measure_every=whole_number(options, "measure-every", usual.measure_every, 1),
        test_images=whole_number(options, "asked", usual.test_images, 1),
        precision=one_of(options, "precision", get_args(Precision), usual.precision),
        seed=whole_number(options, "seed", usual.seed, 0),
    )


def _forget(settings: ForgettingSettings, directory: Path, device: str, cache: Path) -> int:
    log_to_terminal(Console(stderr=True))
    keep_freed_memory()
    data = _images(settings.source, settings, cache)
    test = None if settings.held_out is None else _images(settings.held_out, settings, cache)
    parts = split(data, test, settings.seed, purpose="this study")
    done, figures = -1, ""
    try:
        with ExitStack() as bars:
            meter: Meter | None = None
            for report in forget(settings, parts, directory, device):
                if meter is None:  # from here on: what went before was no update seen whole
                    meter = Meter("iteration", report.total, report.step, settings.batch_size)
                    bars.enter_context(meter)
                figures = _figures(report.rows[-1]) if report.rows else figures
                meter.advance(report.step, figures)
                done = report.step
    except Interrupted as stop:
        print(f"{stop}; run the same command again to continue", file=sys.stderr)
        return stop.exit_code
    layout = ForgettingDirectory(directory)
    draw_forgetting([directory], layout.picture)
    print("done" if done >= 0 else f"nothing to do: {directory} has run to its end")
    print(forgetting_table([directory]), end="")
    print(f"measurements: {layout.log}\nplot: {layout.picture}")
    return 0


def _images(source: AbstractSource, settings: ForgettingSettings, cache: Path) -> Dataset:
    dataset = prepared(fetched(source), settings.preprocessing, cache)
    for line in remarks(dataset):
        print(line)
    return dataset


def _draw(directories: list[str], options: Options) -> int:
    """The tables of all directories, and a picture of them where one is asked for."""
    if others := [name for name in options.values if name != "out"]:
        raise UserError(f"--draw reads what was measured: leave --{others[0]} out")
    roots, out = [Path(word) for word in directories], options.get("out")
    text = forgetting_table(roots)
    if out is not None:
        draw_forgetting(roots, Path(out))
    print(text, end="")
    if out is not None:
        print(f"plot: {out}")
    return 0


def _figures(row: Row) -> str:
    told = row["rotation_accuracy"]
    turns = "" if told is None else f"  rotation accuracy {told:.2f}"
    return f"cycle {row['cycle']}, {row['class']}: accuracy {row['accuracy']:.2f}{turns}"
