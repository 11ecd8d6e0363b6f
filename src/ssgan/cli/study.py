"""`ssgan study NAME`: makes a table or figure of the paper, from training to drawing."""

import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch

from ssgan.cli import options
from ssgan.cli.commands_table import CommandsTable, Summary, list_started
from ssgan.cli.forget import forgetting_settings
from ssgan.cli.measure_options import Forget
from ssgan.cli.parser import parse
from ssgan.cli.progress import fetch_source, format_duration
from ssgan.data.base import AbstractSource, DatasetInfo
from ssgan.data.huggingface import Hub
from ssgan.data.prepare import default_cache
from ssgan.data.sources import parse_source
from ssgan.evaluation.feature_networks import INCEPTION, choose_features
from ssgan.evaluation.feature_networks import NAMES as FEATURES
from ssgan.files.errors import require_writable
from ssgan.files.locks import hold_lock
from ssgan.recipes.find import build_recipe
from ssgan.studies.catalogue import STUDIES, Study, StudyScale, find_study
from ssgan.studies.engines.base import Engine
from ssgan.studies.engines.choose import Placement, choose_engine
from ssgan.studies.jobs import TrainingJob
from ssgan.studies.options import StudyOptions
from ssgan.studies.output import StudyOutput, write_study
from ssgan.studies.scheduler import Finished, Scheduler, Status, estimate_eta
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
_TAIL = 5  # lines of a failed command's log that are shown
_WEIGHTED = (*INCEPTION, "lite0")  # features that need a file of weights


def main(given: options.Study) -> int:
    """Run a study, or what it lacks, and draw it; returns the exit code."""
    if given.name is None:
        print("\n".join(line for study in STUDIES.values() for line in _list_study(study)))
        return 0
    study = find_study(given.name)
    if given.help:
        for scale, form in _scales(study):
            print(f"variants of {study.name}, {scale}:")
            for variant in form.variants:
                print(f"  {variant.name:18} {variant.title} ({variant.source_name})")
        return 0
    placement = Placement(
        on=given.on,
        jobs=given.jobs,
        threads=given.threads,
        gpus=given.gpus,
        processes=given.processes,
        slurm=given.slurm,
    )
    plan = _make_plan(study, given)
    if not given.draw:
        _refuse_unfit_plan(plan)
        _print_notes(plan)
    if given.dry_run:
        _print_plan(plan)
        return 0
    if given.draw:
        _draw(plan)
        return 0
    plan.options.out.mkdir(parents=True, exist_ok=True)
    with (
        hold_lock(plan.options.out / ".lock"),
        closing(choose_engine(placement, plan.options.out)) as engine,
    ):
        return _run(plan, engine)


def _scales(study: Study) -> list[tuple[str, StudyScale]]:
    scales = (("laptop", study.laptop), ("paper", study.paper))
    return [(name, form) for name, form in scales if form is not None]


def _list_study(study: Study) -> list[str]:
    """A study and its cost at each scale."""
    lines = [f"{study.name:{_WIDEST}} {study.title}"]
    for scale, form in _scales(study):
        recipes = {variant.recipe for variant in form.variants if isinstance(variant, Variant)}
        steps = sorted({build_recipe(recipe).total_steps for recipe in recipes})
        each = f" of {' or '.join(f'{count:,}' for count in steps)} steps" if steps else ""
        runs = len(form.variants) * study.seeds
        lines.append(f"{'':{_WIDEST}}   {scale:6} {runs} runs{each}, {form.dataset}")
    return lines


@dataclass(frozen=True)
class _Plan:
    study: Study
    form: StudyScale
    options: StudyOptions
    info: DatasetInfo
    trials: list[Trial]
    dry: bool  # nothing is run or downloaded

    def write(self) -> StudyOutput:
        """Write the results so far."""
        return write_study(self.study, self.form, self.options, self.trials)


def _make_plan(study: Study, given: options.Study) -> _Plan:
    """The trials of a study; raises UserError for options and directories that do not fit."""
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
    require_writable(request.out)
    dry = given.dry_run or given.draw
    # to draw a study of hub images they are opened: its runs downloaded them
    info = _info(source, dry and not (given.draw and isinstance(source, Hub)))
    trials = build_trials(variants, form.measurement, request, info)
    refuse_other_runs(trials)
    return _Plan(study, form, request, info, trials, dry)


def _info(source: AbstractSource, dry: bool) -> DatasetInfo:
    """Sizes and classes, without a download if `dry`."""
    return source.info() if dry else DatasetInfo.of(fetch_source(source).open())


