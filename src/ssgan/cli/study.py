"""`ssgan study NAME`: makes a table or figure of the paper, from training to drawing."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ssgan.cli import options
from ssgan.cli.forget import forgetting_settings
from ssgan.cli.measure_options import Forget
from ssgan.cli.parser import parse
from ssgan.cli.progress import duration, fetch_source
from ssgan.data.base import AbstractSource, DatasetInfo
from ssgan.data.huggingface import Hub
from ssgan.data.prepare import default_cache
from ssgan.data.sources import parse_source
from ssgan.evaluation.feature_networks import NAMES as FEATURES
from ssgan.evaluation.feature_networks import choose_features
from ssgan.files.errors import require_writable
from ssgan.files.locks import hold_lock
from ssgan.recipes.find import build_recipe
from ssgan.studies.catalogue import STUDIES, find_study
from ssgan.studies.eta import describe_activity, estimate_eta
from ssgan.studies.jobs import Job, TrainingJob
from ssgan.studies.options import StudyOptions
from ssgan.studies.output import StudyOutput, write_study
from ssgan.studies.scheduler import (
    Finished,
    Process,
    Scheduler,
    Status,
    refuse_too_few_devices,
    threads_per_job,
)
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.trials import (
    Trial,
    build_trials,
    estimate_study_disk,
    list_jobs,
    list_open_jobs,
    refuse_other_runs,
    refuse_unfit_settings,
)
from ssgan.studies.variants import Variant, select_variants
from ssgan.types import UserError

_WIDEST = max(map(len, STUDIES))  # characters of a study's name
_MINUTE = 60.0  # seconds between lines, when nothing changes
_TAIL = 5  # lines of a failed command's log that are shown
_WEIGHTED = ("inception", "lite0")  # features that need a file of weights


@dataclass(frozen=True)
class Plan:
    """A study with its options, checked before anything is trained."""

    study: Study
    form: StudyScale
    request: StudyOptions
    slots: int
    info: DatasetInfo
    trials: list[Trial]
    notes: tuple[str, ...]  # printed before anything is run


def make_plan(study: Study, given: options.Study) -> Plan:
    """The plan of a study; raises UserError for whatever one of its commands would refuse."""
    form = study.at_scale(given.scale, given.features)
    variants = select_variants(form.variants, given.variants)
    data = given.data or form.data
    if data is None:
        raise UserError(f"{study.name} needs {form.dataset}: give --data folder:PATH")
    source = parse_source(data)
    test, held_out = given.test, source.held_out()
    if test is None and held_out is not None:
        test = held_out.name()
    request = StudyOptions(
        scale=given.scale,
        data=data,
        test=test,
        seeds=tuple(range(given.seeds or study.seeds)),
        out=given.out or Path(f"studies/{given.scale}"),
        features=given.features,
        samples=given.samples or form.samples,
        processes=given.processes,
        overrides=given.settings,
    )
    if not given.dry_run:
        refuse_too_few_devices(given.jobs, request.processes)
    require_writable(request.out)
    dry = given.dry_run or given.draw
    info = _info(source, dry, drawn=given.draw)
    trials = build_trials(variants, form.measurement, request, info)
    refuse_other_runs(trials)
    notes: tuple[str, ...] = ()
    if not given.draw:
        _refuse_misfits(study, form, request, trials, info, dry)
        notes = _notes(request, trials, dry)
    return Plan(study, form, request, given.jobs, info, trials, notes)


def _info(source: AbstractSource, dry: bool, drawn: bool = False) -> DatasetInfo:
    """Sizes and classes, without a download if `dry`.

    To draw a study of hub images they are opened: its runs downloaded them.
    """
    if dry and not (drawn and isinstance(source, Hub)):
        return source.info()
    return DatasetInfo.of(fetch_source(source).open())


def _refuse_misfits(
    study: Study,
    form: StudyScale,
    request: StudyOptions,
    trials: Sequence[Trial],
    info: DatasetInfo,
    dry: bool,
) -> None:
    """Raise UserError before any training for what a command would refuse after it."""
    refuse_unfit_settings(trials, info)
    if request.processes > 1 and not any(
        isinstance(trial.training, TrainingJob) for trial in trials
    ):
        raise UserError(f"--processes requires runs of ssgan train; {study.name} does not")
    left = list_open_jobs(trials)
    for job in left:
        if job.verb == "forget":
            words = parse("forget", Forget, job.words[1:])
            forgetting_settings(words, parse_source(request.data), None)
    if request.features is not None and request.features not in FEATURES:
        raise UserError(f"no features {request.features!r}; there are {', '.join(FEATURES)}")
    if request.features in _WEIGHTED and not dry and any(job.verb == "evaluate" for job in left):
        choose_features(request.features, torch.device("cpu"), default_cache())  # are they there?
    if form.measurement.reads_labels and len(info.classes) < 2:
        raise UserError(
            f"{study.name} probes D for classes, and {request.data} has fewer than two: put every "
            "image into the folder of its class"
        )


def _notes(request: StudyOptions, trials: Sequence[Trial], dry: bool) -> tuple[str, ...]:
    """Notes on what may surprise; raises UserError for real images that cannot be read."""
    test = None if request.test is None else parse_source(request.test)
    if test is None or (dry and isinstance(test, Hub)):  # it is there, or a download away
        return ()
    count = _info(test, dry).header_stats.num_images
    if count >= request.samples or not any(
        job.verb == "evaluate" for job in list_open_jobs(trials)
    ):
        return ()
    return (
        f"note: {request.samples:,} generated images are compared with the {count:,} images of "
        f"{request.test}; --test names others, --samples {count} generates as many",
    )


def main(given: options.Study) -> int:
    """Run a study, or what it lacks, and draw it; returns the exit code."""
    if given.name is None:
        print("\n".join(line for study in STUDIES.values() for line in _listed(study)))
        return 0
    study = find_study(given.name)
    if given.help:
        print("\n".join(_variant_lines(study)))
        return 0
    plan = make_plan(study, given)
    if given.dry_run:
        _print_plan(plan)
        return 0
    if given.draw:
        _draw(plan)
        return 0
    plan.request.out.mkdir(parents=True, exist_ok=True)
    with hold_lock(plan.request.out / ".lock"):
        return _run(plan)


def _listed(study: Study) -> list[str]:
    """A study and its cost at each scale."""
    lines = [f"{study.name:{_WIDEST}} {study.title}"]
    for scale, form in (("laptop", study.laptop), ("paper", study.paper)):
        if form is not None:
            recipes = {variant.recipe for variant in form.variants if isinstance(variant, Variant)}
            steps = sorted({build_recipe(recipe).total_steps for recipe in recipes})
            each = f" of {' or '.join(f'{count:,}' for count in steps)} steps" if steps else ""
            runs = len(form.variants) * study.seeds
            lines.append(f"{'':{_WIDEST}}   {scale:6} {runs} runs{each}, {form.dataset}")
    return lines


def _variant_lines(study: Study) -> list[str]:
    """The variants of a study at each scale."""
    lines = []
    for scale, form in (("laptop", study.laptop), ("paper", study.paper)):
        if form is not None:
            lines.append(f"variants of {study.name}, {scale}:")
            lines += [
                f"  {variant.name:18} {variant.title} ({variant.source_name})"
                for variant in form.variants
            ]
    return lines


def _print_plan(plan: Plan) -> None:
    """Print every command, with those that are done marked; their number, and the disk."""
    every, left = list_jobs(plan.trials), list_open_jobs(plan.trials)
    for job in every:
        print(job.command if job in left else f"# done: {job.command}")
    counts = Counter(job.verb for job in left)
    words = ", ".join(f"{count} x {verb}" for verb, count in counts.items()) or "nothing"
    for note in plan.notes:
        print(note)
    size = estimate_study_disk(plan.trials, plan.info)
    room = (
        f"about {size.runs / 1e6:,.0f} MB for all runs, {size.images / 1e6:,.0f} MB of images; "
        "caches of features come on top"
    )
    print(
        f"\n{len(every)} commands, {len(every) - len(left)} with nothing to do; left: {words}\n"
        f"disk: {room if size.runs else 'not estimated for these commands'}\nnothing was written"
    )


def _run(plan: Plan) -> int:
    """Run what is missing, draw after every command; returns the exit code."""
    _write(plan)  # two protocols are refused early
    for note in plan.notes:
        print(note)
    left = list_open_jobs(plan.trials)
    before, threads = len(list_jobs(plan.trials)) - len(left), threads_per_job(plan.slots)
    print(
        f"{plan.study.title}\n{len(left)} commands, {before} with nothing to do; {plan.slots} at a "
        f"time, {threads} threads each; in {plan.request.out}"
    )
    progress = StudyProgress(left, plan.slots, lambda: _write(plan))
    standing = Status((), (), (), None)
    for standing in Scheduler(left, plan.slots, Process).run():
        progress.report(standing)
    if standing.stopped_by is not None:
        print(
            f"stopped by {standing.stopped_by.name}: what was running is saved; "
            "run the same command again to continue",
            file=sys.stderr,
        )
        return standing.exit_code
    for job in standing.waiting:
        print(f"not run, because it needs what failed: {job.name}", file=sys.stderr)
    _draw(plan)
    return standing.exit_code


def _draw(plan: Plan) -> None:
    written = _write(plan)
    print(f"\n{written.text}")
    for path in written.files:
        print(f"written to {path}")
    if written.missing:
        print(f"missing: {'; '.join(written.missing)}")


def _write(plan: Plan) -> StudyOutput:
    return write_study(plan.study, plan.form, plan.request, plan.trials)


class StudyProgress:
    """Prints how far the commands are: when one begins or ends, and once a minute.

    `draw` draws the results so far; it is called after each command.
    """

    def __init__(self, jobs: Sequence[Job], slots: int, draw: Callable[[], object]) -> None:
        self._jobs, self._slots, self._draw = jobs, slots, draw
        self._running: tuple[Job, ...] = ()
        self._ended = 0
        self._last = time.monotonic()

    def report(self, standing: Status) -> None:
        """Print what is new."""
        new = standing.finished[self._ended :]
        for ended in new:
            self._print_end(ended, stopped=standing.stopped_by is not None)
        changed = standing.running != self._running
        if changed or time.monotonic() - self._last >= _MINUTE:
            self._last = time.monotonic()
            if standing.running:
                self._print_running(standing)
        self._running, self._ended = standing.running, len(standing.finished)
        if new and standing.running:  # the last drawing comes at the end
            self._draw_so_far()

    def _draw_so_far(self) -> None:
        """Draw the results so far; an error is printed, and stops no command."""
        try:
            self._draw()
        except UserError as error:
            print(f"not drawn: {error}")

    def _print_end(self, ended: Finished, stopped: bool) -> None:
        job = ended.job
        if ended.code == 0:
            print(f"done in {duration(ended.seconds)}: {job.name}")
        elif stopped:
            print(f"stopped: {job.name}")
        else:
            print(f"failed, exit code {ended.code}: {job.name}; its log: {job.log}")
            for line in job.log.read_text(errors="replace").splitlines()[-_TAIL:]:
                print(f"    {line}")

    def _print_running(self, standing: Status) -> None:
        eta = estimate_eta(standing, self._jobs, self._slots)
        done = sum(ended.code == 0 for ended in standing.finished)
        now = ", ".join(describe_activity(job) for job in standing.running)
        left = eta.text(duration(eta.seconds or 0.0))
        print(f"[{done}/{len(self._jobs)}] {now}; {left}")
