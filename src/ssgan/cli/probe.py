"""`ssgan probe RUN ... --data SOURCE`: what D knows, block by block."""

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from ssgan.cli.arguments import Options, decimal_number, one_of, take_options, whole_number
from ssgan.cli.images import bar, fetched, prepared, remarks
from ssgan.cli.progress import Meter
from ssgan.cli.trust import trusted_modules
from ssgan.data.base import AbstractSource
from ssgan.data.cifar10 import Cifar10
from ssgan.data.dataset import Dataset
from ssgan.data.prepare import default_cache
from ssgan.data.sources import FORMS, parse_source
from ssgan.evaluation.probe.maps import (
    POOLINGS,
    ProbedDiscriminator,
    ProbedState,
    list_states,
    open_discriminator,
)
from ssgan.evaluation.probe.probe import ProbeSettings, Solver, StateProbe
from ssgan.evaluation.probe.tables import tables
from ssgan.evaluation.splits import Split, num_labels_at, split
from ssgan.files.atomic import write_atomic
from ssgan.files.errors import translate_file_errors
from ssgan.files.locks import hold_lock
from ssgan.files.run_directory import find_run_of, run_name
from ssgan.ops.cpu import keep_freed_memory
from ssgan.plots.probe import draw_probe
from ssgan.runs.precision import resolve_device
from ssgan.types import UserError

USAGE = f"""usage: ssgan probe RUN [RUN ...] --data SOURCE [--test SOURCE] [--out DIR]
                   [--steps 0,N,all] [--blocks N,N,...] [--pooling grid,mean]
                   [--fractions 0.01,0.1,1] [--train-n N] [--test-n N] [--seed 0]
                   [--solver lbfgs|sgd] [--l2 X] [--device auto] [--cache DIR]
                   [--trust MODULE]

  RUN         a run directory or a checkpoint file; several are compared in one table
  --data      labelled images to train on: {FORMS}
  --test      labelled images to test on; by default cifar10-test for cifar10, else a fifth of
              --data that is not trained on
  --steps     which states of each run: numbers, or all that are kept; 0 is D before training;
              by default the newest
  --blocks    which blocks of D, from 0; by default all
  --pooling   how a block's map becomes features: {POOLINGS}
  --fractions which shares of the training labels; nested and stratified
  --train-n   how many images to train on; by default all
  --test-n    how many images to test on; by default all
  --seed      of the split and of every order
  --solver    lbfgs: logistic regression to its minimum, penalty chosen on held-out labels;
              sgd: the schedule the paper's probe is remembered to have
  --l2        the weight of the penalty, instead of choosing it
  --out       where probe.jsonl, probe.txt and probe.png go; by default RUN/probe
  --trust     modules of your own, by commas, whose classes a run uses; they are imported

What is in probe.jsonl already is not computed again: run the same command to continue.
"""
_VALUED = (
    *("data", "test", "out", "steps", "blocks", "pooling", "fractions", "train-n", "test-n"),
    *("seed", "solver", "l2", "device", "cache", "trust"),
)


def main(argv: list[str]) -> int:
    """Probe, print the tables, draw the plot; returns the exit code."""
    options, rest = take_options(argv, _VALUED, ("help",))
    if options.on("help"):
        print(USAGE, end="")
        return 0
    if not rest or any(word.startswith("-") for word in rest):
        raise UserError(f"probe takes run directories, not {' '.join(rest) or 'nothing'}")
    settings = settings_of(options)
    device = resolve_device(options.get("device") or "auto")
    keep_freed_memory()
    trusted, steps = trusted_modules(options), options.get("steps")
    states = [state for word in rest for state in list_states(Path(word), steps, trusted)]
    _refuse_twice(states)
    first = open_discriminator(states[0], device, trusted)
    parts = _split(first, options, settings.seed)
    home = find_run_of(states[0].file) or states[0].file.parent
    out = Path(options.get("out") or home / "probe")
    rows: list[dict[str, Any]] = []
    with translate_file_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        with hold_lock(out / ".lock"):
            for number, state in enumerate(states, start=1):
                subject = first if number == 1 else open_discriminator(state, device, trusted)
                _refuse_other_shape(first, subject)
                rows += _rows(
                    subject, parts, settings, out, f"{subject.run}, {number} of {len(states)}"
                )
            text = tables(rows)
            write_atomic(out / "probe.txt", text.encode())
            draw_probe(rows, out / "probe.png")
    print(text)
    print(f"rows with their protocol: {out / 'probe.jsonl'}\nplot: {out / 'probe.png'}")
    return 0


