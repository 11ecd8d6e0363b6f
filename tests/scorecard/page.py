"""The scorecard as lines of a terminal and as a page."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tests.scorecard.mutants import Outcome
from tests.scorecard.promise import Promise

_STATES = {True: "kept", False: "BROKEN", None: "not tested"}


class Result(NamedTuple):
    """What all cases of a test said."""

    passed: bool = True
    seconds: float = 0.0
    cases: int = 0
    evidence: tuple[str, ...] = ()  # what the test recorded by `record_property`


def row_of(promise: Promise, results: Mapping[str, Result]) -> dict[str, Any]:
    """The state of a promise from the results of its tests."""
    names = [*promise.tests, *([promise.plants] if promise.plants else [])]
    found = {name: results.get(name) for name in dict.fromkeys(names)}
    known = [result for result in found.values() if result is not None]
    kept = len(known) == len(found) and all(result.passed for result in known)
    cases = sum(result.cases for result in known)
    words = [word for result in known for word in result.evidence]
    return {
        "id": promise.id,
        "must": promise.must,
        "promise": promise.words,
        "tests": list(promise.tests),
        "kept": kept if promise.tests else None,
        "seconds": round(sum(result.seconds for result in known), 2),
        "evidence": "; ".join(dict.fromkeys([*([f"{cases} cases"] if cases else []), *words])),
        "failed": [name for name, result in found.items() if result is None or not result.passed],
        "limit": promise.limit,
    }


def line_of(row: Mapping[str, Any]) -> str:
    """One line: id, state, seconds, promise, evidence."""
    first = f"{row['id']:4} {'M' if row['must'] else 'S'} {_STATES[row['kept']]:10}"
    notes = [row["evidence"], *(f"failed: {test}" for test in row["failed"])]
    notes += [row["limit"]] if row["limit"] else []
    said = f" ({'; '.join(note for note in notes if note)})" if any(notes) else ""
    return f"{first} {row['seconds']:6.1f} s  {row['promise']}{said}"


def summary_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many promises are kept, in one sentence."""
    kept = sum(row["kept"] is True for row in rows)
    must = [row for row in rows if row["must"]]
    kept_must = sum(row["kept"] is True for row in must)
    untested = [row["id"] for row in rows if row["kept"] is None]
    said = f"; not tested: {', '.join(untested)}" if untested else ""
    return f"{kept} of {len(rows)} promises are kept ({kept_must} of {len(must)} musts){said}"


def page_of(
    rows: Sequence[Mapping[str, Any]],
    outcomes: Sequence[Outcome],
    extra: Sequence[str],
    head: Sequence[str],
) -> str:
    """The page: a table of the promises, then the mutants, then the long runs."""
    lines = ["# Scorecard", "", *head, "", f"**{summary_of(rows)}.**", ""]
    lines += ["M is a must of a release, S should be kept.", ""]
    lines += ["| id | | promise | state | seconds | evidence | tests |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for row in rows:
        tests = "<br>".join(f"`{test}`" for test in row["tests"]) or "none"
        evidence = "; ".join(word for word in (row["evidence"], row["limit"]) if word)
        kind, state = "M" if row["must"] else "S", _STATES[row["kept"]]
        lines.append(
            f"| {row['id']} | {kind} | {row['promise']} | {state} | {row['seconds']} | {evidence} "
            f"| {tests} |"
        )
    if outcomes:
        seen = sum(outcome.killed for outcome in outcomes)
        lines += ["", "## Planted faults", ""]
        lines += [f"{seen} of {len(outcomes)} planted faults failed a test of their promise.", ""]
        lines += ["| id | file | fault | seen by |", "|---|---|---|---|"]
        for promise, mutant, killed, _, words in outcomes:
            fault = f"{_code(mutant.old)} becomes {_code(mutant.new)}"
            by = words.removeprefix("FAILED tests/") if killed else f"**not seen** ({words})"
            lines.append(f"| {promise} | {mutant.file} | {fault} | {by} |")
    return "\n".join([*lines, "", *extra]).rstrip() + "\n"


def _code(text: str) -> str:
    return "`" + " ".join(text.split()).replace("|", "\\|") + "`" if text.strip() else "nothing"
