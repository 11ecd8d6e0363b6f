"""A run in its directory: whatever ends the process, the same call continues the run.

`run` is the only way in: `ssgan train`, `ssgan demo` and Python use it alike. It resolves, checks,
prepares and trains, each once.
"""

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ssgan.data.base import AbstractCollection, DatasetInfo
from ssgan.data.dataset import Dataset
from ssgan.files.environment import list_old_packages
from ssgan.files.errors import translate_file_errors
from ssgan.files.locks import hold_lock
from ssgan.files.run_directory import RunDirectory
from ssgan.ops.collective import rank
from ssgan.ops.cpu import keep_freed_memory
from ssgan.ops.threads import Threads, adapting_threads
from ssgan.runs.checkpoint import CheckpointWriter, healthy_files, keep_healthy, no_crash
from ssgan.runs.config import RunConfig
from ssgan.runs.state import TrainState
from ssgan.training.evaluator import Evaluator, is_evaluated
from ssgan.training.inputs import InputPreparation, RunInputs, RunProgress
from ssgan.training.logger import RunLogger
from ssgan.training.loop import train_steps
from ssgan.training.monitor import Verdict
from ssgan.training.nonfinite import RetryBudget
from ssgan.training.ranks.distributed import (
    TIMEOUT,
    check_alike,
    check_in_step,
    first_then_others,
    join_ranks,
    report_step_on_loss,
    share_resolved,
    share_state,
    share_words,
    sync_stop,
)
from ssgan.training.ranks.sharded_checkpoint import (
    keep_healthy_shards,
    remove_shards,
    save_shards,
)
from ssgan.training.ranks.sharding import gather_state, shards, share_progress
from ssgan.training.resume import (
    RunRecord,
    accept_directory,
    begin_from_model,
    create_directory,
    read_run_record,
    resume,
    roll_back,
)
from ssgan.training.signals import Interrupted, StopRequest, stop_requests
from ssgan.training.tracker import Tracking
from ssgan.training.validation import dataset_warnings, validate_info
from ssgan.types import NonFinite

_LOG = logging.getLogger("ssgan")


@dataclass(frozen=True)
class RunReport:
    """What one step of a run did."""

    step: int  # steps done, this one included
    terms: dict[str, float] | None  # the losses, on steps that are logged
    checkpoint: Path | None  # the newest checkpoint, once there is one
    score: float | None  # the newest score of this process (`evaluate.features`), once there is one
    verdict: Verdict  # how the run is doing


class Collapsed(Exception):  # noqa: N818 - an ending, not an error
    """The run ended early because it is collapsing or diverged; its state is saved."""

    exit_code = 75


class CheckedRun(NamedTuple):
    """A run that passed every check that needs no decoded image."""

    config: RunConfig  # with its precision resolved
    state: TrainState  # fresh


def run(
    config: RunConfig,
    directory: Path,
    dataset: Dataset | None = None,
    *,
    held_out: Dataset | None = None,
    cache: Path | None = None,
    collection: AbstractCollection | None = None,
    progress: RunProgress | None = None,
    timeout: int = TIMEOUT,
    verify: bool = False,
    accept_new_data: bool = False,
    tracker: Tracking | None = None,
    crash: Callable[[str], None] = no_crash,
) -> Iterator[RunReport]:
    """Train to total_steps in a directory, from its newest whole checkpoint; one report a step.

    The config's images, and held-out ones, are prepared in `cache` (None: the default one);
    `collection` is their opened source, if the caller has it. With `dataset` nothing is prepared:
    `held_out` then has the held-out images, or None. Under a launcher the ranks wait `timeout`
    seconds for each other. With `verify` every byte of prepared images is verified first; with
    `accept_new_data` they may have changed. `tracker` gets a copy of the log.

    Raises UserError for settings or data that do not fit each other or the directory; Interrupted
    after a signal; Collapsed where evaluate.on_collapse is stop; NonFinite for bad numbers that
    came back after every rollback; DiskFull. In all of these the newest checkpoint is whole.
    """
    keep_freed_memory()
    layout = RunDirectory(directory)
    with join_ranks(timeout, config.device):
        if progress is None or rank() > 0:
            progress = RunProgress()
        config = share_resolved(accept_directory(layout, config) if rank() == 0 else config)
        if dataset is None:
            record = RunRecord.of(share_words(read_run_record(layout) if rank() == 0 else ()))
            preparation = InputPreparation(config, layout, cache, progress, verify)
            inputs = first_then_others(lambda: preparation.prepare(collection, record))
        else:
            inputs = RunInputs.of(config, dataset, held_out)
        check_alike(config, inputs.dataset)
        with adapting_threads(inputs.feed.device) as threads:
            if rank() > 0:
                yield from _run_worker(layout, config, inputs)
                return
            for sentence in list_old_packages():
                _LOG.warning("%s", sentence)
            if dataset is None:
                warnings = dataset_warnings(config, inputs.dataset, is_new=not layout.holds_run())
                progress.begin(inputs.dataset, [*inputs.warnings, *warnings])
            yield from _run_main(layout, config, inputs, threads, crash, accept_new_data, tracker)


