"""A run in its directory: whatever happens to the process, running it again continues it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ssgan.data.dataset import Dataset
from ssgan.data.prepare import prepare
from ssgan.files.errors import translate_file_errors
from ssgan.files.locks import hold_lock
from ssgan.files.run_directory import RunDirectory
from ssgan.ops.collective import rank
from ssgan.runs import checkpoint
from ssgan.runs.checkpoint import healthy_files, keep_healthy
from ssgan.runs.config import RunConfig
from ssgan.runs.precision import resolve_device
from ssgan.runs.state import TrainState, fresh_state
from ssgan.training.distributed import (
    StopDecision,
    check_alike,
    check_in_step,
    report_step_on_loss,
    share_precision,
    share_state,
    sync_stop,
)
from ssgan.training.evaluator import prepare_held_out
from ssgan.training.logger import RunLogger
from ssgan.training.loop import open_dataset, train
from ssgan.training.monitor import Verdict
from ssgan.training.nonfinite import RetryBudget, roll_back
from ssgan.training.resume import open_directory, resolve_auto, resume
from ssgan.training.signals import Interrupted, StopRequest, stop_requests
from ssgan.training.validation import check_given_labels, check_scores
from ssgan.types import NonFinite


@dataclass(frozen=True)
class RunReport:
    """What one step of a run did."""

    step: int  # steps done, this one included
    terms: dict[str, float] | None  # the losses, on steps that are logged
    checkpoint: Path | None  # the newest checkpoint, once there is one
    score: float | None  # this process's newest, by `evaluate.features`, once there is one
    verdict: Verdict  # how the run is doing


class Collapsed(Exception):  # noqa: N818 - an ending that was asked for
    """A run ended early because it collapses or diverges; its state is saved."""

    exit_code = 75


def run(
    config: RunConfig,
    directory: Path,
    dataset: Dataset | None = None,
    crash: Callable[[str], None] = checkpoint.no_crash,
    held_out: Dataset | None = None,
) -> Iterator[RunReport]:
    """Train to total_steps in a directory, from where its newest whole checkpoint stands.

    Images are prepared in the default cache when no dataset is given, and held-out ones with
    them; with a dataset, `held_out` holds images that it does not, or None.

    Raises UserError for settings or data that do not fit, or that differ from the directory's;
    Interrupted after a signal; Collapsed where evaluate.on_collapse says stop; NonFinite for bad
    numbers that came back after every rollback; DiskFull when nothing more can be written. In all
    of these the newest checkpoint is whole.
    """
    layout = RunDirectory(directory)
    config = share_precision(resolve_auto(layout, config))
    if dataset is None:
        dataset, held_out = open_dataset(config.data), prepare_held_out(config, prepare)
    _refuse_misfits(config, dataset)
    state = fresh_state(config, dataset.num_classes, resolve_device(config.device))
    if rank() > 0:
        yield from _run_worker(config, dataset, state)
        return
    open_directory(layout)
    told = report_step_on_loss(state)
    with translate_file_errors(directory), hold_lock(layout.lock), told, stop_requests() as stop:
        newest = resume(layout, config, dataset, state)
        lead = _MainRank(layout, config, dataset, held_out, state, crash, stop)
        patience = RetryBudget(state.step)
        while True:
            share_state(state, config, newest)
            try:
                yield from lead.steps(newest, patience)
                return
            except NonFinite as refusal:
                patience.again(refusal)
                newest = roll_back(layout, config, dataset, state, lead.facts, refusal)


class _MainRank:
    """What rank 0 does, which alone writes."""

    def __init__(
        self,
        layout: RunDirectory,
        config: RunConfig,
        dataset: Dataset,
        held_out: Dataset | None,
        state: TrainState,
        crash: Callable[[str], None],
        stop: StopRequest,
    ) -> None:
        self.layout, self.config, self.dataset, self.held_out = layout, config, dataset, held_out
        self.state, self.crash, self.stop = state, crash, stop
        self.facts = checkpoint.checkpoint_facts(config, dataset.content_hash, dataset.classes)

    def steps(self, newest: Path | None, patience: RetryBudget) -> Iterator[RunReport]:
        """All steps from the state on, recorded, and saved where it is due."""
        layout, config, state = self.layout, self.config, self.state
        with RunLogger(layout, config, self.dataset, self.held_out, state) as records:
            if not state.evaluated:
                newest = self._retry_evaluation(records)
            if sync_stop(None, _must_stop(config, state, records.watch.verdict)).stop:
                raise _collapsed(layout, state.step, records.watch.verdict)
            for report in train(config, self.dataset, state):
                terms = records.log(report)
                self._look(records)
                self._save_beside(best=records.is_best)
                last = state.step == config.total_steps
                verdict = records.watch.verdict
                orders = sync_stop(self.stop.received, _must_stop(config, state, verdict))
                if _must_save(config, state, orders):
                    check_in_step(state)
                    newest = self._save(records)
                    patience.saved(state.step)
                yield RunReport(state.step, terms, newest, records.score, verdict)
                if orders.leave and not last:
                    raise Interrupted(orders.leave, state.step)
                if orders.stop:
                    raise _collapsed(layout, state.step, verdict)

    def _look(self, records: RunLogger) -> None:
        """Sheet and evaluation of the step; when one fails, the step is saved first if it is due.

        The checkpoint says so, and whoever continues from it looks again.
        """
        try:
            records.look(self.state)
        except Exception:
            self.state.evaluated = False
            due = self.state.step % self.config.output.checkpoint_every == 0
            if due or self.state.step == self.config.total_steps:
                checkpoint.save(self.layout, self.state, self.facts, self.crash)
            raise

    def _retry_evaluation(self, records: RunLogger) -> Path:
        """What an earlier part failed to do after the step of its checkpoint, which is replaced."""
        records.look(self.state)
        self.state.evaluated = True
        self._save_beside(best=records.is_best)
        return self._save(records)

    def _save(self, records: RunLogger) -> Path:
        newest = checkpoint.save(self.layout, self.state, self.facts, self.crash)
        if records.watch.is_sound:
            keep_healthy(self.layout, newest)
        return newest

    def _save_beside(self, *, best: bool) -> None:
        """Write the best and the kept state, where this step has one.

        Before the step's own checkpoint: a run that continues from that never comes back here.
        """
        if best:
            checkpoint.save_best(self.layout, self.state, self.facts, self.crash)
        every = self.config.output.keep_every
        if every and self.state.step % every == 0:
            checkpoint.save_snapshot(self.layout, self.state, self.facts, self.crash)


def _refuse_misfits(config: RunConfig, dataset: Dataset) -> None:
    check_scores(config, len(dataset))
    check_given_labels(config, dataset)
    check_alike(config, dataset)


def _run_worker(config: RunConfig, dataset: Dataset, state: TrainState) -> Iterator[RunReport]:
    """What the other ranks do: every step, nothing written, and the end when rank 0 says so."""
    with report_step_on_loss(state), stop_requests() as stop:
        share_state(state, config)
        patience = RetryBudget(state.step)
        while True:
            try:
                yield from _steps_of_others(config, dataset, state, stop, patience)
                return
            except NonFinite as refusal:
                patience.again(refusal)
                share_state(state, config)


def _steps_of_others(
    config: RunConfig,
    dataset: Dataset,
    state: TrainState,
    stop: StopRequest,
    patience: RetryBudget,
) -> Iterator[RunReport]:
    verdict = Verdict("too early to tell", 0, ())
    if sync_stop(None, False).stop:
        raise Collapsed(f"stopped at step {state.step} by rank 0")
    for report in train(config, dataset, state):
        orders = sync_stop(stop.received, False)
        if _must_save(config, state, orders):
            check_in_step(state)
            patience.saved(state.step)
        yield RunReport(report.step, None, None, None, verdict)
        if orders.leave and state.step < config.total_steps:
            raise Interrupted(orders.leave, state.step)
        if orders.stop:
            raise Collapsed(f"stopped at step {state.step} by rank 0")


def _must_save(config: RunConfig, state: TrainState, orders: StopDecision) -> bool:
    due = state.step % config.output.checkpoint_every == 0
    return due or state.step == config.total_steps or orders.leave is not None or orders.stop


def _must_stop(config: RunConfig, state: TrainState, verdict: Verdict) -> bool:
    """Whether the settings ask to stop for such a verdict, and there is more to do."""
    asked = config.evaluate.on_collapse == "stop" and verdict.state in ("collapsing", "diverged")
    return asked and state.step < config.total_steps


def _collapsed(layout: RunDirectory, step: int, verdict: Verdict) -> Collapsed:
    kept = healthy_files(layout)
    return Collapsed(
        f"stopped at step {step}, for the run is {verdict.state} since step {verdict.since}: "
        f"{'; '.join(verdict.evidence)}; the state is saved, the last healthy one is "
        f"{kept[0] if kept else 'not known'}; --on-collapse warn goes on"
    )
