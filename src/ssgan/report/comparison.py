"""Several runs side by side: settings that differ, how they do, and scores of one protocol."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ssgan.config.merge import read_json
from ssgan.config.schema import value_text
from ssgan.config.serialize import dump, flatten
from ssgan.evaluation.format import format_value
from ssgan.evaluation.probe.tables import align_columns
from ssgan.evaluation.results import Result, read_results, require_comparable
from ssgan.evaluation.selection_metric import DIVERSITY, SELECTION_METRICS
from ssgan.files.names import readable
from ssgan.files.run_directory import RunDirectory
from ssgan.runs.config import RunConfig
from ssgan.training.history import read_log, read_metrics
from ssgan.training.monitor import monitor_directory
from ssgan.training.resume import read_run_config
from ssgan.types import UserError

_ABSENT = "-"
_UNCOMPARED = ("step", "name", "value")  # of a line of metrics.jsonl; the rest is its protocol


class ComparedRun(NamedTuple):
    """A run directory with its settings."""

    layout: RunDirectory
    config: RunConfig


def open_run(path: Path, trusted: Sequence[str] = ()) -> ComparedRun:
    """The run in a directory; UserError where there is none, or it needs a module not trusted."""
    layout = RunDirectory(path)
    config = read_run_config(layout, trusted)
    if config is None:
        words = f"it has neither {layout.config.name} nor a whole checkpoint"
        raise UserError(f"{path} is not a run directory: {words}")
    return ComparedRun(layout, config)


def name_runs(paths: Sequence[Path]) -> list[str]:
    """A short name for each run: the name of its directory, or its path where two are equal."""
    names = [path.resolve().name for path in paths]
    whole = len(set(names)) < len(names)
    return [readable(str(path) if whole else name) for path, name in zip(paths, names, strict=True)]


class Comparison(NamedTuple):
    """What is put side by side: rows of a cell for each run, after their name."""

    names: list[str]  # of the runs
    settings: list[list[str]]  # that differ
    facts: list[list[str]]  # steps, verdicts and scores of one protocol
    notes: list[str]  # why others are not side by side


def compare_runs(runs: Sequence[ComparedRun]) -> Comparison:
    """The settings in which two runs or more differ, how they do, and their scores."""
    names = name_runs([run.layout.root for run in runs])
    settings = list(_differing_settings([run.config for run in runs]))
    scores, notes = _own_scores(runs, names)
    found, more = _evaluated_scores(runs)
    facts = [["step", *map(_step, runs)], ["health", *map(_health, runs)], *scores, *found]
    return Comparison(names, settings, facts, [*notes, *more])


def format_runs(runs: Sequence[ComparedRun]) -> list[str]:
    """The comparison of two runs or more: two tables, and lines on what is in neither."""
    names, settings, facts, notes = compare_runs(runs)
    table = align_columns([["setting", *names], *settings]) if settings else "no setting differs"
    return [table, "", align_columns([["", *names], *facts]), *notes]


def _differing_settings(configs: Sequence[RunConfig]) -> Iterator[list[str]]:
    """A row for each setting in which not all configs agree; a class has the name of its field."""
    tables = [flatten(dump(config)) for config in configs]
    names = list(dict.fromkeys(name for table in tables for name in table))
    parts = list(dict.fromkeys(name.split(".")[0] for name in names))
    for name in sorted(names, key=lambda one: parts.index(one.split(".")[0])):
        cells = [_cell(name, table) for table in tables]
        if len(set(cells)) > 1:
            yield [name.removesuffix(".kind"), *cells]


def _cell(name: str, table: Mapping[str, object]) -> str:
    if name not in table:
        return _ABSENT
    value = table[name]
    return str(value).rpartition(":")[2] if name.endswith("kind") else value_text(value)


def _step(run: ComparedRun) -> str:
    rows = read_log(run.layout)
    return f"{rows[-1]['step'] if rows else 0:,}/{run.config.total_steps:,}"


def _health(run: ComparedRun) -> str:
    return monitor_directory(run.layout, run.config).verdict.state


def _own_scores(
    runs: Sequence[ComparedRun], names: Sequence[str]
) -> tuple[list[list[str]], list[str]]:
    """Rows of the newest values that the runs themselves computed, and why others have none."""
    rows, notes = [], []
    for metric in (*SELECTION_METRICS.values(), DIVERSITY):
        newest = [_newest(run, metric) for run in runs]
        if sum(row is not None for row in newest) < 2:
            continue
        known = [(name, row) for name, row in zip(names, newest, strict=True) if row is not None]
        (first, first_row), *others = known
        unlike = [
            f"{first} and {name} differ in {words}"
            for name, row in others
            if (words := _difference(first_row, row))
        ]
        if unlike:
            notes.append(f"{metric} is not side by side: {'; '.join(unlike)}")
            continue
        cells = [
            _ABSENT if row is None else f"{row['value']:.3f} at {row['step']:,}" for row in newest
        ]
        rows.append([metric, *cells])
    return rows, notes


def _newest(run: ComparedRun, metric: str) -> dict[str, object] | None:
    """The newest finite value of a metric, as a line with the identity of its real images."""
    rows = [row for row in read_metrics(run.layout) if row["name"] == metric]
    finite = [row for row in rows if row["value"] is not None]
    if not finite:
        return None
    content = None
    if run.layout.manifest.exists():
        content = read_json(run.layout.manifest).get("content_hash")
    return {**finite[-1], "real images": str(content)[:12]}


def _difference(a: Mapping[str, object], b: Mapping[str, object]) -> str:
    """The entries of two protocols that differ, in words; empty: the values compare."""
    names = [name for name in {**a, **b} if name not in _UNCOMPARED]
    return ", ".join(
        f"{name} ({_short(a.get(name))} against {_short(b.get(name))})"
        for name in names
        if a.get(name) != b.get(name)
    )


def _short(value: object) -> str:
    return "none" if value is None else str(value)[:12]


def _evaluated_scores(runs: Sequence[ComparedRun]) -> tuple[list[list[str]], list[str]]:
    """Rows of the results of `ssgan evaluate` that two runs have with one protocol, and notes."""
    rows, notes, groups = [], [], list[list[tuple[int, Result]]]()
    for number, run in enumerate(runs):
        results, damaged = read_stored(run.layout)
        notes += damaged
        for result in results:
            group = next((one for one in groups if _compares(one[0][1], result)), None)
            if group is None:
                groups.append([(number, result)])
            else:
                group.append((number, result))
    alone = 0
    for group in groups:
        newest = dict(group)  # of several states of a run the latest
        if len(newest) < 2:
            alone += 1
            continue
        protocol = group[0][1].protocol
        title = f"{group[0][1].name}, {protocol.num_fake:,} against {group[0][1].against}"
        cells = [_result_cell(newest.get(number)) for number in range(len(runs))]
        rows.append([title, *cells])
    if alone:
        notes.append(
            f"not side by side: {alone} of the results of ssgan evaluate, because no other run "
            "here has one of the same protocol"
        )
    return rows, notes


def read_stored(layout: RunDirectory) -> tuple[list[Result], list[str]]:
    """All results in a run directory, in the order of their steps, and sentences on damage."""
    results, damaged = list[Result](), list[str]()
    for path in sorted(layout.evaluation.glob("*/results.jsonl")):
        try:
            results += read_results(path)
        except UserError as error:
            damaged.append(str(error))
    return sorted(results, key=_state), damaged


def _state(result: Result) -> int:
    """The step of the state that was evaluated; 0 where the subject does not say."""
    word = result.subject.rpartition(", step ")[2]
    return int(word) if word.isdecimal() else 0


def _compares(a: Result, b: Result) -> bool:
    if a.name != b.name:
        return False
    with suppress(UserError):
        require_comparable(a, b)
        return True
    return False


def _result_cell(result: Result | None) -> str:
    if result is None:
        return _ABSENT
    return f"{format_value(result)} at {_state(result):,}"