def check_run(
    config: RunConfig, directory: Path, info: DatasetInfo, ranks: int | None = None
) -> CheckedRun:
    """Raise UserError for what `run` would refuse before it decodes images; writes nothing.

    `ranks` is the number of processes of the run. The networks are built on the CPU.
    """
    layout = RunDirectory(directory)
    config = accept_directory(layout, config)
    return CheckedRun(config, validate_info(config, info, ranks))


def _run_main(
    layout: RunDirectory,
    config: RunConfig,
    inputs: RunInputs,
    threads: Threads,
    crash: Callable[[str], None],
    accept_new_data: bool,
    tracking: Tracking | None,
) -> Iterator[RunReport]:
    """Train as rank 0, which writes the directory, and roll back when numbers are not finite."""
    create_directory(layout)
    dataset, state = inputs.dataset, inputs.state
    writer = CheckpointWriter(layout, config, dataset.content_hash, dataset.classes, crash)
    with (
        translate_file_errors(layout.root),
        hold_lock(layout.lock),
        report_step_on_loss(state),
        stop_requests() as stop,
    ):
        newest = resume(layout, config, dataset, state, accept_new_data=accept_new_data)
        if newest is None and config.init is not None:  # saved at once: it is never read again
            begin_from_model(state, config, dataset.classes)
            newest = writer.save(state)
        main = _MainRank(config, inputs, threads, writer, stop, tracking)
        retries = RetryBudget(state.step)
        while True:
            share_state(state, config, newest)
            try:
                yield from main.steps(newest, retries)
                return
            except NonFinite as refusal:
                retries.spend(refusal)
                newest = roll_back(
                    *(writer, config, dataset, state, refusal), accept_new_data=accept_new_data
                )


@dataclass
class _MainRank:
    """What rank 0 does with every step: it logs, evaluates and saves."""

    config: RunConfig
    inputs: RunInputs
    threads: Threads
    writer: CheckpointWriter
    stop: StopRequest
    tracking: Tracking | None

    def steps(self, newest: Path | None, retries: RetryBudget) -> Iterator[RunReport]:
        """All steps from the state on, recorded, and saved where it is due."""
        config, layout = self.config, self.writer.layout
        dataset, held_out, feed, state = self.inputs[:4]
        start = (layout, config, dataset, held_out, state.step, self.tracking)
        with closing(RunLogger(*start)) as logger:
            if not state.evaluated:  # what failed after the newest checkpoint is done first
                self._evaluate(logger, state)
                newest = self._save(logger, state)
            if sync_stop(None, _must_stop(config, state, logger.monitor.verdict)).stop:
                raise _collapsed(layout, state.step, logger.monitor.verdict)
            for report in train_steps(config, feed, state):
                terms = logger.log(report)
                if busy := self.threads.adapt():
                    _LOG.warning("%s", busy)
                whole = _gather_if(_writes(config, state), self.inputs, config)
                if whole is not None:
                    self._evaluate(logger, whole)
                    share_progress(whole, state)
                verdict = logger.monitor.verdict
                decision = sync_stop(self.stop.received, _must_stop(config, state, verdict))
                if _is_due(config, state) or decision.leave or decision.stop:
                    check_in_step(state)
                    if _saves_shards(config, state):
                        newest = save_shards(state, layout, self.writer)
                        if logger.monitor.is_clear:
                            keep_healthy_shards(layout, newest)
                    else:
                        whole = whole or _gather_if(True, self.inputs, config) or state
                        newest = self._save(logger, whole)
                    retries.reset(state.step)
                whole = None  # it is as large as the networks
                yield RunReport(state.step, terms, newest, logger.score, verdict)
                if decision.leave and state.step < config.total_steps:
                    raise Interrupted(decision.leave, state.step)
                if decision.stop:
                    raise _collapsed(layout, state.step, verdict)

    def _evaluate(self, logger: RunLogger, state: TrainState) -> None:
        """Draw samples and evaluate, then save the best state and the snapshot, where due.

        When the evaluation fails, the step is saved if it is due; its checkpoint says so, and a
        run that continues from it tries again. The best state and the snapshot come before the
        step's checkpoint, because a run that continues from that never returns here.
        """
        try:
            logger.sample_and_evaluate(state)
        except Exception:
            state.evaluated = False
            if _is_due(self.config, state):
                self.writer.save(state)
            raise
        state.evaluated = True
        if logger.is_best:
            self.writer.save_best(state)
        every = self.config.output.snapshot_every
        if every and state.step % every == 0:
            self.writer.save_snapshot(state)

    def _save(self, logger: RunLogger, state: TrainState) -> Path:
        newest = self.writer.save(state)
        remove_shards(self.writer.layout)
        if logger.monitor.is_clear:
            keep_healthy(self.writer.layout, newest)
            for older in self.writer.layout.healthy_shards():
                shutil.rmtree(older)
        return newest


