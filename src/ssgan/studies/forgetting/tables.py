"""Tables of forgetting runs: summaries of each cycle of each variant, over its seeds.

The runs of a variant differ only in the seed. For every cycle, in balanced accuracy:

    peak      the highest of each task, mean over the tasks
    switch    of the new task right after a switch, before its first update
    drop      from the old task at the same iteration to that
    first     at the first measurement after that
    mean      over all measurements except those right after a switch and before the first update

A switch belongs to the cycle of the task that begins; the first task begins without one.
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
from ssgan.plots.forgetting import TaskSchedule
from ssgan.runs.config_io import ALIASES
from ssgan.types import UserError

Row = Mapping[str, Any]  # a line of forgetting.jsonl
_COLUMNS = {
    **dict.fromkeys(("step", "task", "cycle"), WHOLE),
    "after_switch": FLAG,
    "accuracy": SHARE,
}
# Names in files of earlier versions.
_RENAMED = {"class_told": "class_recall", "rest_told": "rest_recall", "asked": "test_images"}
SUMMARIES = {
    "peak": "peak of a task",
    "switch": "right after a switch",
    "drop": "drop at a switch",
    "first": "first measurement after that",
    "mean": "mean",
}


@dataclass(frozen=True)
class ForgettingRun:
    """The content of one directory."""

    root: Path
    settings: Mapping[str, Any]  # flat: "network.width"
    seed: int
    schedule: TaskSchedule  # as planned
    rows: Sequence[Row]


@dataclass(frozen=True)
class ForgettingGroup:
    """The runs of one variant, one per seed."""

    name: str
    runs: Sequence[ForgettingRun]


def read_forgetting_run(root: Path) -> ForgettingRun:
    """The run in a directory; UserError when there is none, or it has no measurement yet."""
    directory = ForgettingDirectory(root)
    if not directory.study.is_file():
        raise UserError(
            f"{root} holds no forgetting run; give directories that ssgan forget has written"
        )
    facts = read_json(directory.study)
    table, classes = facts.get("settings"), facts.get("classes")
    settings = _flatten(table) if isinstance(table, dict) else {}
    numbers = [settings.get(name, "") for name in ("seed", "iterations_per_task", "cycles")]
    whole = all(map(WHOLE.fits, numbers)) and all(numbers[1:])
    if not (whole and NUMBER.fits(settings.get("rotation")) and TEXTS.fits(classes) and classes):
        raise UserError(
            f"{directory.study} is not what ssgan forget wrote: it must have classes, and settings "
            "with seed, cycles, iterations_per_task and rotation"
        )
    rows = [_rename(row) for row in read(directory.log, _COLUMNS)]
    if not rows:
        lost = f" in its log, but {directory.state.name} is further: remove that file"
        words = lost if directory.state.exists() else " yet"
        raise UserError(f"{root} has no measurement{words}; run its command again")
    seed, per_task, cycles = numbers
    schedule = TaskSchedule(tuple(facts["classes"]), per_task, cycles)
    return ForgettingRun(root, settings, seed, schedule, rows)


def _flatten(table: Mapping[str, Any]) -> dict[str, Any]:
    """The settings by their path, under today's names of fields and classes."""
    return {
        path: ALIASES.kind(value) if path.endswith("kind") and isinstance(value, str) else value
        for path, value in flatten(_rename(table)).items()
    }


def _rename(table: Mapping[str, Any]) -> dict[str, Any]:
    return {_RENAMED.get(name, name): value for name, value in table.items()}


def group_variants(roots: Sequence[Path]) -> list[ForgettingGroup]:
    """The runs grouped by all settings except the seed; UserError when they do not compare."""
    if not roots:
        raise UserError("no forgetting run given; give directories that ssgan forget has written")
    runs = [read_forgetting_run(root) for root in roots]
    for run in runs[1:]:
        if run.schedule != runs[0].schedule:
            raise UserError(
                f"{run.root} and {runs[0].root} differ in classes, iterations per task or cycles: "
                "they cannot share a plot"
            )
    varying = [
        name
        for name in distinct([name for run in runs for name in run.settings])
        if name != "seed" and len({str(run.settings.get(name)) for run in runs}) > 1
    ]
    groups: dict[tuple[str, ...], list[ForgettingRun]] = {}
    for run in runs:
        groups.setdefault(tuple(str(run.settings.get(name)) for name in varying), []).append(run)
    for own in groups.values():
        own.sort(key=lambda run: run.seed)
        for one, other in pairwise(own):
            if one.seed == other.seed:
                raise UserError(
                    f"{one.root} and {other.root} have the same settings and seed {one.seed}: "
                    "give one"
                )
    return [ForgettingGroup(_name(own[0], varying), own) for own in groups.values()]