def settings_of(options: Options) -> ProbeSettings:
    """The settings among the options; UserError for what is none."""
    settings = ProbeSettings(seed=whole_number(options, "seed", 0, 0))
    if (text := options.get("pooling")) is not None:
        settings = replace(settings, poolings=tuple(dict.fromkeys(text.split(","))))
    if (text := options.get("blocks")) is not None:
        settings = replace(settings, blocks=blocks_of(text))
    if (text := options.get("fractions")) is not None:
        numbers = tuple(decimal_number("fractions", word) for word in text.split(","))
        settings = replace(settings, fractions=numbers)
    solver = one_of(options, "solver", get_args(Solver), settings.solver)
    settings = replace(settings, solver=solver)
    if (text := options.get("l2")) is not None:
        settings = replace(settings, l2=decimal_number("l2", text))
    return settings


def blocks_of(text: str) -> tuple[int, ...]:
    """Block numbers as given on the command line."""
    words = text.split(",")
    if not all(word.isdecimal() for word in words):
        raise UserError(f"--blocks must be numbers from 0 such as 0,2, not {text!r}")
    return tuple(sorted({int(word) for word in words}))


def labelled_images(
    subject: ProbedDiscriminator, source: AbstractSource, cache: str | None
) -> Dataset:
    """The images of a source in the size and channels that D reads."""
    folder = Path(cache or default_cache())
    preprocessing = replace(subject.config.data, source=source).preprocessing
    dataset = prepared(fetched(source), preprocessing, folder)
    for line in remarks(dataset):
        print(line)
    return dataset


def _refuse_twice(states: list[ProbedState]) -> None:
    names = [(run_name(state.file), state.step) for state in states]
    for name, step in names:
        if names.count((name, step)) > 1:
            raise UserError(
                f"step {step} of a run called {name} is given twice: each needs its own name"
            )


def _refuse_other_shape(first: ProbedDiscriminator, other: ProbedDiscriminator) -> None:
    ours, theirs = first.config.data.preprocessing, other.config.data.preprocessing
    if ours != theirs:
        raise UserError(
            f"{other.run} reads images of {theirs.shape.size} pixels and {theirs.shape.channels} "
            f"channels, {first.run} of {ours.shape.size} and {ours.shape.channels}: probe them "
            "one by one"
        )


def _split(subject: ProbedDiscriminator, options: Options, seed: int) -> Split:
    """The images to train on and those to test on."""
    given, asked = options.get("data"), options.get("test")
    if given is None:
        raise UserError(f"probe needs --data SOURCE with labels: {FORMS}")
    source = parse_source(given)
    test: AbstractSource | None = None
    if asked is not None:
        test = parse_source(asked)
    elif isinstance(source, Cifar10) and source.split == "train":
        test = replace(source, split="test")
    cache = options.get("cache")
    data = labelled_images(subject, source, cache)
    testing = None if test is None else labelled_images(subject, test, cache)
    counts = [whole_number(options, name, 0, 1) or None for name in ("train-n", "test-n")]
    return split(data, testing, seed, *counts)


def _rows(
    subject: ProbedDiscriminator, parts: Split, settings: ProbeSettings, out: Path, which: str
) -> list[dict[str, Any]]:
    """All rows of one state, found now or before."""
    job = StateProbe(subject, parts, settings, out)
    for fraction in settings.fractions:
        if num_labels_at(parts.train, fraction, len(parts.classes)) is None:
            print(f"note: {100 * fraction:g} % of the labels are too few, and left out")
    if job.todo:
        with bar(f"{which}: images through D") as progress:
            job.read(progress)
        total = sum(trial.labels for trial in job.todo)
        with Meter(f"{which}: fitting", total, 0, unit="labels") as meter:
            for trial, row in job.fit(lambda doing: meter.advance(meter.done, doing)):
                meter.advance(meter.done + trial.labels, f"top-1 {row['top1']:.3f}")
    return job.rows