def _run_worker(layout: RunDirectory, config: RunConfig, inputs: RunInputs) -> Iterator[RunReport]:
    """Train as one of the other ranks: evaluate with rank 0, write nothing, end when it does."""
    state = inputs.state
    with report_step_on_loss(state), stop_requests() as stop:
        share_state(state, config)
        retries = RetryBudget(state.step)
        while True:
            try:
                yield from _worker_steps(layout, config, inputs, stop, retries)
                return
            except NonFinite as refusal:
                retries.spend(refusal)
                share_state(state, config)


def _worker_steps(
    layout: RunDirectory,
    config: RunConfig,
    inputs: RunInputs,
    stop: StopRequest,
    retries: RetryBudget,
) -> Iterator[RunReport]:
    state, verdict = inputs.state, Verdict("too early to tell", 0, ())
    evaluator: Evaluator | None = None

    def evaluate(whole: TrainState) -> None:
        nonlocal evaluator
        if is_evaluated(config, whole.step):
            evaluator = evaluator or Evaluator(layout, config, inputs.dataset, inputs.held_out)
            evaluator.evaluate(whole)

    if not state.evaluated:
        evaluate(state)
        state.evaluated = True
    if sync_stop(None, False).stop:
        raise Collapsed(f"stopped at step {state.step} by rank 0")
    for report in train_steps(config, inputs.feed, state):
        gathered = _gather_if(_writes(config, state), inputs, config)
        if gathered is not None:
            evaluate(gathered)
        decision = sync_stop(stop.received, False)
        if _is_due(config, state) or decision.leave or decision.stop:
            check_in_step(state)
            if _saves_shards(config, state):
                save_shards(state, layout, None)
            else:
                _gather_if(gathered is None, inputs, config)
            gathered = None
            retries.reset(state.step)
        yield RunReport(report.step, None, None, None, verdict)
        if decision.leave and state.step < config.total_steps:
            raise Interrupted(decision.leave, state.step)
        if decision.stop:
            raise Collapsed(f"stopped at step {state.step} by rank 0")


def _is_due(config: RunConfig, state: TrainState) -> bool:
    """Whether every run saves after this step."""
    due = state.step % config.output.checkpoint_every == 0
    return due or state.step == config.total_steps


def _writes(config: RunConfig, state: TrainState) -> bool:
    """Whether every run draws, evaluates or saves after this step."""
    output = config.output
    periods = (output.sample_every, output.snapshot_every, config.evaluate.every)
    due = any(every and state.step % every == 0 for every in periods)
    return due or (_is_due(config, state) and not _saves_shards(config, state))


def _saves_shards(config: RunConfig, state: TrainState) -> bool:
    """Whether every rank saves its part after this step; the last state is always one file."""
    return config.output.sharded_checkpoints and shards(config) and state.step < config.total_steps


def _gather_if(due: bool, inputs: RunInputs, config: RunConfig) -> TrainState | None:
    """The whole state, for rank 0, where it is due; all ranks take part.

    For an evaluation the other ranks get the whole networks.
    """
    if not due:
        return None
    shared = is_evaluated(config, inputs.state.step)
    return gather_state(inputs.state, config, inputs.dataset.num_classes, shared)


def _must_stop(config: RunConfig, state: TrainState, verdict: Verdict) -> bool:
    """Whether evaluate.on_collapse ends the run here; never after its last step."""
    stops = config.evaluate.on_collapse == "stop" and verdict.state in ("collapsing", "diverged")
    return stops and state.step < config.total_steps


def _collapsed(layout: RunDirectory, step: int, verdict: Verdict) -> Collapsed:
    healthy = [*healthy_files(layout), *layout.healthy_shards()]
    return Collapsed(
        f"stopped at step {step}: the run is {verdict.state} since step {verdict.since}: "
        f"{'; '.join(verdict.evidence)}; the state is saved; last healthy checkpoint: "
        f"{healthy[0] if healthy else 'none'}; --on-collapse warn continues; {verdict.advice}"
    )
