"""Forgetting studies in numbers: each cycle of each arm, over its seeds.

Arms are studies that differ in nothing but the seed. For every cycle, in balanced accuracy:

    peak      the best of each task, mean over the tasks
    switch    of the new task right after a switch, before its first update
    drop      from the old task at the same instant to that
    first     at the first measurement after that
    mean      over all measurements but those right after a switch, and before the first update

A switch belongs to the cycle of the task that begins; the study's first task begins without one.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ssgan.config.merge import read_json
from ssgan.config.serialize import flatten
from ssgan.evaluation.probe.tables import align_columns, distinct
from ssgan.files.jsonl import FLAG, NUMBER, SHARE, TEXTS, WHOLE, read
from ssgan.files.run_directory import ForgettingDirectory
from ssgan.types import UserError

Row = Mapping[str, Any]  # a line of forgetting.jsonl
_NEEDS = {
    **dict.fromkeys(("step", "task", "cycle"), WHOLE),
    "after_switch": FLAG,
    "accuracy": SHARE,
}
SUMMARIES = {
    "peak": "peak of a task",
    "switch": "right after a switch",
    "drop": "drop at a switch",
    "first": "first measurement after that",
    "mean": "mean",
}


@dataclass(frozen=True)
class ForgettingRun:
    """One directory, as it was read."""

    root: Path
    settings: Mapping[str, Any]  # flat: "network.width"
    classes: tuple[str, ...]
    seed: int
    per_task: int  # iterations of a task
    cycles: int  # times through all classes that are wanted
    rows: Sequence[Row]

    @property
    def per_cycle(self) -> int:
        """Iterations of a cycle through all classes."""
        return self.per_task * len(self.classes)

    @property
    def total(self) -> int:
        """Iterations of the whole study."""
        return self.cycles * self.per_cycle


@dataclass(frozen=True)
class ForgettingVariant:
    """Studies of one kind, a seed each."""

    name: str
    studies: Sequence[ForgettingRun]


def read_forgetting_run(root: Path) -> ForgettingRun:
    """What a directory holds; UserError when that is no study, or nothing is measured yet."""
    layout = ForgettingDirectory(root)
    if not layout.study.is_file():
        raise UserError(
            f"{root} holds no forgetting study; give directories that ssgan forget has written"
        )
    study = _study_of(layout)
    if not study.rows:
        lost = f" in its log, which {layout.state.name} is beyond: remove that"
        words = lost if layout.state.exists() else " yet"
        raise UserError(f"{root} has measured nothing{words}; run its command again")
    return study


def _study_of(layout: ForgettingDirectory) -> ForgettingRun:
    """The settings and the rows; UserError, naming the file, for what no command has written."""
    facts = read_json(layout.study)
    table, classes = facts.get("settings"), facts.get("classes")
    settings = flatten(table) if isinstance(table, dict) else {}
    counts = [settings.get(name) for name in ("seed", "cycles", "iterations_per_task")]
    whole = all(map(WHOLE.fits, counts)) and all(counts[1:])
    if not (whole and NUMBER.fits(settings.get("rotation")) and TEXTS.fits(classes) and classes):
        raise UserError(
            f"{layout.study} is not what ssgan forget wrote: it must have classes, and settings "
            "with seed, cycles, iterations_per_task and rotation"
        )
    return ForgettingRun(
        root=layout.root,
        settings=settings,
        classes=tuple(facts["classes"]),
        seed=settings["seed"],
        per_task=settings["iterations_per_task"],
        cycles=settings["cycles"],
        rows=list(read(layout.log, _NEEDS)),
    )


def group_variants(roots: Sequence[Path]) -> list[ForgettingVariant]:
    """The studies by what they differ in, seeds together; UserError when they do not compare."""
    if not roots:
        raise UserError("no study given; give directories that ssgan forget has written")
    studies = [read_forgetting_run(root) for root in roots]
    for study in studies[1:]:
        if _schedule(study) != _schedule(studies[0]):
            raise UserError(
                f"{study.root} and {studies[0].root} have other classes, iterations a task or "
                "cycles: they cannot be drawn over one another"
            )
    varying = [
        name
        for name in distinct([name for study in studies for name in study.settings])
        if name != "seed" and len({str(study.settings.get(name)) for study in studies}) > 1
    ]
    keys = [tuple(str(study.settings.get(name)) for name in varying) for study in studies]
    variants = []
    for key in distinct(keys):
        own = [study for study, its in zip(studies, keys, strict=True) if its == key]
        own.sort(key=lambda study: study.seed)
        _refuse_twice(own)
        variants.append(ForgettingVariant(_name(own[0], varying), own))
    return variants


def summarize_forgetting(study: ForgettingRun) -> dict[str, list[float | None]]:
    """The figures of the module's head, a value a cycle; None for a cycle that is not complete.

    Nor is one of which lines were removed. Those of a switch are None in a cycle that begins
    without one and has no other.
    """
    cycles = range(1, study.cycles + 1)
    return {name: [_figure(study, name, cycle) for cycle in cycles] for name in SUMMARIES}


def forgetting_table(roots: Sequence[Path]) -> str:
    """A block an arm: the figures by cycle, the last less the first, mean and deviation of seeds.

    Raises UserError as `arms_of`.
    """
    return "\n\n".join(_block(variant) for variant in group_variants(roots)) + "\n"


def _figure(study: ForgettingRun, name: str, cycle: int) -> float | None:
    end = cycle * study.per_cycle
    own = [row for row in study.rows if row["cycle"] == cycle]
    switches = [row for row in own if row["after_switch"]]
    learnt = [row for row in own if not row["after_switch"] and row["step"] > 0]
    tasks = distinct([row["task"] for row in learnt])
    if not any(row["step"] == end for row in own) or len(tasks) < len(study.classes):
        return None
    if len(switches) < len(study.classes) - (cycle == 1):
        return None
    if name == "switch":
        return _mean([row["accuracy"] for row in switches])
    if name == "drop":
        drops = [_drop(study, row) for row in switches]
        known = [drop for drop in drops if drop is not None]
        return _mean(known) if len(known) == len(drops) else None
    of_task = [[row["accuracy"] for row in learnt if row["task"] == task] for task in tasks]
    if name == "peak":
        return _mean([max(values) for values in of_task])
    if name == "first":
        return _mean([values[0] for values in of_task])
    return _mean([row["accuracy"] for row in learnt])


def _drop(study: ForgettingRun, switch: Row) -> float | None:
    """From the accuracy on the old task to the new one's; None when the old one's line has gone."""
    same = (row for row in study.rows if row["step"] == switch["step"] and not row["after_switch"])
    before = next(same, None)
    return None if before is None else float(before["accuracy"] - switch["accuracy"])


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _block(variant: ForgettingVariant) -> str:
    first, found = variant.studies[0], [summarize_forgetting(study) for study in variant.studies]
    seeds = ", ".join(str(study.seed) for study in variant.studies)
    heading = f"{variant.name}, seed {seeds}: balanced accuracy in %"
    columns = [f"cycle {cycle + 1}" for cycle in range(first.cycles)]
    if first.cycles > 1:
        columns.append(f"{first.cycles} less 1")
    lines = [[heading, *columns]]
    for name, words in SUMMARIES.items():
        by_column = zip(*(_with_change(one[name]) for one in found), strict=True)
        lines.append([words, *map(_cell, by_column)])
    return "\n".join([align_columns(lines), *filter(None, map(_unfinished, variant.studies))])


def _with_change(values: list[float | None]) -> list[float | None]:
    """The values by cycle, and the last less the first where there are several."""
    if len(values) == 1:
        return values
    first, last = values[0], values[-1]
    return [*values, None if first is None or last is None else last - first]


def _cell(values: Sequence[float | None]) -> str:
    """In percent, with the deviation over n - 1 where there are several seeds."""
    known = [100 * value for value in values if value is not None]
    if len(known) < len(values):
        return "-"
    spread = f" +- {statistics.stdev(known):.1f}" if len(known) > 1 else ""
    return f"{statistics.fmean(known):.1f}{spread}"


def _unfinished(study: ForgettingRun) -> str:
    step = study.rows[-1]["step"]
    if step == study.total:
        return ""
    return f"note: {study.root} is at iteration {step:,} of {study.total:,}"


def _schedule(study: ForgettingRun) -> tuple[object, ...]:
    return study.classes, study.per_task, study.cycles


def _name(study: ForgettingRun, varying: Sequence[str]) -> str:
    weight = study.settings["rotation"]
    name = "without rotation" if weight == 0 else f"rotation loss x {weight:g}"
    others = [f"{name} {study.settings.get(name)}" for name in varying if name != "rotation"]
    return ", ".join([name, *others])


def _refuse_twice(studies: Sequence[ForgettingRun]) -> None:
    for one, other in pairwise(studies):
        if one.seed == other.seed:
            raise UserError(
                f"{one.root} and {other.root} have the same settings and seed {one.seed}: give one"
            )