def _refuse_unfit_plan(plan: _Plan) -> None:
    """Raise UserError before any training for what a command would refuse after it."""
    study, given, left = plan.study, plan.options, list_open_jobs(plan.trials)
    refuse_unfit_settings(plan.trials, plan.info)
    trains = any(isinstance(trial.training, TrainingJob) for trial in plan.trials)
    if given.processes > 1 and not trains:
        raise UserError(f"--processes requires runs of ssgan train; {study.name} has none")
    for job in left:
        if job.verb == "forget":
            words = parse("forget", Forget, job.words[1:])
            forgetting_settings(words, parse_source(given.data), None)
    if given.features is not None and given.features not in FEATURES:
        raise UserError(f"no features {given.features!r}; there are {', '.join(FEATURES)}")
    evaluates = any(job.verb == "evaluate" for job in left)
    if given.features in _WEIGHTED and evaluates and not plan.dry:
        choose_features(given.features, torch.device("cpu"), default_cache())  # are they there?
    if plan.form.measurement.reads_labels and len(plan.info.classes) < 2:
        raise UserError(
            f"{study.name} probes D for classes, and {given.data} has fewer than two: "
            f"{parse_source(given.data).label_advice()}"
        )


def _print_notes(plan: _Plan) -> None:
    """Print what may surprise; raises UserError for real images that cannot be read."""
    given = plan.options
    test = None if given.test is None else parse_source(given.test)
    if test is None or (plan.dry and isinstance(test, Hub)):  # it is there, or a download away
        return
    count = _info(test, plan.dry).header_stats.num_images
    evaluates = any(job.verb == "evaluate" for job in list_open_jobs(plan.trials))
    if count < given.samples and evaluates:
        print(
            f"note: {given.samples:,} generated images are compared with the {count:,} images of "
            f"{given.test}; --test names others, --samples {count} generates as many"
        )


def _print_plan(plan: _Plan) -> None:
    """Print every command, with those that are done marked; their number, and the disk."""
    every, left = list_jobs(plan.trials), list_open_jobs(plan.trials)
    for job in every:
        print(job.command if job in left else f"# done: {job.command}")
    counts = Counter(job.verb for job in left)
    words = ", ".join(f"{count} x {verb}" for verb, count in counts.items()) or "nothing"
    size = estimate_study_disk(plan.trials, plan.info)
    room = (
        f"about {size.runs / 1e6:,.0f} MB for all runs, {size.images / 1e6:,.0f} MB of images; "
        "caches of features come on top"
    )
    print(
        f"\n{len(every)} commands, {len(every) - len(left)} with nothing to do; left: {words}\n"
        f"disk: {room if size.runs else 'not estimated for these commands'}\nnothing was written"
    )


def _run(plan: _Plan, engine: Engine) -> int:
    """Run what is missing, draw after every command; returns the exit code."""
    plan.write()  # two protocols are refused early
    left = list_open_jobs(plan.trials)
    before = len(list_jobs(plan.trials)) - len(left)
    print(
        f"{plan.study.title}\n{len(left)} commands, {before} with nothing to do; "
        f"{engine.slots} at a time, {engine.threads} threads each; in {plan.options.out}"
    )

    def summarize(status: Status) -> Summary:
        eta = estimate_eta(status, left, max(1, len(list_started(status))))
        done = sum(ended.code == 0 for ended in status.finished)
        return Summary(done, len(left), eta.text(format_duration(eta.seconds or 0.0)))

    status, ended = Status((), (), (), None), 0
    with CommandsTable(summarize) as table:
        for status in Scheduler(left, engine).run():
            for one in status.finished[ended:]:
                _print_end(one, status.stopped_by is not None, table.say)
            table.report(status)
            if len(status.finished) > ended and status.running:  # the last drawing comes at the end
                _draw_early(plan, table)
            ended = len(status.finished)
    if status.stopped_by is not None:
        print(
            f"stopped by {status.stopped_by.name}: what was running is saved; "
            "run the same command again to continue",
            file=sys.stderr,
        )
        return status.exit_code
    for job in status.waiting:
        print(f"not run, because a command that it needs failed: {job.name}", file=sys.stderr)
    _draw(plan)
    return status.exit_code


def _draw(plan: _Plan) -> None:
    written = plan.write()
    print(f"\n{written.text}")
    for path in written.files:
        print(f"written to {path}")
    if written.missing:
        print(f"missing: {'; '.join(written.missing)}")


def _draw_early(plan: _Plan, table: CommandsTable) -> None:
    try:
        plan.write()
    except UserError as error:  # it stops no command
        table.say(f"not drawn: {error}")


def _print_end(ended: Finished, stopped: bool, say: Callable[[str], None]) -> None:
    job = ended.job
    if ended.code == 0:
        say(f"done in {format_duration(ended.seconds)}: {job.name}")
    elif stopped:
        say(f"stopped: {job.name}")
    else:
        say(f"failed, exit code {ended.code}: {job.name}; its log: {job.log}")
        for line in job.read_log()[-_TAIL:]:
            say(f"    {line}")
