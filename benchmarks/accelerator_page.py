"""The page of `accelerator.py`: what it ran on, a verdict and tables for each part."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from benchmarks.isolation import Measure, Row

FIRST_EXPECTED = 0.02  # largest difference of the first step's losses, in bfloat16 or compiled
FACTS = ("device", "device_name", "driver", "runtime", "memory_bytes", "processor_features",
         "threads", "torch", "python", "ssgan", "commit", "failure")  # fmt: skip
NO_ACCELERATOR = (
    "**No accelerator took part: the CPU took its place.** Every figure on this page is a CPU's; "
    "none says anything about a GPU."
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the check."""

    name: str
    about: str  # a sentence for the page
    measure: Measure
    share: float  # of the time
    columns: tuple[str, ...]  # of its tables, beside what was measured
    judge: Callable[[list[Row]], str]  # a verdict from rows with numbers: one sentence


@dataclass(kw_only=True)
class Result:
    """What came of a part."""

    part: Part
    rows: list[Row] = field(default_factory=list)
    failure: str | None = None  # why it ended early
    skipped: str | None = None  # why it was not begun
    budget: float = 0.0  # seconds
    seconds: float = 0.0

    def verdict(self) -> str:
        """One sentence: pass, differs, failed or skipped, and why."""
        if self.skipped is not None:
            return f"skipped: {self.skipped}"
        good = [row for row in self.rows if "note" not in row]
        notes = [f"{row['what']}: {row['note']}" for row in self.rows if "note" in row]
        found = self.part.judge(good) if good else ""
        if self.failure is not None:
            measured = f"; before that: {found}" if found else ""
            return f"failed: {self.failure}{measured}"
        bad = [note for note in notes if ": failed: " in note]
        if bad:
            measured = f"; of the rest: {found}" if found else ""
            return f"failed: {bad[0].replace(': failed: ', ', ')}{measured}"
        if not found:
            return f"skipped: {'; '.join(notes) or 'nothing was measured'}"
        left_out = sum("skipped" in note for note in notes)
        return found + (f"; no time was left for {left_out} more" if left_out else "")

    def as_json(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        names = ("rows", "failure", "skipped", "budget", "seconds")
        values = {name: getattr(self, name) for name in names}
        return {"part": self.part.name, "verdict": self.verdict(), **values}

    def tables(self) -> list[list[Row]]:
        """The rows, cut into tables of the same columns."""
        cut = [_shown(row, self.part.columns) for row in self.rows]
        return [list(rows) for _, rows in groupby(cut, key=list)]


def _shown(row: Row, columns: tuple[str, ...]) -> Row:
    names = [name for name in ("what", *columns, "note") if name in row]
    return {name: "-" if row[name] is None else row[name] for name in names}


def judge_parity(rows: list[Row]) -> str:
    """Against what each row expects."""
    names = ("five steps", "gradients", "vectors", "features")
    found = [(row[name], name, row) for row in rows for name in names if name in row]
    beyond = [f for f in found if not f[0] <= f[2]["expected"]]  # NaN is beyond
    if beyond:
        value, name, row = max(beyond, key=lambda f: f[0])
        return f"differs by {value:.2g} ({name} of {row['what']}), beyond {row['expected']:g}"
    doubles = [value for value, _, row in found if row["expected"] < 1e-5]
    largest = f"{max(doubles):.2g} in float64" if doubles else "within what is expected"
    return f"pass: the largest relative difference is {largest}"


def judge_precision(rows: list[Row]) -> str:
    """The first losses against a bound; later ones drift apart in any arithmetic."""
    ratios = [f"{row['ratio']:.2f} in {row['what']}" for row in rows if "ratio" in row]
    words = [f"contiguous tensors take {', '.join(ratios)} times as long"] if ratios else []
    losses = [row for row in rows if "difference" in row]
    first = losses[0]["difference"] if losses else 0.0
    if losses:
        later = f"{losses[-1]['difference']:.2g} at {losses[-1]['what']}"
        words.insert(0, f"bfloat16's losses differ by {first:.2g} at step 1 and {later}")
    return f"{'pass' if first <= FIRST_EXPECTED else 'differs'}: {'; '.join(words)}"


def judge_speed(rows: list[Row]) -> str:
    """The first network in its fastest precision."""
    first = [row for row in rows if row["what"] == rows[0]["what"]]
    best = min(first, key=lambda row: row["seconds"])
    return (
        f"pass: {best['what']} at width {best['width']:g} takes {best['seconds']:.3g} s a step in "
        f"{best['precision']}, {100 * best['share']:.0f} % of its matrix ceiling"
    )


def judge_compiled(rows: list[Row]) -> str:
    """Whether the first losses agree, and how much faster it is."""
    words = ", ".join(
        f"{row['what']}: {row['ratio']:.2f} times the steps after {row['compiling']:.0f} s"
        for row in rows
    )
    worst = max(row["difference"] for row in rows)
    return f"pass: {words}" if worst <= FIRST_EXPECTED else f"differs by {worst:.2g}: {words}"


def judge_processes(rows: list[Row]) -> str:
    """What a second process adds."""
    words = ", ".join(f"{row['gain']:.2f} times the steps ({row['what']})" for row in rows)
    return f"pass: two processes at once take {words} of one alone"


def judge_recipe(rows: list[Row]) -> str:
    """How far it came; a number that is not finite ends it as a failure."""
    last, rate = rows[-1], rows[-1].get("real images/s")
    speed = f" at {rate:.0f} real images/s" if rate else ""
    return f"pass: {last['step']} steps{speed}, every number finite"


def page(header: dict[str, Any], results: Iterable[Result]) -> str:
    """The whole page, in Markdown."""
    results, facts = list(results), header["environment"]
    device = str(facts.get("device", "unknown"))
    on = facts.get("device_name", device)
    name = "the CPU in the accelerator's place" if device == "cpu" else f"{on} ({device})"
    lines = [f"# Accelerator check: {name}", ""]
    if device == "cpu":
        lines += [NO_ACCELERATOR, ""]
    lines += [f"`python benchmarks/accelerator.py {header['command']}`, {header['date']}", ""]
    lines += _markdown([{"": key, "value": facts[key]} for key in FACTS if facts.get(key)])
    lines += ["", "A part ends when its time is over, and what it measured until then is kept."]
    lines += [
        "Seconds are minima. A width below 1 is the share of the channels whose steps fitted."
    ]
    lines += ["", *_markdown(
        {"part": r.part.name, "verdict": r.verdict(), "seconds": r.seconds} for r in results
    )]  # fmt: skip
    for number, result in enumerate(results, 1):
        lines += ["", f"## {number}. {result.part.name}", "", result.part.about]
        lines += ["", f"On {device}. {result.verdict()[0].upper()}{result.verdict()[1:]}."]
        for rows in result.tables():
            lines += ["", *_markdown(rows)]
    return "\n".join(lines) + "\n"


def _markdown(rows: Iterable[Row]) -> list[str]:
    rows = list(rows)
    names = list(rows[0])
    body = [f"| {' | '.join(_cell(value) for value in row.values())} |" for row in rows]
    return [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}", *body]


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value).replace("|", "/")