def _name(run: ForgettingRun, varying: Sequence[str]) -> str:
    weight = run.settings["rotation"]
    name = "without rotation" if weight == 0 else f"rotation loss x {weight:g}"
    others = [f"{name} {run.settings.get(name)}" for name in varying if name != "rotation"]
    return ", ".join([name, *others])


def summarize_forgetting(run: ForgettingRun) -> dict[str, list[float | None]]:
    """The summaries of the module's docstring, one value per cycle.

    None for an incomplete cycle, also where lines were removed, and for the switches of a cycle
    that has none.
    """
    by_cycle = [_summarize(run, cycle + 1) for cycle in range(run.schedule.cycles)]
    return {name: [summaries.get(name) for summaries in by_cycle] for name in SUMMARIES}


def _summarize(run: ForgettingRun, cycle: int) -> dict[str, float | None]:
    """The summaries of one cycle; empty when it is incomplete."""
    num_tasks, end = len(run.schedule.classes), cycle * run.schedule.per_cycle
    own = [row for row in run.rows if row["cycle"] == cycle]
    switches = [row for row in own if row["after_switch"]]
    learnt = [row for row in own if not row["after_switch"] and row["step"] > 0]
    by_task: dict[int, list[float]] = {}
    for row in learnt:
        by_task.setdefault(row["task"], []).append(row["accuracy"])
    ended = any(row["step"] == end for row in own)
    if not ended or len(by_task) < num_tasks or len(switches) < num_tasks - (cycle == 1):
        return {}
    old_task = {row["step"]: row["accuracy"] for row in run.rows if not row["after_switch"]}
    drops = [old_task[r["step"]] - r["accuracy"] for r in switches if r["step"] in old_task]
    return {
        "peak": _mean([max(values) for values in by_task.values()]),
        "switch": _mean([row["accuracy"] for row in switches]),
        "drop": _mean(drops) if len(drops) == len(switches) else None,
        "first": _mean([values[0] for values in by_task.values()]),
        "mean": _mean([row["accuracy"] for row in learnt]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def forgetting_table(roots: Sequence[Path]) -> str:
    """A block per variant: summaries by cycle, last minus first, mean and deviation over seeds.

    Raises UserError as `group_variants`.
    """
    return "\n\n".join(_block(group) for group in group_variants(roots)) + "\n"


def _block(group: ForgettingGroup) -> str:
    schedule, found = group.runs[0].schedule, [summarize_forgetting(run) for run in group.runs]
    seeds = ", ".join(str(run.seed) for run in group.runs)
    columns = [f"cycle {cycle + 1}" for cycle in range(schedule.cycles)]
    if schedule.cycles > 1:
        columns.append(f"{schedule.cycles} minus 1")
    lines = [[f"{group.name}, seed {seeds}: balanced accuracy in %", *columns]]
    for name, words in SUMMARIES.items():
        by_column = zip(*(_with_change(one[name]) for one in found), strict=True)
        lines.append([words, *map(_format, by_column)])
    steps = [(run.root, run.rows[-1]["step"]) for run in group.runs]
    notes = [
        f"note: {root} is at iteration {step:,} of {schedule.total:,}"
        for root, step in steps
        if step != schedule.total
    ]
    return "\n".join([align_columns(lines), *notes])


def _with_change(values: list[float | None]) -> list[float | None]:
    """The values by cycle, and the last minus the first where there are several."""
    if len(values) == 1:
        return values
    first, last = values[0], values[-1]
    return [*values, None if first is None or last is None else last - first]


def _format(values: Sequence[float | None]) -> str:
    """In percent, with the standard deviation (n - 1) where there are several seeds."""
    known = [100 * value for value in values if value is not None]
    if len(known) < len(values):
        return "-"
    spread = f" +- {statistics.stdev(known):.1f}" if len(known) > 1 else ""
    return f"{statistics.fmean(known):.1f}{spread}"
