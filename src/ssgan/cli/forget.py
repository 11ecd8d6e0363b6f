"""`ssgan forget --data SOURCE --out DIR`: runs the forgetting experiment of the paper."""

import logging
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from ssgan.cli.measure_options import Forget
from ssgan.cli.progress import Meter, fetch_source, load_images, log_to_terminal
from ssgan.data.base import AbstractSource
from ssgan.data.sources import parse_source
from ssgan.evaluation.splits import split
from ssgan.files.run_directory import ForgettingDirectory
from ssgan.models.resnet import ResNetDiscriminator
from ssgan.ops.cpu import keep_freed_memory
from ssgan.ops.threads import adapting_threads
from ssgan.runs.precision import resolve_device
from ssgan.studies.forgetting.curves import draw_forgetting
from ssgan.studies.forgetting.run import Row, forget, resolve_auto_precision
from ssgan.studies.forgetting.settings import ForgettingSettings, check_classes
from ssgan.studies.forgetting.tables import forgetting_table
from ssgan.training.signals import Interrupted


def main(given: Forget) -> int:
    """Run the experiment, or draw finished ones; returns the exit code."""
    if given.draw:
        return _draw(given)
    assert given.data is not None
    assert given.out is not None
    source = parse_source(given.data)
    held_out = source.held_out() if given.test is None else parse_source(given.test)
    settings = forgetting_settings(given, source, held_out)
    for one in (source, held_out) if held_out is not None else (source,):
        check_classes(one, fetch_source(one).open().used_classes())
    settings = replace(settings, channels=1 if source.open().header_stats().grey else 3)
    settings = resolve_auto_precision(ForgettingDirectory(given.out), settings, given.device)
    return _forget(settings, given, given.out)


def forgetting_settings(
    given: Forget, source: AbstractSource, held_out: AbstractSource | None
) -> ForgettingSettings:
    """The settings among the options; raises UserError for values that do not fit."""
    return ForgettingSettings(
        source=source,
        held_out=held_out,
        image_size=given.size,
        network=ResNetDiscriminator(width=given.width),
        rotation=given.rotation,
        batch_size=given.batch,
        iterations_per_task=given.iterations_per_task,
        cycles=given.cycles,
        measure_every=given.measure_every,
        test_images=given.test_images,
        precision=given.precision,
        seed=given.seed,
    )


def _forget(settings: ForgettingSettings, given: Forget, directory: Path) -> int:
    log_to_terminal(Console(stderr=True))
    keep_freed_memory()
    load = partial(
        load_images,
        preprocessing=settings.preprocessing,
        cache=given.cache,
        verify=given.verify,
    )
    data, held_out = load(settings.source), settings.held_out
    test = None if held_out is None else load(held_out)
    parts = split(data, test, settings.seed, purpose="this study")
    done = -1
    try:
        with (
            adapting_threads(resolve_device(given.device)) as threads,
            Meter("iteration", per_step=settings.batch_size) as meter,
        ):
            for report in forget(settings, parts, directory, given.device):
                meter.total = report.total
                meter.advance(report.step, _figures(report.rows[-1]) if report.rows else "")
                done = report.step
                if busy := threads.adapt():
                    logging.getLogger("ssgan").warning("%s", busy)
    except Interrupted as stop:
        print(f"{stop}; run the same command again to continue", file=sys.stderr)
        return stop.exit_code
    layout = ForgettingDirectory(directory)
    draw_forgetting([directory], layout.picture)
    print("done" if done >= 0 else f"nothing to do: {directory} has run to its end")
    print(forgetting_table([directory]), end="")
    print(f"measurements: {layout.log}\nplot: {layout.picture}")
    return 0


def _draw(given: Forget) -> int:
    """Print the tables of all directories, and draw them with --out."""
    text, plot = forgetting_table(list(given.directories)), ""
    if given.out is not None:
        draw_forgetting(list(given.directories), given.out)
        plot = f"plot: {given.out}\n"
    print(text + plot, end="")
    return 0


def _figures(row: Row) -> str:
    accuracy = row["rotation_accuracy"]
    rotations = "" if accuracy is None else f"  rotation accuracy {accuracy:.2f}"
    return f"cycle {row['cycle']}, {row['class']}: accuracy {row['accuracy']:.2f}{rotations}"
