"""`ssgan study NAME`: a table or figure of the paper, from training to drawing."""

import sys
import textwrap
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch

from ssgan.cli.arguments import Options, one_of, take_options, whole_number
from ssgan.cli.forget import refuse_unknown
from ssgan.cli.images import fetched
from ssgan.cli.progress import duration
from ssgan.data.base import AbstractSource, Outline
from ssgan.data.huggingface import Hub
from ssgan.data.parse import parse_source
from ssgan.data.prepare import default_cache
from ssgan.files.errors import refuse_unwritable
from ssgan.files.lock import locked
from ssgan.measure.extractor import NAMES as FEATURES
from ssgan.measure.extractor import choose_features
from ssgan.recipes.find import made
from ssgan.studies.arm import Arm
from ssgan.studies.cell import (
    Cell,
    jobs_of,
    open_jobs,
    refuse_other_runs,
    refuse_unfit_settings,
)
from ssgan.studies.crew import Crew, Ended, Process, Standing
from ssgan.studies.disk import disk
from ssgan.studies.every import STUDIES, find_study
from ssgan.studies.job import Job
from ssgan.studies.outlook import doing, outlook
from ssgan.studies.request import Request, Scale
from ssgan.studies.share import threads_each
from ssgan.studies.study import Form, Study, cells_of, chosen
from ssgan.studies.writing import write_study
from ssgan.types import UserError

USAGE = """usage: ssgan study                       all studies, and how many runs each takes
       ssgan study NAME [--scale laptop|paper] [--data SOURCE] [--test SOURCE] [--seeds 3]
                   [--arms NAME,NAME] [--jobs 1] [--processes 1] [--out DIR]
                   [--features NAME] [--samples N]
                   [--dry-run | --draw] [-- --any.setting VALUE ...]

  NAME       {names}
  --scale    laptop: small networks, 3,000 steps; paper: its settings
  --data     the images; by default cifar10, where the study is of CIFAR-10
  --test     real images to measure against; by default the source's own, such as cifar10-test
  --seeds    how many training seeds: 0, 1, ...
  --arms     some of the arms only; those of NAME: ssgan study NAME --help
  --jobs     commands at a time; each gets its share of the cores, and of the GPUs
  --processes  of every training run, each with a device of its own (ssgan train --help)
  --out      where runs, measurements and drawings go: studies/SCALE
  --features of `ssgan evaluate`; by default its own choice
  --samples  images made for a Frechet distance
  --dry-run  print the commands, their number and the disk they take; run nothing
  --draw     draw again from what is there; run nothing
  --         settings for every run, as `ssgan train` takes them

A study runs commands of ssgan, which can be run by hand as well. Run it again to continue.
"""
_VALUED = (
    *("scale", "data", "test", "seeds", "arms", "jobs", "processes", "out", "features", "samples"),
)
_WEIGHTED = ("inception", "lite0")  # features that need a file of weights
_WIDEST = max(map(len, STUDIES))  # characters of a study's name
_MINUTE = 60.0  # seconds between lines, when nothing changes
_TAIL = 5  # lines of a failed command's log that are shown


def main(argv: list[str]) -> int:
    """Run a study, or what it lacks, and draw it; returns the exit code."""
    own, settings = _split(argv)
    options, rest = take_options(own, _VALUED, ("dry-run", "draw", "help"))
    if len(rest) > 1 or any(word.startswith("-") for word in rest):
        raise UserError(f"study takes one name, not {' '.join(rest)}; see ssgan study --help")
    if options.on("help"):
        names = textwrap.fill(", ".join(STUDIES), 86, break_on_hyphens=False)
        print(USAGE.format(names=textwrap.indent(names, " " * 13).strip()), end="")
        print("".join(f"\n{line}" for line in _arm_lines(rest)), end="\n" if rest else "")
        return 0
    if not rest:
        if argv:
            raise UserError(f"study needs a name: {', '.join(STUDIES)}")
        print("\n".join(line for study in STUDIES.values() for line in _listed(study)))
        return 0
    plan = _plan(find_study(rest[0]), options, settings)
    if options.on("dry-run"):
        _print_plan(plan)
        return 0
    if options.on("draw"):
        _draw(plan)
        return 0
    plan.asked.out.mkdir(parents=True, exist_ok=True)
    with locked(plan.asked.out / ".lock"):
        return _run(plan)


@dataclass(frozen=True)
class _Plan:
    """A study, and what was asked of it."""

    study: Study
    form: Form
    asked: Request
    slots: int
    outline: Outline
    cells: list[Cell]
    notes: tuple[str, ...]  # said before anything is run


