"""The watch: reads what is logged anyway and says how a run is doing, in plain words.

It is a fold over the lines of log.jsonl and metrics.jsonl and keeps nothing else: from the files
alone, or line by line during the run, it says the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ssgan.files.layout import RunLayout
from ssgan.training.alarms import ALARMS, EASED, State
from ssgan.training.logged import log_lines, metric_lines
from ssgan.training.quality import DIVERSITY, FD
from ssgan.training.trace import Row, Trace, in_order

_ENOUGH = 3  # evaluations, or without any blocks of the log, before a run is called healthy
_WORST_FIRST: tuple[State, ...] = ("diverged", "collapsing", "forgetting")


@dataclass(frozen=True)
class Verdict:
    """How a run is doing."""

    state: State
    since: int  # the step from which on it is so
    evidence: tuple[str, ...]  # sentences


@dataclass(frozen=True)
class Event:
    """An alarm that was raised, or a verdict that became another."""

    step: int
    alarm: str | None  # None: the verdict changed without one, for the better
    verdict: State
    evidence: tuple[str, ...]

    def row(self) -> dict[str, object]:
        """The line for events.jsonl."""
        evidence = list(self.evidence)
        alarm = {} if self.alarm is None else {"alarm": self.alarm}
        return {"step": self.step, "verdict": self.verdict, **alarm, "evidence": evidence}


class Watch:
    """Is asked after every line; each alarm is raised once, until things are clearly better."""

    def __init__(self) -> None:
        self.trace = Trace()
        self._active: dict[str, str] = {}  # alarms raised, with their newest evidence
        self._held: dict[str, int] = {}  # how often in a row a rule held that has not raised yet
        self.verdict = Verdict("too early to tell", 0, figures(self.trace))

    def log_line(self, row: Row) -> list[Event]:
        """A line of log.jsonl."""
        return self._look("log", self.trace.blocks[-1].last) if self.trace.add_line(row) else []

    def evaluation(self, rows: Sequence[Row]) -> list[Event]:
        """The lines of metrics.jsonl of one step."""
        if not rows:
            return []
        self.trace.add_look(rows)
        return self._look("evaluation", self.trace.looks[-1].step)

    @property
    def sound(self) -> bool:
        """Whether the run is healthy and no rule has even begun to hold against it."""
        return self.verdict.state == "healthy" and not self._suspected()

    def _suspected(self) -> bool:
        """Whether a rule holds that has not yet held often enough."""
        return any(self._held.get(alarm.name) for alarm in ALARMS if alarm.verdict != "healthy")

    def _look(self, reads: Literal["log", "evaluation"], step: int) -> list[Event]:
        raised = []
        for alarm in ALARMS:
            if alarm.reads != reads:
                continue
            active = alarm.name in self._active
            sentence = alarm.rule(self.trace, EASED if active else 1.0)
            if active:
                if sentence is None:
                    del self._active[alarm.name]
                else:
                    self._active[alarm.name] = sentence
                continue
            self._held[alarm.name] = 0 if sentence is None else self._held.get(alarm.name, 0) + 1
            if sentence is not None and self._held[alarm.name] >= alarm.times:
                self._held[alarm.name] = 0
                self._active[alarm.name] = sentence
                raised.append((alarm.name, sentence))
        before, state = self.verdict, self._now()
        since = before.since if before.state == state else step
        self.verdict = Verdict(state, since, self._reasons(state))
        events = [Event(step, name, state, (words,)) for name, words in raised]
        if not raised and before.state != state:
            events.append(Event(step, None, state, self.verdict.evidence))
        return events

    def _now(self) -> State:
        standing = {alarm.verdict for alarm in ALARMS if alarm.name in self._active}
        for state in _WORST_FIRST:
            if state in standing:
                return state
        if self.verdict.state != "too early to tell":
            return "healthy"
        enough = (len(self.trace.looks) or len(self.trace.blocks)) >= _ENOUGH
        return "healthy" if enough and not self._suspected() else "too early to tell"

    def _reasons(self, state: State) -> tuple[str, ...]:
        """The evidence of all alarms that stand, worst first; of a healthy run, its figures."""
        order = {name: place for place, name in enumerate((*_WORST_FIRST, "healthy"))}
        standing = [alarm for alarm in ALARMS if alarm.name in self._active]
        standing.sort(key=lambda alarm: order[alarm.verdict])
        words = tuple(self._active[alarm.name] for alarm in standing)
        return words if state in _WORST_FIRST else (*figures(self.trace), *words)


def figures(trace: Trace) -> tuple[str, ...]:
    """What the newest evaluation and block of the log say, one short sentence each."""
    said = []
    if points := trace.points(FD):
        step, best = min(points, key=lambda point: point[1])
        newest = "its best so far" if best == points[-1][1] else f"best {best:.3g} at step {step}"
        said.append(f"FD-random is {points[-1][1]:.3g} ({newest})")
    if points := trace.points(DIVERSITY):
        said.append(f"generated images are {points[-1][1]:.0%} as diverse as real ones")
    for name, what in (
        ("rotation_accuracy", "turns of fixed real images are told in"),
        ("probe_accuracy", "classes are told from D's features in"),
    ):
        if points := trace.points(name):
            said.append(f"{what} {points[-1][1]:.0%} of cases")
    if not trace.looks:
        if trace.blocks and (mean := trace.blocks[-1].mean("D/adversarial")) is not None:
            said.append(f"D's loss is {mean:.3g}")
        said.append("nothing was evaluated (evaluate.every), so the log alone was read")
    elif len(trace.looks) < _ENOUGH:
        said.append(f"evaluations so far: {len(trace.looks)}, of the {_ENOUGH} that are needed")
    return tuple(said)


def watch_files(layout: RunLayout) -> Watch:
    """The watch after everything in a run's directory."""
    watch = Watch()
    for line, measures in in_order(log_lines(layout), metric_lines(layout)):
        if line is not None:
            watch.log_line(line)
        watch.evaluation(measures)
    return watch
