"""The remaining time of a study, estimated from its commands so far."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ssgan.studies.jobs import Job, TrainingJob
from ssgan.studies.scheduler import Status


class Eta(NamedTuple):
    """The remaining time of commands with an estimate, and the number of those without."""

    seconds: float | None  # None: there is no estimate yet
    unknown: Mapping[str, int]  # verb -> commands that `seconds` does not include

    def text(self, duration: str) -> str:
        """The estimate as text; `duration` is `seconds` in words."""
        rest = ", ".join(f"{count} x {verb}" for verb, count in self.unknown.items())
        if self.seconds is None:
            return "time left not known yet"
        return f"left about {duration}" + (f" and {rest}" if rest else "")


def estimate_eta(status: Status, jobs: Sequence[Job], slots: int) -> Eta:
    """The remaining time of running and waiting commands, `slots` at a time.

    Training takes its remaining steps at the pace of its own log, or else the mean pace of `jobs`.
    Any other command takes as long as finished commands of its verb took on average.
    """
    paces = {job: job.read_pace() for job in jobs if isinstance(job, TrainingJob)}
    known = [seconds / step for step, seconds in paces.values() if step]
    mean_pace = statistics.fmean(known) if known else None
    took: dict[str, list[float]] = {}
    for one in status.finished:
        if one.code == 0:
            took.setdefault(one.job.verb, []).append(one.seconds)
    total, found, unknown = 0.0, False, Counter[str]()
    for job in (*status.running, *status.waiting):
        seconds: float | None = None
        if isinstance(job, TrainingJob):
            step, spent = paces.get(job) or job.read_pace()
            pace = spent / step if step else mean_pace
            seconds = None if pace is None else pace * (job.config.total_steps - step)
        elif job.verb in took:
            rest = statistics.fmean(took[job.verb]) - status.since.get(job, 0.0)
            seconds = rest if rest > 0 else None  # slower than the mean: no estimate
        if seconds is None:
            unknown[job.verb] += 1
        else:
            total, found = total + seconds, True
    return Eta(total / slots if found else None, unknown)


def describe_activity(job: Job) -> str:
    """The name of a running command, and its step if it trains."""
    if not isinstance(job, TrainingJob):
        return job.name
    return f"{job.name}: step {job.read_pace()[0]:,}/{job.config.total_steps:,}"
