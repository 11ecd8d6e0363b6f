"""`ssgan probe`: linear classifiers on D's features; `ssgan features`: these features in a file."""

from dataclasses import replace
from typing import Any

from ssgan.cli.config_args import import_trusted
from ssgan.cli.launching.shared_work import run_shared
from ssgan.cli.measure_options import Features, Probe
from ssgan.cli.progress import Meter, fetch_source, load_images, open_progress_bar
from ssgan.data.base import AbstractSource
from ssgan.data.cifar10 import Cifar10
from ssgan.data.dataset import Dataset
from ssgan.data.sources import parse_source
from ssgan.evaluation.overlap import count_trained_on
from ssgan.evaluation.probe.export import (
    check_target,
    export_features,
    list_item_names,
    partial_folder,
)
from ssgan.evaluation.probe.maps import (
    Layer,
    ProbedDiscriminator,
    ProbedState,
    check_pooling,
    list_states,
    open_discriminator,
)
from ssgan.evaluation.probe.probe import ROWS, ProbeSettings, StateProbe
from ssgan.evaluation.probe.tables import format_tables
from ssgan.evaluation.splits import Split, count_labels_at, split
from ssgan.files.atomic import write_atomic
from ssgan.files.errors import translate_file_errors
from ssgan.files.links import refuse_links
from ssgan.files.locks import hold_lock
from ssgan.files.own_outputs import refuse_other_picture
from ssgan.files.run_directory import run_name
from ssgan.ops.collective import rank
from ssgan.ops.cpu import keep_freed_memory
from ssgan.plots.probe import draw_probe
from ssgan.runs.builtin import find_home
from ssgan.runs.precision import resolve_device
from ssgan.types import UserError


def main(given: Probe) -> int:
    """Probe, print the tables, draw the plot; returns the exit code."""
    settings = probe_settings(given)
    device = resolve_device(given.device)
    keep_freed_memory()
    trusted = import_trusted(given.trust)
    states = [state for run in given.runs for state in list_states(run, given.steps, trusted)]
    _refuse_twice(states)
    first = open_discriminator(states[0], device, trusted)
    parts = _split(first, given)
    trained_on = _count_trained_on(parts)
    home = find_home(states[0].file)
    out = given.out or home / "probe"
    refuse_other_picture(out / "probe.png")
    rows: list[dict[str, Any]] = []
    with translate_file_errors(out):
        if given.out is None:
            refuse_links(home, out)
        refuse_links(out, out / ROWS)
        out.mkdir(parents=True, exist_ok=True)
        with hold_lock(out / ".lock"):
            for number, state in enumerate(states, start=1):
                subject = first if number == 1 else open_discriminator(state, device, trusted)
                _refuse_other_shape(first, subject)
                job = StateProbe(subject, parts, settings, out, trained_on)
                rows += _rows(job, f"{subject.run}, {number} of {len(states)}")
            text = format_tables(rows)
            write_atomic(out / "probe.txt", text.encode())
            draw_probe(rows, out / "probe.png")
    print(text)
    print(f"rows with their protocol: {out / 'probe.jsonl'}\nplot: {out / 'probe.png'}")
    return 0


def probe_settings(given: Probe) -> ProbeSettings:
    """The settings among the options; raises UserError for values that do not fit."""
    usual = ProbeSettings()
    return ProbeSettings(
        seed=given.seed,
        poolings=tuple(dict.fromkeys(given.pooling)) or usual.poolings,
        blocks=tuple(sorted(set(given.blocks))) or None,
        fractions=given.fractions or usual.fractions,
        solver=given.solver,
        l2=given.l2,
    )


def _labelled_images(
    subject: ProbedDiscriminator, source: AbstractSource, given: Probe | Features
) -> Dataset:
    """The images of a source in the size and channels that D reads."""
    preprocessing = replace(subject.config.data, source=source).preprocessing
    return load_images(source, preprocessing, given.cache, verify=given.verify)


def _refuse_twice(states: list[ProbedState]) -> None:
    names = [(run_name(state.file), state.step) for state in states]
    for name, step in names:
        if names.count((name, step)) > 1:
            raise UserError(
                f"step {step} of a run called {name} is given twice: each needs its own name"
            )


