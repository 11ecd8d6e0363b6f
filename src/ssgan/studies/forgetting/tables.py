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
from ssgan.studies.forgetting.settings import rename_fields
from ssgan.types import UserError

Row = Mapping[str, Any]  # a line of forgetting.jsonl
_COLUMNS = {
    **dict.fromkeys(("step", "task", "cycle"), WHOLE),
    "after_switch": FLAG,
    "accuracy": SHARE,
}
_RENAMED = {"class_told": "class_recall", "rest_told": "rest_recall"}  # in earlier versions
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
    classes: tuple[str, ...]
    seed: int
    per_task: int  # iterations of a task
    cycles: int  # planned times through all classes
    rows: Sequence[Row]

    @property
    def per_cycle(self) -> int:
        """Iterations of a cycle through all classes."""
        return self.per_task * len(self.classes)

    @property
    def total(self) -> int:
        """Iterations of the whole run."""
        return self.cycles * self.per_cycle


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
    run = _parse_run(directory)
    if not run.rows:
        lost = f" in its log, but {directory.state.name} is further: remove that file"
        words = lost if directory.state.exists() else " yet"
        raise UserError(f"{root} has no measurement{words}; run its command again")
    return run


def _parse_run(directory: ForgettingDirectory) -> ForgettingRun:
    facts = read_json(directory.study)
    table, classes = facts.get("settings"), facts.get("classes")
    settings = flatten(rename_fields(table)) if isinstance(table, dict) else {}
    counts = [settings.get(name) for name in ("seed", "cycles", "iterations_per_task")]
    whole = all(map(WHOLE.fits, counts)) and all(counts[1:])
    if not (whole and NUMBER.fits(settings.get("rotation")) and TEXTS.fits(classes) and classes):
        raise UserError(
            f"{directory.study} is not what ssgan forget wrote: it must have classes, and settings "
            "with seed, cycles, iterations_per_task and rotation"
        )
    rows = read(directory.log, _COLUMNS)
    return ForgettingRun(
        root=directory.root,
        settings=settings,
        classes=tuple(facts["classes"]),
        seed=settings["seed"],
        per_task=settings["iterations_per_task"],
        cycles=settings["cycles"],
        rows=[{_RENAMED.get(name, name): v for name, v in row.items()} for row in rows],
    )


def group_variants(roots: Sequence[Path]) -> list[ForgettingGroup]:
    """The runs grouped by all settings except the seed; UserError when they do not compare."""
    if not roots:
        raise UserError("no forgetting run given; give directories that ssgan forget has written")
    runs = [read_forgetting_run(root) for root in roots]
    for run in runs[1:]:
        if _schedule(run) != _schedule(runs[0]):
            raise UserError(
                f"{run.root} and {runs[0].root} differ in classes, iterations per task or cycles: "
                "they cannot share a plot"
            )
    varying = [
        name
        for name in distinct([name for run in runs for name in run.settings])
        if name != "seed" and len({str(run.settings.get(name)) for run in runs}) > 1
    ]
    keys = [tuple(str(run.settings.get(name)) for name in varying) for run in runs]
    groups = []
    for key in distinct(keys):
        own = [run for run, its in zip(runs, keys, strict=True) if its == key]
        own.sort(key=lambda run: run.seed)
        _refuse_equal_runs(own)
        groups.append(ForgettingGroup(_name(own[0], varying), own))
    return groups


def summarize_forgetting(run: ForgettingRun) -> dict[str, list[float | None]]:
    """The summaries of the module's docstring, one value per cycle.

    None for an incomplete cycle, also where lines were removed, and for the switches of a cycle
    that has none.
    """
    cycles = range(1, run.cycles + 1)
    return {name: [_summarize(run, name, cycle) for cycle in cycles] for name in SUMMARIES}


def forgetting_table(roots: Sequence[Path]) -> str:
    """A block per variant: summaries by cycle, last minus first, mean and deviation over seeds.

    Raises UserError as `group_variants`.
    """
    return "\n\n".join(_block(group) for group in group_variants(roots)) + "\n"


def _summarize(run: ForgettingRun, name: str, cycle: int) -> float | None:
    end = cycle * run.per_cycle
    own = [row for row in run.rows if row["cycle"] == cycle]
    switches = [row for row in own if row["after_switch"]]
    learnt = [row for row in own if not row["after_switch"] and row["step"] > 0]
    tasks = distinct([row["task"] for row in learnt])
    if not any(row["step"] == end for row in own) or len(tasks) < len(run.classes):
        return None
    if len(switches) < len(run.classes) - (cycle == 1):
        return None
    if name == "switch":
        return _mean([row["accuracy"] for row in switches])
    if name == "drop":
        drops = [_drop(run, row) for row in switches]
        known = [drop for drop in drops if drop is not None]
        return _mean(known) if len(known) == len(drops) else None
    by_task = [[row["accuracy"] for row in learnt if row["task"] == task] for task in tasks]
    if name == "peak":
        return _mean([max(values) for values in by_task])
    if name == "first":
        return _mean([values[0] for values in by_task])
    return _mean([row["accuracy"] for row in learnt])


def _drop(run: ForgettingRun, switch: Row) -> float | None:
    """The accuracy of the old task minus that of the new one; None without the old one's line."""
    same = (row for row in run.rows if row["step"] == switch["step"] and not row["after_switch"])
    before = next(same, None)
    return None if before is None else float(before["accuracy"] - switch["accuracy"])


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _block(group: ForgettingGroup) -> str:
    first, found = group.runs[0], [summarize_forgetting(run) for run in group.runs]
    seeds = ", ".join(str(run.seed) for run in group.runs)
    heading = f"{group.name}, seed {seeds}: balanced accuracy in %"
    columns = [f"cycle {cycle + 1}" for cycle in range(first.cycles)]
    if first.cycles > 1:
        columns.append(f"{first.cycles} minus 1")
    lines = [[heading, *columns]]
    for name, words in SUMMARIES.items():
        by_column = zip(*(_with_change(one[name]) for one in found), strict=True)
        lines.append([words, *map(_format, by_column)])
    return "\n".join([align_columns(lines), *filter(None, map(_unfinished, group.runs))])


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


def _unfinished(run: ForgettingRun) -> str:
    step = run.rows[-1]["step"]
    return (
        "" if step == run.total else f"note: {run.root} is at iteration {step:,} of {run.total:,}"
    )


def _schedule(run: ForgettingRun) -> tuple[object, ...]:
    return run.classes, run.per_task, run.cycles


def _name(run: ForgettingRun, varying: Sequence[str]) -> str:
    weight = run.settings["rotation"]
    name = "without rotation" if weight == 0 else f"rotation loss x {weight:g}"
    others = [f"{name} {run.settings.get(name)}" for name in varying if name != "rotation"]
    return ", ".join([name, *others])


def _refuse_equal_runs(runs: Sequence[ForgettingRun]) -> None:
    for one, other in pairwise(runs):
        if one.seed == other.seed:
            raise UserError(
                f"{one.root} and {other.root} have the same settings and seed {one.seed}: give one"
            )
