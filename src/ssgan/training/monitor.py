"""The monitor: judges how a run is doing from its log and its metrics.

Its only state follows from the lines of log.jsonl and metrics.jsonl. So it reaches the same verdict
from the files as during the run.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from ssgan.evaluation.selection_metric import DIVERSITY, SELECTION_METRICS
from ssgan.files.run_directory import RunDirectory
from ssgan.runs.config import RunConfig
from ssgan.training.advice import advise
from ssgan.training.history import History, Row, read_log, read_metrics, step_of
from ssgan.training.monitor_rules import CLEARING, RULES, Reads, Rule, State, constant_logits

_ENOUGH = 3  # evaluations (without any: blocks of the log) before a run is called healthy


@dataclass(frozen=True)
class Verdict:
    """How a run is doing."""

    state: State
    since: int  # the step from which on it has been
    evidence: tuple[str, ...]  # sentences
    advice: str = ""  # what to try next, in one line; "" while nothing is wrong


@dataclass(frozen=True)
class Event:
    """A rule raised an alarm, or the verdict changed."""

    step: int
    alarm: str | None  # the rule; None: the verdict changed for the better
    verdict: State
    evidence: tuple[str, ...]
    advice: str = ""  # as that of a verdict

    def as_json(self) -> dict[str, object]:
        """The line for events.jsonl."""
        evidence = list(self.evidence)
        alarm = {} if self.alarm is None else {"alarm": self.alarm}
        advice = {"advice": self.advice} if self.advice else {}
        return {"step": self.step, "verdict": self.verdict, **alarm, "evidence": evidence, **advice}


class Monitor:
    """Applies the rules to each line; an alarm is raised once, until things are clearly better."""

    def __init__(self, config: RunConfig) -> None:
        self.history = History(config)
        # rules that hold: how often in a row, and the newest evidence; an alarm at rule.times
        self._held: dict[str, tuple[int, str]] = {}
        self.verdict = Verdict("too early to tell", 0, summarize(self.history))

    def add_log_line(self, row: Row) -> list[Event]:
        """Add a line of log.jsonl; returns what changed."""
        reads: set[Reads] = {"block"} if self.history.add_line(row) else set()
        if self.history.is_newest_due():
            reads.add("newest lines")
        return self._apply_rules(reads, step_of(row)) if reads else []

    def add_evaluation(self, rows: Sequence[Row]) -> list[Event]:
        """Add the lines of metrics.jsonl of one step; returns what changed."""
        if not rows:
            return []
        self.history.add_evaluation(rows)
        reads: set[Reads] = {"evaluation"}
        if self.history.is_adversarial:
            reads.add("samples")
        return self._apply_rules(reads, step_of(rows[0]))

    @property
    def is_clear(self) -> bool:
        """Whether the run is healthy and no rule against it holds, not even for the first time."""
        return self.verdict.state == "healthy" and not self._suspicions()

    def _apply_rules(self, reads: set[Reads], step: int) -> list[Event]:
        raised = []
        for rule in RULES:
            if reads.isdisjoint(rule.reads):
                continue
            count, _ = self._held.pop(rule.name, (0, ""))
            scale = CLEARING if count >= rule.times else 1.0
            if (sentence := rule.find_evidence(self.history, scale)) is not None:
                self._held[rule.name] = count + 1, sentence
                if count + 1 == rule.times:
                    raised.append((rule, sentence))
        last, self.verdict = self.verdict, self._judge(step)
        state, config = self.verdict.state, self.history.config
        if not raised and last.state != state:
            return [Event(step, None, state, self.verdict.evidence)]
        return [
            Event(step, rule.name, state, (sentence,), advise(rule.problem, config))
            for rule, sentence in raised
        ]

    def _judge(self, step: int) -> Verdict:
        """The verdict at a step after all raised alarms, the worst first."""
        alarms = [(rule, words) for rule, count, words in self._holding() if count >= rule.times]
        alarms.sort(key=lambda alarm: get_args(State).index(alarm[0].verdict), reverse=True)
        evidence = tuple(words for _, words in alarms)
        advice = advise(alarms[0][0].problem if alarms else "none", self.history.config)
        state = alarms[0][0].verdict if alarms else "healthy"
        if state == "healthy":
            suspicions, last = self._suspicions(), self.verdict.state
            seen = len(self.history.evaluations) or len(self.history.blocks)
            if last == "too early to tell" and (seen < _ENOUGH or suspicions):
                state = last
            evidence = (*summarize(self.history), *evidence, *suspicions)
        since = self.verdict.since if self.verdict.state == state else step
        return Verdict(state, since, evidence, advice)

    def _suspicions(self) -> list[str]:
        """The evidence against the run that would raise an alarm if it lasted."""
        return [
            f"{rule.verdict}, if it lasts (seen {count} of {rule.times} times): {sentence}"
            for rule, count, sentence in self._holding()
            if count < rule.times and rule.verdict != "healthy"
        ]

    def _holding(self) -> list[tuple[Rule, int, str]]:
        return [(rule, *self._held[rule.name]) for rule in RULES if rule.name in self._held]


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


def monitor_directory(layout: RunDirectory, config: RunConfig) -> Monitor:
    """The monitor after everything in the directory of a run with these settings."""
    monitor, evaluations = Monitor(config), defaultdict[int, list[Row]](list)
    lines = {step_of(row): row for row in read_log(layout)}
    for row in read_metrics(layout):
        evaluations[step_of(row)].append(row)
    for step in sorted({*lines, *evaluations}):
        if step in lines:
            monitor.add_log_line(lines[step])
        monitor.add_evaluation(evaluations[step])
    return monitor