def _split(argv: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """The study's own words, and the settings after a lone --."""
    if "--" not in argv:
        return argv, ()
    place = argv.index("--")
    return argv[:place], tuple(argv[place + 1 :])


def _plan(study: Study, options: Options, settings: tuple[str, ...]) -> _Plan:
    scale: Scale = one_of(options, "scale", get_args(Scale), "laptop")
    form = study.form(scale)
    arms = chosen(form.arms, options.get("arms"))
    data = options.get("data") or form.data
    if data is None:
        raise UserError(f"{study.name} is of {form.images}: give --data folder:PATH")
    source = parse_source(data)
    test, held_out = options.get("test"), source.held_out()
    if test is None and held_out is not None:
        test = held_out.name()
    asked = Request(
        scale=scale,
        data=data,
        test=test,
        seeds=tuple(range(whole_number(options, "seeds", study.seeds, 1, 100))),
        out=Path(options.get("out") or f"studies/{scale}"),
        features=options.get("features"),
        samples=whole_number(options, "samples", form.samples, 2),
        processes=whole_number(options, "processes", 1, 1),
        overrides=settings,
    )
    slots = whole_number(options, "jobs", 1, 1)
    refuse_unwritable(asked.out)
    dry = options.on("dry-run") or options.on("draw")
    outline = _outline(source, dry, drawn=options.on("draw"))
    cells = cells_of(arms, form, asked, outline)
    refuse_other_runs(cells)
    notes: tuple[str, ...] = ()
    if not options.on("draw"):
        _refuse_misfits(study, form, asked, cells, outline, dry)
        notes = _notes(asked, cells, dry)
    return _Plan(study, form, asked, slots, outline, cells, notes)


def _outline(source: AbstractSource, dry: bool, drawn: bool = False) -> Outline:
    """Sizes and classes, without a download if `dry`.

    To draw a study of the hub its images are opened: they were loaded for its runs.
    """
    if dry and not (drawn and isinstance(source, Hub)):
        return source.outline()
    return Outline.of(fetched(source).open())


def _refuse_misfits(
    study: Study, form: Form, asked: Request, cells: Sequence[Cell], outline: Outline, dry: bool
) -> None:
    """Raise UserError before anything is trained for what a command would refuse afterwards."""
    refuse_unfit_settings(cells, outline)
    left = open_jobs(cells)
    for job in left:
        if job.verb == "forget":
            refuse_unknown(list(job.words[1:]), parse_source(asked.data))
    if asked.features is not None and asked.features not in FEATURES:
        raise UserError(f"no features {asked.features!r}; there are {', '.join(FEATURES)}")
    if asked.features in _WEIGHTED and not dry and any(job.verb == "evaluate" for job in left):
        choose_features(asked.features, torch.device("cpu"), default_cache())  # are they there?
    if form.measurement.reads_labels and len(outline.classes) < 2:
        raise UserError(
            f"{study.name} probes D for classes, and {asked.data} has fewer than two: put every "
            "image into the folder of its class"
        )


def _notes(asked: Request, cells: Sequence[Cell], dry: bool) -> tuple[str, ...]:
    """What may surprise; raises UserError for real images that cannot be read."""
    test = None if asked.test is None else parse_source(asked.test)
    if test is None or (dry and isinstance(test, Hub)):  # it is there, or a download away
        return ()
    count = _outline(test, dry).survey.num_images
    if count >= asked.samples or not any(job.verb == "evaluate" for job in open_jobs(cells)):
        return ()
    return (
        f"note: {asked.samples:,} generated images are measured against the {count:,} of "
        f"{asked.test}: --test names others, --samples {count} makes as many",
    )


def _listed(study: Study) -> list[str]:
    """A study and its cost at each scale."""
    lines = [f"{study.name:{_WIDEST}} {study.title}"]
    for scale, form in (("laptop", study.laptop), ("paper", study.paper)):
        if form is not None:
            recipes = {arm.recipe for arm in form.arms if isinstance(arm, Arm)}
            steps = sorted({made(recipe).total_steps for recipe in recipes})
            each = f" of {' or '.join(f'{count:,}' for count in steps)} steps" if steps else ""
            runs = len(form.arms) * study.seeds
            lines.append(f"{'':{_WIDEST}}   {scale:6} {runs} runs{each}, {form.images}")
    return lines


def _arm_lines(names: Sequence[str]) -> list[str]:
    """The arms of a study at each scale."""
    lines = []
    for study in map(find_study, names):
        for scale, form in (("laptop", study.laptop), ("paper", study.paper)):
            if form is not None:
                lines.append(f"arms of {study.name}, {scale}:")
                lines += [f"  {arm.name:18} {arm.title} ({arm.what()})" for arm in form.arms]
    return lines


def _print_plan(plan: _Plan) -> None:
    """Every command, those with nothing to do marked; their number, and the disk."""
    every, left = jobs_of(plan.cells), open_jobs(plan.cells)
    for job in every:
        print(job.command if job in left else f"# done: {job.command}")
    counts = Counter(job.verb for job in left)
    words = ", ".join(f"{count} x {verb}" for verb, count in counts.items()) or "nothing"
    for note in plan.notes:
        print(note)
    size = disk(plan.cells, plan.outline)
    room = (
        f"about {size.runs / 1e6:,.0f} MB for all runs, {size.images / 1e6:,.0f} MB of images; "
        "caches of features come on top"
    )
    print(
        f"\n{len(every)} commands, {len(every) - len(left)} with nothing to do; left: {words}\n"
        f"disk: {room if size.runs else 'not estimated for these commands'}\nnothing was written"
    )


def _run(plan: _Plan) -> int:
    """Run what is missing, draw after every command; returns the exit code."""
    write_study(plan.study, plan.form, plan.asked, plan.cells)  # two protocols are refused early
    for note in plan.notes:
        print(note)
    left = open_jobs(plan.cells)
    before, threads = len(jobs_of(plan.cells)) - len(left), threads_each(plan.slots)
    print(
        f"{plan.study.title}\n{len(left)} commands, {before} with nothing to do; {plan.slots} at a "
        f"time, {threads} threads each; in {plan.asked.out}",
        flush=True,
    )
    teller = _Teller(left, plan)
    standing = Standing((), (), (), None)
    for standing in Crew(left, plan.slots, Process).run():
        teller.tell(standing)
    if standing.stopped_by is not None:
        print(
            f"stopped by {standing.stopped_by.name}: what was running is saved; "
            "run the same command again to continue",
            file=sys.stderr,
        )
        return standing.exit_code
    for job in standing.waiting:
        print(f"not run, for it needs what failed: {job.name}", file=sys.stderr)
    _draw(plan)
    return standing.exit_code


def _draw(plan: _Plan) -> None:
    written = write_study(plan.study, plan.form, plan.asked, plan.cells)
    print(f"\n{written.text}")
    for path in written.files:
        print(f"written to {path}")
    if written.missing:
        print(f"missing: {'; '.join(written.missing)}")


class _Teller:
    """Says how far the commands are: when something begins or ends, and once a minute."""

    def __init__(self, jobs: Sequence[Job], plan: _Plan) -> None:
        self._jobs, self._plan = jobs, plan
        self._running: tuple[Job, ...] = ()
        self._ended = 0
        self._last = time.monotonic()

    def tell(self, standing: Standing) -> None:
        """Print what is new."""
        new = standing.ended[self._ended :]
        for ended in new:
            self._say_end(ended, stopped=standing.stopped_by is not None)
        changed = standing.running != self._running
        if changed or time.monotonic() - self._last >= _MINUTE:
            self._last = time.monotonic()
            if standing.running:
                self._say_standing(standing)
        self._running, self._ended = standing.running, len(standing.ended)
        if new and standing.running:  # the last drawing is made in the end
            self._draw()

    def _draw(self) -> None:
        """Draw what is there; what hinders it is said, and does not stop what runs."""
        try:
            write_study(self._plan.study, self._plan.form, self._plan.asked, self._plan.cells)
        except UserError as error:
            print(f"not drawn: {error}", flush=True)

    def _say_end(self, ended: Ended, stopped: bool) -> None:
        job = ended.job
        if ended.code == 0:
            print(f"done in {duration(ended.seconds)}: {job.name}", flush=True)
        elif stopped:
            print(f"stopped: {job.name}", flush=True)
        else:
            print(f"failed, exit code {ended.code}: {job.name}; its log: {job.log}", flush=True)
            for line in job.log.read_text(errors="replace").splitlines()[-_TAIL:]:
                print(f"    {line}", flush=True)

    def _say_standing(self, standing: Standing) -> None:
        found = outlook(standing, self._jobs, self._plan.slots)
        done = sum(ended.code == 0 for ended in standing.ended)
        now = ", ".join(doing(job) for job in standing.running)
        left = found.text(duration(found.seconds or 0.0))
        print(f"[{done}/{len(self._jobs)}] {now}; {left}", flush=True)
