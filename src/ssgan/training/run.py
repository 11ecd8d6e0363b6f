"""A run in its directory: whatever ends the process, the same call continues the run.

`run` is the only way in: `ssgan train`, `ssgan demo` and Python use it alike. It resolves, checks,
prepares and trains, each once.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch

from ssgan.config.merge import read_json
from ssgan.data.base import AbstractCollection, AbstractSource, DatasetInfo, Preprocessing
from ssgan.data.dataset import Dataset
from ssgan.data.prepare import Progress, decodes_as_before, prepare
from ssgan.files.environment import list_old_packages
from ssgan.files.errors import translate_file_errors
from ssgan.files.locks import hold_lock
from ssgan.files.run_directory import RunDirectory
from ssgan.ops.collective import rank
from ssgan.ops.cpu import keep_freed_memory
from ssgan.runs.checkpoint import CheckpointWriter, healthy_files, keep_healthy, no_crash
from ssgan.runs.config import RunConfig
from ssgan.runs.precision import resolve_device
from ssgan.runs.state import TrainState
from ssgan.training.distributed import (
    TIMEOUT,
    check_alike,
    check_in_step,
    first_then_others,
    join_ranks,
    report_step_on_loss,
    share_precision,
    share_state,
    share_words,
    sync_stop,
)
from ssgan.training.evaluator import prepare_held_out
from ssgan.training.feed import Feed
from ssgan.training.logger import RunLogger
from ssgan.training.loop import train_steps
from ssgan.training.monitor import Verdict
from ssgan.training.nonfinite import RetryBudget
from ssgan.training.resume import (
    accept_directory,
    ask_for_place,
    create_directory,
    read_run_classes,
    refuse_newest,
    resume,
    roll_back,
)
from ssgan.training.signals import Interrupted, StopRequest, stop_requests
from ssgan.training.validation import dataset_warnings, validate_run
from ssgan.types import NonFinite, UserError

_LOG = logging.getLogger("ssgan")
_EARLIER_DECODING = (
    "the run began on images that an earlier version decoded without their colour profiles or "
    "ranges of values, and continues on those; a run in a new directory has the right colours"
)


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


class RunProgress:
    """What a caller of `run` can show before the first step. A subclass overrides what it shows."""

    def bar(self, what: str, unit: str) -> AbstractContextManager[Progress]:
        """A callback for (done, total), within a download ("bytes") or a preparation ("images")."""
        return nullcontext(lambda done, total: None)

    def wait(self) -> None:
        """Another process prepares the same images, and this one waits for it."""

    def begin(self, dataset: Dataset, warnings: Sequence[str]) -> None:
        """The images are prepared and steps begin; by default warnings are logged."""
        for sentence in warnings:
            _LOG.warning("%s", sentence)


class CheckedRun(NamedTuple):
    """A run that passed every check that needs no decoded image."""

    config: RunConfig  # with its precision resolved
    state: TrainState  # fresh


class _Inputs(NamedTuple):
    """All that a run trains on."""

    dataset: Dataset
    held_out: Dataset | None
    feed: Feed
    state: TrainState  # fresh
    warnings: tuple[str, ...] = ()


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
    crash: Callable[[str], None] = no_crash,
) -> Iterator[RunReport]:
    """Train to total_steps in a directory, from its newest whole checkpoint; one report a step.

    The config's images, and held-out ones, are prepared in `cache` (None: the default one);
    `collection` is their opened source, if the caller has it. With `dataset` nothing is prepared:
    `held_out` then has the held-out images, or None. Under a launcher this process is one of
    several ranks, which wait `timeout` seconds for each other. With `verify` every byte of prepared
    images is verified before the first step.

    Raises UserError for settings or data that do not fit each other or the directory; Interrupted
    after a signal; Collapsed where evaluate.on_collapse is stop; NonFinite for bad numbers that
    came back after every rollback; DiskFull when nothing more can be written. In all of these the
    newest checkpoint is whole.
    """
    keep_freed_memory()
    layout = RunDirectory(directory)
    with join_ranks(timeout, config.device):
        if progress is None or rank() > 0:
            progress = RunProgress()
        config = share_precision(accept_directory(layout, config) if rank() == 0 else config)
        if dataset is None:
            classes = share_words(read_run_classes(layout) if rank() == 0 else ())
            content = share_words(_content_of(layout) if rank() == 0 else ())
            inputs = first_then_others(
                lambda: _prepare(
                    layout, config, cache, collection, progress, verify, classes, content
                )
            )
        else:
            device = resolve_device(config.device)
            state = _validate(config, dataset, device)
            inputs = _Inputs(dataset, held_out, Feed(config, dataset, device), state)
        check_alike(config, inputs.dataset)
        if rank() > 0:
            yield from _run_worker(config, inputs)
            return
        for sentence in list_old_packages():
            _LOG.warning("%s", sentence)
        if dataset is None:
            is_new = not layout.holds_run()
            warnings = dataset_warnings(config, inputs.dataset, is_new=is_new)
            progress.begin(inputs.dataset, [*inputs.warnings, *warnings])
        yield from _run_main(layout, config, inputs, crash)


def check_run(
    config: RunConfig, directory: Path, info: DatasetInfo, ranks: int | None = None
) -> CheckedRun:
    """Raise UserError for what `run` would refuse before it decodes images; writes nothing.

    `ranks` is the number of processes of the run. The networks are built on the CPU.
    """
    layout = RunDirectory(directory)
    config = accept_directory(layout, config)
    state = validate_run(
        config,
        info.header_stats.num_images,
        len(info.classes),
        num_unlabelled=info.num_unlabelled,
        ranks=ranks,
    )
    refuse_newest(layout, config)
    return CheckedRun(config, state)


def _prepare(
    layout: RunDirectory,
    config: RunConfig,
    cache: Path | None,
    collection: AbstractCollection | None,
    progress: RunProgress,
    verify: bool,
    classes: Sequence[str],
    content: Sequence[str],
) -> _Inputs:
    """Open the source, check the run against it, then decode its images.

    `classes` are those that the directory's run has, if any. A run that began with the `content`
    of an earlier decoding continues with that.
    """
    source, device = config.data.source, resolve_device(config.device)

    def decode(
        source: AbstractSource,
        preprocessing: Preprocessing,
        collection: AbstractCollection | None = None,
    ) -> Dataset:
        with progress.bar("preparing images", "images") as advance:
            return prepare(
                *(source, preprocessing, cache, advance),
                collection=collection,
                on_wait=progress.wait,
                verify=verify,
            )

    if collection is None:
        with ask_for_place(layout, source):
            with progress.bar("downloading", "bytes") as advance:
                source.fetch(advance)
            collection = source.open()
    num_classes = len(collection.used_classes())
    missing = collection.num_unlabelled()
    state = validate_run(
        config, len(collection), num_classes, num_unlabelled=missing, device=device
    )
    wanted = config.data.preprocessing
    warnings: tuple[str, ...] = ()
    dataset = decode(source, wanted, collection)
    if content and content[0] != dataset.content_hash and not decodes_as_before(collection):
        earlier = replace(wanted, decoding=wanted.decoding - 1)
        before = decode(source, earlier, collection)
        if before.content_hash == content[0]:
            dataset, wanted, warnings = before, earlier, (_EARLIER_DECODING,)
    dataset = dataset.with_classes(classes)
    if dataset.num_classes != num_classes or len(dataset) < len(collection):
        known = state if dataset.num_classes == num_classes else None
        state = _validate(config, dataset, device, known)  # some items cannot be decoded
    held_out = prepare_held_out(config, lambda source, _: decode(source, wanted))
    return _Inputs(dataset, held_out, Feed(config, dataset, device), state, warnings)


def _content_of(layout: RunDirectory) -> list[str]:
    """The content hash of the images that a run began with; none before its first save."""
    try:
        return [str(read_json(layout.manifest)["content_hash"])]
    except (UserError, KeyError):
        return []


def _validate(
    config: RunConfig, dataset: Dataset, device: torch.device, state: TrainState | None = None
) -> TrainState:
    """`state` or a fresh one, after the checks of settings against prepared images."""
    return validate_run(
        config,
        len(dataset),
        dataset.num_classes,
        num_unlabelled=dataset.num_unlabelled,
        device=device,
        state=state,
    )


def _run_main(
    layout: RunDirectory, config: RunConfig, inputs: _Inputs, crash: Callable[[str], None]
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
        newest = resume(layout, config, dataset, state)
        main, retries = _MainRank(config, inputs, writer, stop), RetryBudget(state.step)
        while True:
            share_state(state, config, newest)
            try:
                yield from main.steps(newest, retries)
                return
            except NonFinite as refusal:
                retries.spend(refusal)
                newest = roll_back(writer, config, dataset, state, refusal)


@dataclass
class _MainRank:
    """What rank 0 does with every step: it logs, evaluates and saves."""

    config: RunConfig
    inputs: _Inputs
    writer: CheckpointWriter
    stop: StopRequest

    def steps(self, newest: Path | None, retries: RetryBudget) -> Iterator[RunReport]:
        """All steps from the state on, recorded, and saved where it is due."""
        config, layout = self.config, self.writer.layout
        dataset, held_out, feed, state = self.inputs[:4]
        with closing(RunLogger(layout, config, dataset, held_out, state.step)) as logger:
            if not state.evaluated:  # what failed after the newest checkpoint is done first
                self._evaluate(logger)
                newest = self._save(logger)
            if sync_stop(None, _must_stop(config, state, logger.monitor.verdict)).stop:
                raise _collapsed(layout, state.step, logger.monitor.verdict)
            for report in train_steps(config, feed, state):
                terms = logger.log(report)
                self._evaluate(logger)
                verdict = logger.monitor.verdict
                decision = sync_stop(self.stop.received, _must_stop(config, state, verdict))
                if _is_due(config, state) or decision.leave or decision.stop:
                    check_in_step(state)
                    newest = self._save(logger)
                    retries.reset(state.step)
                yield RunReport(state.step, terms, newest, logger.score, verdict)
                if decision.leave and state.step < config.total_steps:
                    raise Interrupted(decision.leave, state.step)
                if decision.stop:
                    raise _collapsed(layout, state.step, verdict)

    def _evaluate(self, logger: RunLogger) -> None:
        """Draw samples and evaluate, then save the best state and the snapshot, where due.

        When the evaluation fails, the step is saved if it is due; its checkpoint says so, and a
        run that continues from it tries again. The best state and the snapshot come before the
        step's checkpoint, because a run that continues from that never returns here.
        """
        state = self.inputs.state
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

    def _save(self, logger: RunLogger) -> Path:
        newest = self.writer.save(self.inputs.state)
        if logger.monitor.is_clear:
            keep_healthy(self.writer.layout, newest)
        return newest


def _run_worker(config: RunConfig, inputs: _Inputs) -> Iterator[RunReport]:
    """Train as one of the other ranks: write nothing, and end when rank 0 does."""
    state = inputs.state
    with report_step_on_loss(state), stop_requests() as stop:
        share_state(state, config)
        retries = RetryBudget(state.step)
        while True:
            try:
                yield from _worker_steps(config, inputs, stop, retries)
                return
            except NonFinite as refusal:
                retries.spend(refusal)
                share_state(state, config)


def _worker_steps(
    config: RunConfig, inputs: _Inputs, stop: StopRequest, retries: RetryBudget
) -> Iterator[RunReport]:
    state, verdict = inputs.state, Verdict("too early to tell", 0, ())
    if sync_stop(None, False).stop:
        raise Collapsed(f"stopped at step {state.step} by rank 0")
    for report in train_steps(config, inputs.feed, state):
        decision = sync_stop(stop.received, False)
        if _is_due(config, state) or decision.leave or decision.stop:
            check_in_step(state)
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


def _must_stop(config: RunConfig, state: TrainState, verdict: Verdict) -> bool:
    """Whether evaluate.on_collapse ends the run here; never after its last step."""
    stops = config.evaluate.on_collapse == "stop" and verdict.state in ("collapsing", "diverged")
    return stops and state.step < config.total_steps


def _collapsed(layout: RunDirectory, step: int, verdict: Verdict) -> Collapsed:
    healthy = healthy_files(layout)
    return Collapsed(
        f"stopped at step {step}: the run is {verdict.state} since step {verdict.since}: "
        f"{'; '.join(verdict.evidence)}; the state is saved; last healthy checkpoint: "
        f"{healthy[0] if healthy else 'none'}; --on-collapse warn continues; {verdict.advice}"
    )
