"""The search itself: begins trials while slots are free, and records what became of each."""

import math
import signal
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace

from ssgan.evaluation.selection_metric import FD_RANDOM
from ssgan.files.run_directory import RunDirectory
from ssgan.studies.jobs import Job, TrainingJob
from ssgan.studies.scheduler import Finished, Scheduler, Status
from ssgan.studies.tables import read_distance
from ssgan.studies.tuning.sampler import Sampler
from ssgan.studies.tuning.trials import (
    ENDED,
    Search,
    State,
    TrialJobs,
    TuningTrial,
    build_jobs,
    plan_trial,
    read_trials,
    settings_key,
    write_trial,
)
from ssgan.training.history import curve_name, read_metrics, step_of
from ssgan.training.monitor import monitor_directory
from ssgan.training.signals import EXIT_CODES
from ssgan.types import UserError

MOST_REFUSED = 100  # proposals in a row that are refused or repeated before the search ends
FEWEST_CURVES = 5  # other trials, at a third of their steps, before one may be stopped there
_DISK_FULL = 74  # an exit code that no other settings would avoid


class Searcher:
    """Feeds a Scheduler with trials by `more`, and records their ends by `settle`."""

    def __init__(
        self,
        search: Search,
        sampler: Sampler,
        threads: int,
        say: Callable[[str], object],
        cluster: bool,
    ) -> None:
        self.search, self._sampler, self._threads, self._say = search, sampler, threads, say
        self._cluster = cluster  # which may end one command alone, as scancel does
        self.trials = {one.number: one for one in read_trials(search.out)}
        self.halted = ""  # why no further trial begins; empty: nothing is wrong
        self.broken = False  # whether it was halted by a trial that must continue
        self._jobs: dict[int, TrialJobs] = {}  # of trials that this process has begun
        self._judged: set[int] = set()  # trials compared at a third of their steps
        self._stopping: dict[int, str] = {}  # trials that were stopped there, with the reason
        self._settled = 0  # finished jobs that were settled
        self._open = self._find_open()

    def _find_open(self) -> list[TuningTrial]:
        """Trials of an earlier process that have not ended; their runs continue."""
        found = {}
        for number, values in self._sampler.list_running():
            trial = self.trials.get(number) or TuningTrial(number=number, values=values)
            if trial.state == "running":
                found[number] = trial
            else:  # the process ended between the record and the journal
                self._sampler.end(number, trial.score)
        recipe = self.trials.get(0) or TuningTrial(number=0, values={})
        if self._sampler.count() and recipe.state == "running":
            found = {0: recipe, **found}  # the journal may not know that it runs
        return list(found.values())

    def count_ended(self) -> int:
        """Trials that count: complete, failed or stopped early."""
        return sum(one.state in ENDED for one in self.trials.values())

    def more(self, status: Status, total: int) -> Sequence[Job]:
        """The commands of one more trial; none once `total` trials have ended or run."""
        self.settle(status)
        for _ in range(MOST_REFUSED):
            running = sum(self.trials[number].state == "running" for number in self._jobs)
            if self._open:
                trial = self._open.pop(0)
            elif self.halted or self.count_ended() + running >= total:
                return ()
            else:
                number, values = self._sampler.begin()
                trial = TuningTrial(number=number, values=values)
            if not trial.flags:
                trial = self._plan(trial)
            if trial.state == "running" and (jobs := self._begin(trial)):
                return jobs
        self.halted = f"{MOST_REFUSED} proposals in a row were refused, or had been tried before"
        return ()

    def _plan(self, trial: TuningTrial) -> TuningTrial:
        """The trial with its settings and steps; a repetition of another one is refused."""
        key = settings_key(trial.values)
        others = [one for one in self.trials.values() if one.number != trial.number]
        same = [one for one in others if trial.values and settings_key(one.values) == key]
        if same:
            words = f"the same settings as trial {same[0].number}"
            trial = replace(trial, state="refused", reason=words, score=same[0].score)
        else:
            trial = plan_trial(self.search, trial.number, trial.values, self._threads)
        if trial.state == "refused" and trial.number == 0:
            raise UserError(f"the recipe itself is refused: {trial.reason}")
        if trial.state == "refused":
            self._say(f"refused: {trial.label}: {trial.reason}")
        self._record(trial)
        return trial

    def _begin(self, trial: TuningTrial) -> tuple[Job, ...]:
        """The commands that are left; a trial without any is complete."""
        jobs = self._jobs[trial.number] = build_jobs(self.search, trial)
        if jobs.evaluate.is_done():
            self._complete(trial)
            return ()
        return (jobs.evaluate,) if jobs.train.is_done() else tuple(jobs)

    def settle(self, status: Status) -> None:
        """Record what became of commands that have finished since the last call."""
        new = status.finished[self._settled :]
        self._settled = len(status.finished)
        for one in new:
            trial = self.trials[self.number_of(one.job)]
            if trial.state != "running":
                continue
            if one.code == 0 and one.job == self._jobs[trial.number].evaluate:
                self._complete(trial)
            elif one.code and status.stopped_by is None:
                self._settle_failure(trial, one)

    def _settle_failure(self, trial: TuningTrial, one: Finished) -> None:
        if trial.number in self._stopping:
            self._end(trial, "stopped", self._stopping[trial.number])
        elif one.code == _DISK_FULL or (one.code in EXIT_CODES.values() and not self._cluster):
            self.broken = True
            self.halted = f"{_explain(one)}; run the same command again to continue"
        else:
            self._end(trial, "failed", _explain(one))

    def number_of(self, job: Job) -> int:
        """The number of the trial that a command belongs to."""
        return next(number for number, jobs in self._jobs.items() if job in jobs)

    def _complete(self, trial: TuningTrial) -> None:
        result = read_distance(self._jobs[trial.number].evaluate)
        if math.isfinite(result.value):
            trial = replace(trial, score=result.value, score_name=result.name)
            self._end(trial, "complete")
        else:
            self._end(trial, "failed", f"{result.name} is {result.value}")

    def _end(self, trial: TuningTrial, state: State, reason: str = "") -> None:
        train = self._jobs[trial.number].train
        self._record(
            replace(
                trial,
                state=state,
                reason=reason,
                seconds=train.read_pace()[1],
                verdict=monitor_directory(RunDirectory(train.root), train.config).verdict.state,
                curve=tuple(read_curve(train)),
            )
        )

    def _record(self, trial: TuningTrial) -> None:
        """Write the record, then let the sampler know: in this order, so that nothing is lost."""
        self.trials[trial.number] = trial
        write_trial(self.search.out, trial)
        if trial.state != "running":
            self._sampler.end(trial.number, trial.score)

    def seconds_left(self, status: Status, total: int, slots: int) -> float:
        """The time of all trials that are left: training as planned, and as long for the rest."""
        each, left = self._seconds_per_trial(status), max(0, total - self.count_ended())
        spent = sum(min(status.since[job], each) for job in status.running)
        return max(0.0, left * each - spent) / min(slots, max(1, left))

    def _seconds_per_trial(self, status: Status) -> float:
        """The mean of this process's trials; the training time before one has ended."""
        took: dict[int, float] = {}
        for one in status.finished:
            number = self.number_of(one.job)
            took[number] = took.get(number, 0.0) + one.seconds
        ended = [seconds for number, seconds in took.items() if self.trials[number].state in ENDED]
        return statistics.fmean(ended) if ended else self.search.options.minutes * 60

    def stop_bad_trials(self, scheduler: Scheduler, status: Status) -> None:
        """Stop runs whose FD-random at a third of their steps is above the median of others."""
        for job in status.running:
            number = self.number_of(job)
            if not isinstance(job, TrainingJob) or number in self._judged or number == 0:
                continue
            value = read_third(read_curve(job), job.config.total_steps)
            if value is None:
                continue
            self._judged.add(number)
            ended = (one for one in self.trials.values() if one.state in ENDED)
            found = [read_third(one.curve, one.total_steps) for one in ended]
            others = [one for one in found if one is not None]
            if len(others) >= FEWEST_CURVES and value > (middle := statistics.median(others)):
                words = f"{FD_RANDOM} {value:.4g} at a third of its steps, median {middle:.4g}"
                self._stopping[number] = words
                scheduler.stop(job)


def read_curve(job: TrainingJob) -> list[tuple[int, float]]:
    """(step, FD-random) of every evaluation of a run so far."""
    rows = read_metrics(RunDirectory(job.root))
    return [
        (step_of(row), float(value))
        for row in rows
        if curve_name(row) == FD_RANDOM and isinstance(value := row["value"], int | float)
    ]


def read_third(curve: Sequence[tuple[int, float]], total_steps: int) -> float | None:
    """The value at the first evaluation from a third of the steps on; None before it."""
    return next((value for step, value in curve if 3 * step >= total_steps), None)


def _explain(one: Finished) -> str:
    """Why a command failed, by the last line of its log."""
    if one.code < 0:
        return f"{one.job.verb} was killed by {signal.Signals(-one.code).name}"
    last = next((line for line in reversed(one.job.read_log()) if line.strip()), "").removeprefix(
        "ssgan: "
    )
    return f"{one.job.verb}, exit code {one.code}: {last.strip()}"
