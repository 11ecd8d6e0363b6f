"""The monitor: judges how a run is doing from its log and its metrics.

Its only state follows from the lines of log.jsonl and metrics.jsonl. So it reaches the same verdict
from the files as during the run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ssgan.evaluation.selection_metric import DIVERSITY, SELECTION_METRICS
from ssgan.files.run_directory import RunDirectory
from ssgan.training.history import History, Row, merge_by_step, read_log, read_metrics
from ssgan.training.monitor_rules import CLEARING, RULES, Rule, State, constant_logits

_ENOUGH = 3  # evaluations (without any: blocks of the log) before a run is called healthy
_WORST_FIRST: tuple[State, ...] = ("diverged", "collapsing", "forgetting")


@dataclass(frozen=True)
class Verdict:
    """How a run is doing."""

    state: State
    since: int  # the step from which on it has been
    evidence: tuple[str, ...]  # sentences


@dataclass(frozen=True)
class Event:
    """A rule raised an alarm, or the verdict changed."""

    step: int
    alarm: str | None  # the rule; None: the verdict changed for the better
    verdict: State
    evidence: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The line for events.jsonl."""
        evidence = list(self.evidence)
        alarm = {} if self.alarm is None else {"alarm": self.alarm}
        return {"step": self.step, "verdict": self.verdict, **alarm, "evidence": evidence}


class Monitor:
    """Applies the rules to each line; an alarm is raised once, until things are clearly better."""

    def __init__(self) -> None:
        self.history = History()
        self._active: dict[str, str] = {}  # rules whose alarm is raised, with the newest evidence
        # rules that hold but not yet often enough: how often in a row, and the newest evidence
        self._pending: dict[str, tuple[int, str]] = {}
        self.verdict = Verdict("too early to tell", 0, summarize(self.history))

    def add_log_line(self, row: Row) -> list[Event]:
        """Add a line of log.jsonl; returns what changed."""
        if not self.history.add_line(row):
            return []
        return self._apply_rules("log", self.history.blocks[-1].last)

    def add_evaluation(self, rows: Sequence[Row]) -> list[Event]:
        """Add the lines of metrics.jsonl of one step; returns what changed."""
        if not rows:
            return []
        self.history.add_evaluation(rows)
        return self._apply_rules("evaluation", self.history.evaluations[-1].step)

    @property
    def is_clear(self) -> bool:
        """Whether the run is healthy and no rule against it holds, not even for the first time."""
        return self.verdict.state == "healthy" and not self._is_suspected()

    def _is_suspected(self) -> bool:
        """Whether a rule against the run holds that has not held often enough."""
        return any(rule.name in self._pending for rule in RULES if rule.verdict != "healthy")

    def _apply_rules(self, reads: Literal["log", "evaluation"], step: int) -> list[Event]:
        raised = []
        for rule in RULES:
            if rule.reads != reads or (rule.adversarial_only and not self.history.is_adversarial):
                continue
            if rule.name in self._active:
                self._update_alarm(rule)
            elif (sentence := self._hold(rule)) is not None:
                raised.append((rule.name, sentence))
        last, state = self.verdict, self._judge()
        since = last.since if last.state == state else step
        self.verdict = Verdict(state, since, self._reasons(state))
        events = [Event(step, name, state, (words,)) for name, words in raised]
        if not raised and last.state != state:
            events.append(Event(step, None, state, self.verdict.evidence))
        return events

    def _update_alarm(self, rule: Rule) -> None:
        """Keep a raised alarm, with new evidence, until things are clearly better."""
        sentence = rule.find_evidence(self.history, CLEARING)
        if sentence is None:
            del self._active[rule.name]
        else:
            self._active[rule.name] = sentence

    def _hold(self, rule: Rule) -> str | None:
        """Count how often a rule holds in a row; its evidence when that raises the alarm."""
        before, _ = self._pending.pop(rule.name, (0, ""))
        sentence = rule.find_evidence(self.history, 1.0)
        if sentence is None:
            return None
        if before + 1 < rule.times:
            self._pending[rule.name] = before + 1, sentence
            return None
        self._active[rule.name] = sentence
        return sentence

    def _judge(self) -> State:
        verdicts = {rule.verdict for rule in RULES if rule.name in self._active}
        for state in _WORST_FIRST:
            if state in verdicts:
                return state
        if self.verdict.state != "too early to tell":
            return "healthy"
        enough = (len(self.history.evaluations) or len(self.history.blocks)) >= _ENOUGH
        return "healthy" if enough and not self._is_suspected() else "too early to tell"

    def _reasons(self, state: State) -> tuple[str, ...]:
        """The evidence of all raised alarms, worst first, after the summary of a healthy run."""
        order = {name: place for place, name in enumerate((*_WORST_FIRST, "healthy"))}
        active = [rule for rule in RULES if rule.name in self._active]
        active.sort(key=lambda rule: order[rule.verdict])
        evidence = tuple(self._active[rule.name] for rule in active)
        if state in _WORST_FIRST:
            return evidence
        return (*summarize(self.history), *evidence, *self._suspicions())

    def _suspicions(self) -> Iterator[str]:
        """The evidence that would raise an alarm if it lasted."""
        for rule in RULES:
            if rule.name in self._pending and rule.verdict != "healthy":
                count, sentence = self._pending[rule.name]
                so_far = f"seen {count} of {rule.times} times"
                yield f"{rule.verdict}, if it lasts ({so_far}): {sentence}"


def summarize(history: History) -> tuple[str, ...]:
    """The newest evaluation, or block of the log, in short sentences."""
    sentences = []
    for name in SELECTION_METRICS.values():
        if points := history.points(name):
            step, best = min(points, key=lambda point: point[1])
            now = points[-1][1]
            newest = "its best so far" if best == now else f"best {best:.3g} at step {step}"
            sentences.append(f"{name} is {now:.3g} ({newest})")
    if points := history.points(DIVERSITY):
        sentences.append(f"generated images are {points[-1][1]:.0%} as diverse as real ones")
    if constant := constant_logits(history):
        sentences.append(
            f"D's logits are constant (at {len(constant)} evaluation"
            f"{'s in a row' * (len(constant) > 1)}, they now differ by {constant[0]:.2g})"
        )
    for name, what in (
        ("rotation_accuracy", "rotations of fixed real images are recognised in"),
        ("probe_accuracy", "a ridge probe on D's features finds the class in"),
    ):
        if points := history.points(name):
            sentences.append(f"{what} {points[-1][1]:.0%} of cases")
    if not history.evaluations:
        if history.blocks and (mean := history.blocks[-1].mean("D/adversarial")) is not None:
            sentences.append(f"D's loss is {mean:.3g}")
        sentences.append("nothing was evaluated (evaluate.every), so only the log was read")
    elif len(history.evaluations) < _ENOUGH:
        sentences.append(
            f"{len(history.evaluations)} of the {_ENOUGH} evaluations that a verdict needs"
        )
    return tuple(sentences)


def monitor_directory(layout: RunDirectory) -> Monitor:
    """The monitor after everything in a run's directory."""
    monitor = Monitor()
    for line, rows in merge_by_step(read_log(layout), read_metrics(layout)):
        if line is not None:
            monitor.add_log_line(line)
        monitor.add_evaluation(rows)
    return monitor
