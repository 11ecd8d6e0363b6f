"""How long the rest of a study takes, by what is known of its commands so far."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ssgan.studies.jobs import Job, TrainingJob
from ssgan.studies.scheduler import Status


class Eta(NamedTuple):
    """Time left, of the commands that something is known of; and those of which nothing is."""

    seconds: float | None  # None: nothing is known yet
    unknown: Mapping[str, int]  # verb -> commands that are not in `seconds`

    def text(self, duration: str) -> str:
        """In words; `duration` is the seconds in words."""
        rest = ", ".join(f"{count} x {verb}" for verb, count in self.unknown.items())
        if self.seconds is None:
            return "time left not known yet"
        return f"left about {duration}" + (f" and {rest}" if rest else "")


def estimate_eta(standing: Status, jobs: Sequence[Job], slots: int) -> Eta:
    """The outlook for running and waiting commands, `slots` at a time.

    Training is as long as its steps take by its own log, or on average by the logs of `jobs`;
    anything else as long as commands of its verb took since the study was started.
    """
    paces = {job: job.pace() for job in jobs if isinstance(job, TrainingJob)}
    known = [seconds / step for step, seconds in paces.values() if step]
    usual = statistics.fmean(known) if known else None
    lasted: dict[str, list[float]] = {}
    for ended in standing.ended:
        if ended.code == 0:
            lasted.setdefault(ended.job.verb, []).append(ended.seconds)
    total, found, unknown = 0.0, False, Counter[str]()
    for job in (*standing.running, *standing.waiting):
        seconds: float | None = None
        if isinstance(job, TrainingJob):
            step, spent = paces.get(job) or job.pace()
            each = spent / step if step else usual
            seconds = None if each is None else each * (job.config.total_steps - step)
        elif job.verb in lasted:
            rest = statistics.fmean(lasted[job.verb]) - standing.since.get(job, 0.0)
            seconds = rest if rest > 0 else None  # it is longer than any: nothing is known
        if seconds is None:
            unknown[job.verb] += 1
        else:
            total, found = total + seconds, True
    return Eta(total / slots if found else None, unknown)


def describe_activity(job: Job) -> str:
    """What a running command is at: its name, and its step where it trains."""
    if not isinstance(job, TrainingJob):
        return job.name
    return f"{job.name}: step {job.pace()[0]:,}/{job.config.total_steps:,}"
