"""`ssgan study NAME`: a table or figure of the paper, from training to drawing."""

import sys
import textwrap
from collections import Counter
from collections.abc import Sequence

from ssgan.cli.arguments import take_options
from ssgan.cli.study_plan import Plan, planned
from ssgan.cli.study_teller import Teller
from ssgan.files.locks import locked
from ssgan.recipes.find import build_recipe
from ssgan.studies.catalogue import STUDIES, find_study
from ssgan.studies.output import write_study
from ssgan.studies.scheduler import Process, Scheduler, Status, threads_per_job
from ssgan.studies.study import Study
from ssgan.studies.trials import estimate_study_disk, list_jobs, list_open_jobs
from ssgan.studies.variants import Variant
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
_WIDEST = max(map(len, STUDIES))  # characters of a study's name


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
    plan = planned(find_study(rest[0]), options, settings)
    if options.on("dry-run"):
        _print_plan(plan)
        return 0
    if options.on("draw"):
        _draw(plan)
        return 0
    plan.asked.out.mkdir(parents=True, exist_ok=True)
    with locked(plan.asked.out / ".lock"):
        return _run(plan)


def _split(argv: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """The study's own words, and the settings after a lone --."""
    if "--" not in argv:
        return argv, ()
    place = argv.index("--")
    return argv[:place], tuple(argv[place + 1 :])


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


def _arm_lines(names: Sequence[str]) -> list[str]:
    """The arms of a study at each scale."""
    lines = []
    for study in map(find_study, names):
        for scale, form in (("laptop", study.laptop), ("paper", study.paper)):
            if form is not None:
                lines.append(f"arms of {study.name}, {scale}:")
                lines += [
                    f"  {variant.name:18} {variant.title} ({variant.source_name})"
                    for variant in form.variants
                ]
    return lines


def _print_plan(plan: Plan) -> None:
    """Every command, those with nothing to do marked; their number, and the disk."""
    every, left = list_jobs(plan.trials), list_open_jobs(plan.trials)
    for job in every:
        print(job.command if job in left else f"# done: {job.command}")
    counts = Counter(job.verb for job in left)
    words = ", ".join(f"{count} x {verb}" for verb, count in counts.items()) or "nothing"
    for note in plan.notes:
        print(note)
    size = estimate_study_disk(plan.trials, plan.outline)
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
    write_study(plan.study, plan.form, plan.asked, plan.trials)  # two protocols are refused early
    for note in plan.notes:
        print(note)
    left = list_open_jobs(plan.trials)
    before, threads = len(list_jobs(plan.trials)) - len(left), threads_per_job(plan.slots)
    print(
        f"{plan.study.title}\n{len(left)} commands, {before} with nothing to do; {plan.slots} at a "
        f"time, {threads} threads each; in {plan.asked.out}",
        flush=True,
    )
    teller = Teller(left, plan)
    standing = Status((), (), (), None)
    for standing in Scheduler(left, plan.slots, Process).run():
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


def _draw(plan: Plan) -> None:
    written = write_study(plan.study, plan.form, plan.asked, plan.trials)
    print(f"\n{written.text}")
    for path in written.files:
        print(f"written to {path}")
    if written.missing:
        print(f"missing: {'; '.join(written.missing)}")
