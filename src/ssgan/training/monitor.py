"""The watch: reads what is logged anyway and says how a run is doing, in plain words.

It is a fold over the lines of log.jsonl and metrics.jsonl and keeps no other state, so it comes to
the same verdict from the files alone as line by line during the run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ssgan.evaluation.sample_quality import DIVERSITY
from ssgan.evaluation.selection_metric import SELECTION_METRICS
from ssgan.files.run_directory import RunDirectory
from ssgan.training.history import History, Row, merge_by_step, read_log, read_metrics
from ssgan.training.monitor_rules import ALARMS, CLEARING, State, constant_logits

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


class Monitor:
    """Takes each line as it is logged; an alarm is raised once, until things are clearly better."""

    def __init__(self) -> None:
        self.trace = History()
        self._active: dict[str, str] = {}  # alarms raised, with their newest evidence
        # how often in a row a rule held that has not raised yet, and its newest evidence
        self._held: dict[str, tuple[int, str]] = {}
        self.verdict = Verdict("too early to tell", 0, summarize(self.trace))

    def log_line(self, row: Row) -> list[Event]:
        """A line of log.jsonl."""
        return self._look("log", self.trace.blocks[-1].last) if self.trace.add_line(row) else []

    def evaluation(self, rows: Sequence[Row]) -> list[Event]:
        """The lines of metrics.jsonl of one step."""
        if not rows:
            return []
        self.trace.add_evaluation(rows)
        return self._look("evaluation", self.trace.evaluations[-1].step)

    @property
    def is_sound(self) -> bool:
        """Whether the run is healthy and no rule has even begun to hold against it."""
        return self.verdict.state == "healthy" and not self._suspected()

    def _suspected(self) -> bool:
        """Whether a rule holds that has not yet held often enough."""
        return any(alarm.name in self._held for alarm in ALARMS if alarm.verdict != "healthy")

    def _look(self, reads: Literal["log", "evaluation"], step: int) -> list[Event]:
        raised = []
        for alarm in ALARMS:
            if alarm.reads != reads or (alarm.adversarial_only and not self.trace.is_adversarial):
                continue
            active = alarm.name in self._active
            sentence = alarm.rule(self.trace, CLEARING if active else 1.0)
            if active:
                if sentence is None:
                    del self._active[alarm.name]
                else:
                    self._active[alarm.name] = sentence
                continue
            before, _ = self._held.pop(alarm.name, (0, ""))
            if sentence is None:
                continue
            self._held[alarm.name] = before + 1, sentence
            if before + 1 >= alarm.times:
                del self._held[alarm.name]
                self._active[alarm.name] = sentence
                raised.append((alarm.name, sentence))
        last, state = self.verdict, self._now()
        since = last.since if last.state == state else step
        self.verdict = Verdict(state, since, self._reasons(state))
        events = [Event(step, name, state, (words,)) for name, words in raised]
        if not raised and last.state != state:
            events.append(Event(step, None, state, self.verdict.evidence))
        return events

    def _now(self) -> State:
        standing = {alarm.verdict for alarm in ALARMS if alarm.name in self._active}
        for state in _WORST_FIRST:
            if state in standing:
                return state
        if self.verdict.state != "too early to tell":
            return "healthy"
        enough = (len(self.trace.evaluations) or len(self.trace.blocks)) >= _ENOUGH
        return "healthy" if enough and not self._suspected() else "too early to tell"

    def _reasons(self, state: State) -> tuple[str, ...]:
        """The evidence of all alarms that stand, worst first; of a healthy run, its figures."""
        order = {name: place for place, name in enumerate((*_WORST_FIRST, "healthy"))}
        standing = [alarm for alarm in ALARMS if alarm.name in self._active]
        standing.sort(key=lambda alarm: order[alarm.verdict])
        words = tuple(self._active[alarm.name] for alarm in standing)
        if state in _WORST_FIRST:
            return words
        return (*summarize(self.trace), *words, *self._suspicions())

    def _suspicions(self) -> Iterator[str]:
        """What would be an alarm if it lasted."""
        for alarm in ALARMS:
            if alarm.name in self._held and alarm.verdict != "healthy":
                count, sentence = self._held[alarm.name]
                so_far = f"seen {count} of {alarm.times} times"
                yield f"{alarm.verdict}, if it lasts ({so_far}): {sentence}"


def summarize(trace: History) -> tuple[str, ...]:
    """What the newest evaluation and block of the log say, one short sentence each."""
    said = []
    for name in SELECTION_METRICS.values():
        if points := trace.points(name):
            step, best = min(points, key=lambda point: point[1])
            now = points[-1][1]
            newest = "its best so far" if best == now else f"best {best:.3g} at step {step}"
            said.append(f"{name} is {now:.3g} ({newest})")
    if points := trace.points(DIVERSITY):
        said.append(f"generated images are {points[-1][1]:.0%} as diverse as real ones")
    if blind := constant_logits(trace):
        said.append(
            f"D answers the same to every image (at {len(blind)} evaluation"
            f"{'s in a row' * (len(blind) > 1)}, its logits now differ by {blind[0]:.2g})"
        )
    for name, what in (
        ("rotation_accuracy", "rotations of fixed real images are recognised in"),
        ("probe_accuracy", "a ridge probe on D's features finds the class in"),
    ):
        if points := trace.points(name):
            said.append(f"{what} {points[-1][1]:.0%} of cases")
    if not trace.evaluations:
        if trace.blocks and (mean := trace.blocks[-1].mean("D/adversarial")) is not None:
            said.append(f"D's loss is {mean:.3g}")
        said.append("nothing was evaluated (evaluate.every), so the log alone was read")
    elif len(trace.evaluations) < _ENOUGH:
        said.append(
            f"evaluations so far: {len(trace.evaluations)}, of the {_ENOUGH} that are needed"
        )
    return tuple(said)


def monitor_directory(layout: RunDirectory) -> Monitor:
    """The watch after everything in a run's directory."""
    watch = Monitor()
    for line, measures in merge_by_step(read_log(layout), read_metrics(layout)):
        if line is not None:
            watch.log_line(line)
        watch.evaluation(measures)
    return watch
