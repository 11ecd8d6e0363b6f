"""The scorecard names tests that exist, and faults that can be planted."""

import ast
import json
from functools import cache
from pathlib import Path

import pytest

from tests.scorecard.__main__ import PROMISES
from tests.scorecard.faults import FAULTS
from tests.scorecard.long_runs import LongRun, kill_lines, run_long, soak_lines
from tests.scorecard.mutants import ROOT, plant
from tests.scorecard.page import Result, row_of, summary_of
from tests.scorecard.promise import Mutant, Promise

COUNTS = {"A": 15, "B": 7, "C": 15, "D": 8, "E": 10, "F": 12, "G": 12, "H": 8}


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_promise_is_there_once() -> None:
    expected = [f"{letter}{k}" for letter, count in COUNTS.items() for k in range(1, count + 1)]
    assert [promise.id for promise in PROMISES] == expected
    assert sum(promise.must for promise in PROMISES) == 73


def test_every_test_of_a_promise_exists() -> None:
    named = {test for p in PROMISES for test in (*p.tests, *([p.plants] if p.plants else []))}
    missing = {t for t in named if t.partition("::")[2] not in names_in(t.partition("::")[0])}
    assert missing == set()


def test_a_must_with_tests_has_a_fault_that_they_see() -> None:
    without = [p.id for p in PROMISES if p.must and p.tests and not (p.id in FAULTS or p.plants)]
    assert without == []


def test_a_promise_without_tests_says_why() -> None:
    assert [p.id for p in PROMISES if not p.tests and not p.limit] == []


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_can_be_planted(name: str) -> None:
    assert name in {promise.id for promise in PROMISES if promise.tests}
    for mutant in FAULTS[name]:
        text = (ROOT / "src" / "ssgan" / mutant.file).read_text(encoding="utf-8")
        assert text.count(mutant.old) == 1, mutant
        assert mutant.new != mutant.old
        ast.parse(text.replace(mutant.old, mutant.new))


def test_a_fault_that_fits_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ssgan").mkdir()
    (tmp_path / "ssgan" / "a.py").write_text("x = 1\ny = 1\n")
    with pytest.raises(ValueError, match="2 times"):
        plant(Mutant("a.py", "= 1", "= 2"), tmp_path)
    plant(Mutant("a.py", "x = 1", "x = 2"), tmp_path)
    assert (tmp_path / "ssgan" / "a.py").read_text() == "x = 2\ny = 1\n"


def test_a_promise_is_kept_when_all_of_its_tests_passed() -> None:
    promise = Promise("A1", "words", ("a", "b"))
    passed, failed = Result(cases=2, evidence=("kills: 3",)), Result(passed=False)
    assert row_of(promise, {"a": passed, "b": passed})["kept"] is True
    assert row_of(promise, {"a": passed, "b": passed})["evidence"] == "4 cases; kills: 3"
    assert row_of(promise, {"a": passed, "b": failed})["failed"] == ["b"]
    assert row_of(promise, {"a": passed})["kept"] is False  # the other was not found
    untested = row_of(Promise("A2", "words", must=False), {})
    assert untested["kept"] is None
    rows = [row_of(promise, {"a": passed, "b": passed}), untested]
    assert summary_of(rows) == "1 of 2 promises are kept (1 of 1 musts); not tested: A2"


def test_a_long_run_is_a_few_figures_and_its_failure_is_shown() -> None:
    tally = {"runs": 8, "sent": 16, "landed": 15, "equal": 7}
    kills = json.dumps({"seed": 0, "gan": tally, "all, at random": tally, "every point": tally})
    write = "import sys; open(sys.argv[1], 'w').write({!r}); print('FAILED: other bits'); exit({})"
    fails, passes = (("-c", write.format(kills, code)) for code in (1, 0))
    dies = ("-c", "exit(1)")
    page, passed = run_long((LongRun("kills", fails, kill_lines),))
    assert not passed
    assert "kills: **FAILED** (exit code 1)" in page
    assert "FAILED: other bits" in page
    assert "| all, at random | 8 | 16 | 15 | 7 |" in page
    assert len(page) < 12
    assert run_long((LongRun("kills", passes, kill_lines),))[1]
    assert not run_long((LongRun("kills", dies, kill_lines),))[1]


def test_the_faults_of_a_soak_are_shown_by_kind() -> None:
    figures = {"runs": 3, "equal": 2, "digest": "ab" * 32, "commands": 40, "seconds": 1800}
    counts = {"kill -9": {"sent": 5, "landed": 4}, "disk full": {"sent": 6, "landed": 6}}
    lines = soak_lines({**figures, "seed": 0, "faults": counts, "environment": {}})
    assert lines[0].startswith("2 of 3 runs ended with the digest of the undisturbed run (`abab")
    assert lines[-2:] == ["| kill -9 | 5 | 4 |", "| disk full | 6 | 6 |"]
