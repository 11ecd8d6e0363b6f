"""Plant a fault in a copy of the package, and see whether the tests of its promise fail."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.scorecard.faults import FAULTS
from tests.scorecard.promise import Mutant, Promise

ROOT = Path(__file__).parents[2]
_FAILED, _TIMEOUT = 1, 400  # exit code of pytest for failed tests; seconds


class Outcome(NamedTuple):
    """What the tests said about a planted fault."""

    promise: str
    mutant: Mutant
    killed: bool
    seconds: float
    words: str  # the test that failed, or what happened instead


def run_mutants(
    promises: Sequence[Promise], jobs: int, report: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run every mutant of these promises, `jobs` at a time; `report` gets each outcome."""
    work = [(promise, mutant) for promise in promises for mutant in FAULTS.get(promise.id, ())]

    def one(pair: tuple[Promise, Mutant]) -> Outcome:
        outcome = _run(*pair)
        report(outcome)
        return outcome

    with ThreadPoolExecutor(jobs) as threads:
        return list(threads.map(one, work))


def plant(mutant: Mutant, source: Path) -> None:
    """Write the fault into the package at `source`; ValueError unless its text occurs once."""
    path = source / "ssgan" / mutant.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file}: {text.count(mutant.old)} times {mutant.old!r}")
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")


def _run(promise: Promise, mutant: Mutant) -> Outcome:
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        ignored = shutil.ignore_patterns("__pycache__")
        for name in ("src", "tests", "benchmarks", "docs"):
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        for name in ("pyproject.toml", "README.md", "README.zh.md", "CONTRIBUTING.md"):
            shutil.copy2(ROOT / name, copy / name)
        plant(mutant, copy / "src")
        words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-n", "0"]
        words += ["-o", f"timeout={_TIMEOUT // 2}"]  # a test without an end has failed
        environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "OMP_NUM_THREADS": "1"}
        try:
            done = subprocess.run(
                [*words, *(f"tests/{test}" for test in promise.tests)],
                cwd=copy,
                env=environment,
                timeout=_TIMEOUT,
                capture_output=True,
                text=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(promise.id, mutant, False, time.monotonic() - start, "no end")
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    said = failed[0].split(" - ")[0] if failed else (done.stdout.splitlines() or ["nothing"])[-1]
    killed = done.returncode == _FAILED and bool(failed)
    return Outcome(promise.id, mutant, killed, time.monotonic() - start, said)
