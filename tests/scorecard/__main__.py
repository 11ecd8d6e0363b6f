"""Print which promises are kept: id, promise, tests, seconds, evidence.

    python -m tests.scorecard [ID ...] [--mutants] [--long] [--jobs 2] [--out FILE.json]

An ID is a promise (C1) or a section (C). `--mutants` plants the fault of every promise in a copy
of the package, and its tests must fail. `--long` adds the nightly part: mutants, 500 kills at
random instants, and half an hour of random faults. `--out` writes the page beside the JSON. Exit
code 1 when a promise is broken or a planted fault was not seen.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import pytest

from ssgan.files.environment import describe_environment
from tests.scorecard.inputs import INPUTS
from tests.scorecard.long_runs import run_long
from tests.scorecard.measures import MEASURES
from tests.scorecard.mutants import Outcome, run_mutants
from tests.scorecard.page import Result, line_of, page_of, row_of, summary_of
from tests.scorecard.runs import RUNS
from tests.scorecard.security import SECURITY

PROMISES = (*INPUTS, *RUNS, *MEASURES, *SECURITY)


class _Collector:
    """What every test said: whether it passed, its seconds, and what it recorded."""

    def __init__(self) -> None:
        self.results: dict[str, Result] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.partition("[")[0].removeprefix("tests/")
        last = self.results.get(name, Result())
        recorded = report.user_properties if report.when == "call" else []
        self.results[name] = Result(
            last.passed and report.passed,  # what was skipped was not seen to hold
            last.seconds + report.duration,
            last.cases + (report.when == "call"),
            (*last.evidence, *(f"{key}: {value}" for key, value in recorded)),
        )


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    wanted = {word.upper() for word in options.ids}
    promises = [p for p in PROMISES if not wanted or wanted & {p.id, p.id[0]}]
    if not promises:
        print(f"no promise {' '.join(options.ids)}: give A to H, or A1 to H8", file=sys.stderr)
        return 2
    if options.long:
        os.environ["SSGAN_LONG"] = "1"  # more mutants of stored files
    collector = _Collector()
    tests = {t for p in promises for t in (*p.tests, *([p.plants] if p.plants else []))}
    if tests:
        words = ["-q", "--no-header", "-p", "no:cacheprovider", "-n", str(options.jobs)]
        pytest.main([*words, *(f"tests/{test}" for test in sorted(tests))], plugins=[collector])
    rows = [row_of(promise, collector.results) for promise in promises]
    print(*map(line_of, rows), sep="\n")
    outcomes: list[Outcome] = []
    if options.mutants or options.long:
        outcomes = run_mutants(promises, options.jobs, _print_outcome)
    extra, passed = run_long() if options.long else ([], True)
    print(summary_of(rows))
    if options.out:
        _write(options.out, rows, outcomes, extra)
    broken = any(row["kept"] is False for row in rows)
    return int(broken or not passed or not all(outcome.killed for outcome in outcomes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.scorecard", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("ids", nargs="*", metavar="ID", help="promises or sections; default: all")
    parser.add_argument("--mutants", action="store_true", help="plant the fault of every promise")
    parser.add_argument("--long", action="store_true", help="the nightly part as well")
    parser.add_argument("--jobs", type=int, default=2, help="tests or mutants at once")
    parser.add_argument("--out", type=Path, help="JSON file; the page is written beside it as .md")
    return parser


def _print_outcome(outcome: Outcome) -> None:
    state = "seen" if outcome.killed else "NOT SEEN"
    print(f"{outcome.promise:4} {state:8} {outcome.seconds:6.1f} s  {outcome.words}", flush=True)


def _processor() -> str:
    """The processor's name and the number of cores that this process may use."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        name = next(line for line in text.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        name = f":{platform.processor() or platform.machine()}"
    return f"{name.partition(':')[2].strip()}, {os.cpu_count()} cores"


def _write(
    path: Path, rows: list[dict[str, Any]], outcomes: list[Outcome], extra: list[str]
) -> None:
    environment = describe_environment("cpu", "float32")
    mutants = [{**o._asdict(), "mutant": vars(o.mutant)} for o in outcomes]
    table = {"environment": environment, "promises": rows, "mutants": mutants}
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    head = [
        f"Command: `python -m tests.scorecard {' '.join(sys.argv[1:])}`. Commit "
        f"{environment['commit']}, torch {environment['torch']}, {_processor()}."
    ]
    path.with_suffix(".md").write_text(page_of(rows, outcomes, extra, head), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