def _refuse_other_shape(first: ProbedDiscriminator, other: ProbedDiscriminator) -> None:
    ours, theirs = first.config.data.preprocessing, other.config.data.preprocessing
    if ours != theirs and ours.shape == theirs.shape:
        raise UserError(
            f"{other.run} and {first.run} prepare images with other settings (data.fit "
            f"{theirs.fit} and {ours.fit}, data.background {theirs.background} and "
            f"{ours.background}): probe them one by one"
        )
    if ours != theirs:
        raise UserError(
            f"{other.run} reads images of {theirs.shape.size} pixels and {theirs.shape.channels} "
            f"channels, {first.run} of {ours.shape.size} and {ours.shape.channels}: probe them "
            "one by one"
        )


def _split(subject: ProbedDiscriminator, given: Probe) -> Split:
    """The images to train on and those to test on."""
    source = parse_source(given.data)
    test: AbstractSource | None = source.held_out() if isinstance(source, Cifar10) else None
    if given.test is not None:
        test = parse_source(given.test)
    for one in (source, test):
        if one is not None:
            _require_labels(fetch_source(one))
    data = _labelled_images(subject, source, given)
    testing = None if test is None else _labelled_images(subject, test, given)
    return split(data, testing, given.seed, given.train_n, given.test_n)


def _count_trained_on(parts: Split) -> int | None:
    """Count the test images that are training images too, and print a note."""
    count, whole = count_trained_on(parts), len(parts.test.rows)
    if count:
        which = f"all {whole:,}" if count == whole else f"{count:,} of the {whole:,}"
        print(f"note: {which} test images are training images too: accuracies are too high")
    return count


def _require_labels(source: AbstractSource) -> None:
    """Raise UserError, before anything is decoded, for a source without labels."""
    if not source.open().used_classes():
        advice = source.label_advice()
        raise UserError(f"{source.name()} has no labels: a probe needs them; {advice}")


def _rows(job: StateProbe, which: str) -> list[dict[str, Any]]:
    """All rows of one state, found now or before."""
    parts, settings = job.split, job.settings
    for fraction in settings.fractions:
        if count_labels_at(parts.train, fraction, len(parts.classes)) is None:
            print(f"note: {100 * fraction:g} % of the labels is too little and left out")
    if job.todo:
        with open_progress_bar(f"{which}: images through D") as progress:
            job.read(progress)
        total = sum(trial.labels for trial in job.todo)
        with Meter(f"{which}: fitting", total, 0, unit="labels") as meter:
            for trial, row in job.fit(lambda doing: meter.advance(meter.done, doing)):
                meter.advance(meter.done + trial.labels, f"top-1 {row['top1']:.3f}")
    return job.rows


def features(given: Features) -> int:
    """Write the file; returns the exit code."""

    def check() -> None:
        check_target(given.out, 2 if given.block == "all" else 1)
        check_pooling(given.pooling)

    def export() -> None:
        check()
        _export_features(given)

    argv = ["features", *given.words]
    return run_shared(argv, given.processes, given.device, check=check, work=export)


def _export_features(given: Features) -> None:
    target, device = given.out, resolve_device(given.device)
    keep_freed_memory()
    step = None if given.step is None else str(given.step)
    trusted = import_trusted(given.trust)
    subject = open_discriminator(list_states(given.run, step, trusted)[0], device, trusted)
    layers = [Layer(number, given.pooling) for number in _blocks(given.block, len(subject.maps))]
    source = parse_source(given.data)
    dataset = _labelled_images(subject, source, given)
    names, partial = list_item_names(source, dataset), partial_folder(target)
    if rank() > 0:
        export_features(subject, dataset, names, layers, target)
        return
    with translate_file_errors(target):
        refuse_links(target.parent, partial)
        partial.mkdir(parents=True, exist_ok=True)
        with hold_lock(partial / ".lock"), open_progress_bar("images through D") as progress:
            export_features(subject, dataset, names, layers, target, progress)
    print(f"{len(dataset):,} images, step {subject.step} of {subject.run}: {target}")


def _blocks(text: str, count: int) -> list[int]:
    """The blocks that `--block` names, of `count`."""
    if text == "all":
        return list(range(count))
    if text == "last":
        return [count - 1]
    if not text.isdecimal() or int(text) >= count:
        raise UserError(f"--block must be last, all, or 0 to {count - 1}, not {text!r}")
    return [int(text)]
