"""`ssgan runs [DIR]`: lists the runs below a folder, from their small files alone."""

import json
import sys
import time
from pathlib import Path

from ssgan.cli.options import Runs
from ssgan.cli.progress import open_progress_bar
from ssgan.config.text import spell_duration
from ssgan.evaluation.probe.tables import align_columns
from ssgan.files.names import readable
from ssgan.report.listing import RunSummary, find_runs, read_summary
from ssgan.types import UserError

_WIDEST = 40  # characters of the images' name in the table
_NAMED = 5  # folders named in the last line
_LINE_SECONDS = 5.0  # between lines of a long search


def runs(given: Runs) -> int:
    """Print the runs, the newest first; returns the exit code."""
    root = given.folder or Path("runs")
    if not root.is_dir():
        if given.folder is None and not root.exists():
            print(json.dumps({"runs": [], "not_listed": []}) if given.json else _NO_RUNS)
            return 0
        raise UserError(f"{root} is no folder: give the folder that holds your runs")
    found, summaries = find_runs(root, _Search(root).count), []
    with open_progress_bar("reading runs", unit="runs") as progress:
        for number, path in enumerate(found.runs, start=1):
            try:
                summaries.append(read_summary(path))
            except (UserError, OSError) as error:
                found.others.append((path, str(error)))
            if number % 20 == 0:
                progress(number, len(found.runs))
    summaries.sort(key=lambda one: (-one.changed, one.path))
    now = time.time()
    if given.json:
        others = [{"path": readable(path), "reason": why} for path, why in found.others]
        listed = [one.as_json(now) for one in summaries]
        print(json.dumps({"runs": listed, "not_listed": others}, indent=2))
        return 0
    print(_format_table(root, summaries, now) if summaries else _NO_RUNS)
    if found.others:
        print(_describe_others(found.others))
    return 0


class _Search:
    """Says every few seconds how many folders were searched: a home folder has many."""

    def __init__(self, root: Path) -> None:
        self._root, self._folders, self._next_line = root, 0, time.monotonic() + _LINE_SECONDS

    def count(self) -> None:
        """Count a folder, and print the line when it is time."""
        self._folders += 1
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_SECONDS
            line = f"searching {readable(self._root)}: {self._folders:,} folders so far"
            print(line, file=sys.stderr, flush=True)


_NO_RUNS = "no runs here yet; `ssgan demo` trains a first one in runs/demo"


def _format_table(root: Path, runs: list[RunSummary], now: float) -> str:
    head = ["run", "method", "data", "step", "health", "best", "age", "to continue"]
    rows = [head] + [_format_row(root, one, now) for one in runs]
    return align_columns(rows)


def _format_row(root: Path, run: RunSummary, now: float) -> list[str]:
    name = run.path.name if run.path == root else str(run.path.relative_to(root))
    data = run.data if len(run.data) <= _WIDEST else f"...{run.data[3 - _WIDEST :]}"
    best = "-" if run.best is None else f"{run.score} {run.best:.3g} at {run.best_step:,}"
    state = "finished" if run.finished else run.command
    return [
        readable(name),
        run.method,
        data,
        f"{run.step:,}/{run.total_steps:,}",
        run.health,
        best,
        spell_duration(max(0.0, now - run.changed)),
        f"running: {run.process}" if run.process else state,
    ]


def _describe_others(others: list[tuple[Path, str]]) -> str:
    words = [f"{readable(path)} ({' '.join(reason.split())})" for path, reason in others[:_NAMED]]
    more = f", and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f"not listed: {', '.join(words)}{more}"
