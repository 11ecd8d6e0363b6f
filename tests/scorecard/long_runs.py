"""The nightly commands: runs that are killed, and half an hour of random faults."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.scorecard.mutants import ROOT

Figures = Mapping[str, Any]


class LongRun(NamedTuple):
    """A command that writes its figures into a file, whose path is added to its words."""

    title: str
    words: tuple[str, ...]
    lines: Callable[[Figures], list[str]]  # the figures as lines of a page


def kill_lines(figures: Figures) -> list[str]:
    """Runs, kills and equal digests, of random kills and of those at every point of a save."""
    lines = ["| killed | runs | kills sent | landed | equal digests |", "|---|---|---|---|---|"]
    for name in ("all, at random", "every point"):
        row = figures[name]
        lines.append(
            f"| {name} | {row['runs']} | {row['sent']} | {row['landed']} | {row['equal']} |"
        )
    return lines


def soak_lines(figures: Figures) -> list[str]:
    """Runs with the digest of an undisturbed one, and the faults by kind."""
    runs, equal = figures["runs"], figures["equal"]
    lines = [
        f"{equal} of {runs} runs ended with the digest of the undisturbed run "
        f"(`{figures['digest'][:16]}`), after {figures['commands']} starts of the command in "
        f"{figures['seconds'] / 60:.0f} minutes. Seed {figures['seed']}.",
        "",
        *("| fault | sent | landed |", "|---|---|---|"),
    ]
    faults = figures["faults"].items()
    return lines + [f"| {kind} | {one['sent']} | {one['landed']} |" for kind, one in faults]


LONG = (
    LongRun(
        "250 runs, each killed twice",
        ("benchmarks/kill_harness.py", "--runs", "250", "--json"),
        kill_lines,
    ),
    LongRun(
        "Half an hour of random faults",
        ("benchmarks/soak.py", "--minutes", "30", "--out"),
        soak_lines,
    ),
)


def run_long(runs: tuple[LongRun, ...] = LONG) -> tuple[list[str], bool]:
    """Run them one after another; the lines of the page, and whether all passed."""
    page, passed = ["## Long runs", ""], True
    for run in runs:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "figures.json"
            done = subprocess.run(
                [sys.executable, *run.words, str(file)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
            figures = json.loads(file.read_text()) if file.exists() else None
        failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
        passed = passed and done.returncode == 0 and figures is not None
        state = "passed" if done.returncode == 0 else f"**FAILED** (exit code {done.returncode})"
        lines = [f"{run.title}: {state}", "", *failed]
        lines += [] if figures is None else run.lines(figures)
        print(*lines, sep="\n", flush=True)
        page += [*lines, ""]
    return page, passed
