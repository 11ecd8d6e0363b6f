"""Start, continue or roll back a run, from the newest checkpoint of its directory."""

import logging
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ssgan.config.merge import read_json
from ssgan.config.serialize import difference, dump
from ssgan.data.base import AbstractSource
from ssgan.data.dataset import Dataset
from ssgan.evaluation.selection_metric import same_metric
from ssgan.files import jsonl
from ssgan.files.atomic import TEMPORARY, remove_strays, write_json
from ssgan.files.environment import BITS_DEPEND_ON, describe_environment
from ssgan.files.errors import require_writable, translate_file_errors
from ssgan.files.links import open_unlinked, refuse_links, require_file
from ssgan.files.run_directory import ForgettingDirectory, RunDirectory, parse_step
from ssgan.files.sealed_file import Damaged
from ssgan.ops.collective import num_ranks
from ssgan.runs import checkpoint
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import list_modules, load_config
from ssgan.runs.initial import (
    find_initial_model,
    load_initial_weights,
    require_same_networks,
)
from ssgan.runs.precision import resolve_device, resolve_precision
from ssgan.runs.shapes import BUILDERS, require_shapes
from ssgan.runs.state import TrainState, fresh_state
from ssgan.training.drift import remove_features_after
from ssgan.training.ranks.sharded_checkpoint import merge_newest
from ssgan.types import NonFinite, UserError

_LOG = logging.getLogger("ssgan")
# Settings that change no step.
NOT_LEARNT = ("output", "evaluate", "device", "activation_checkpointing", "shard_state")
_SHOWN = "data.ratio"  # it changes sheets and samples alone


def accept_directory(layout: RunDirectory, config: RunConfig) -> RunConfig:
    """The config, with its precision and the digest of its initial model resolved; writes nothing.

    Both are those of the directory's run, once there is one. Raises UserError when the directory
    holds other files or a run that the config would change, and when a new run does not fit its
    initial model.
    """
    _refuse_other_directory(layout)
    trusted = list_modules(dump(config))
    stored = read_run_config(layout, trusted)
    if config.precision == "auto":
        device = resolve_device(config.device)
        known = resolve_precision("auto", device) if stored is None else stored.precision
        config = replace(config, precision=known)
    if stored is not None:
        config = _with_stored_digest(config, stored)
        refuse_changes(layout.root, stored, config)
    saved, _ = checkpoint.load_newest(layout, trusted)
    if saved is not None:
        _refuse_checkpoint(layout.root, saved, config)
        for name in BUILDERS:
            if name in saved.tensors:
                require_shapes(saved, name)
    elif config.init is not None:
        found = find_initial_model(config.init, trusted)
        require_same_networks(config, found.model)
        config = replace(config, init=found.init)
    return config


def _with_stored_digest(config: RunConfig, stored: RunConfig) -> RunConfig:
    """The config that names its initial model without digest: it is the stored run's."""
    ours, theirs = config.init, stored.init
    same = ours is not None and theirs is not None and ours.model == theirs.model
    return replace(config, init=theirs) if same and ours and ours.sha256 is None else config


def is_finished(config: RunConfig, directory: Path) -> bool:
    """Whether the run of this config in a directory has taken and evaluated its last step.

    Raises UserError as `accept_directory` for a finished run that the config would change.
    """
    layout = RunDirectory(directory)
    newest = layout.checkpoint_files()[:1]
    if not (layout.config.exists() and newest and parse_step(newest[0]) == config.total_steps):
        return False
    accept_directory(layout, config)
    saved, _ = checkpoint.load_newest(layout, list_modules(dump(config)))
    return saved is not None and saved.evaluated and saved.step == config.total_steps


def _refuse_other_directory(layout: RunDirectory) -> None:
    """Raise UserError when no run can start or continue in a directory; writes nothing."""
    root = layout.root
    try:
        if root.exists() and not root.is_dir():
            raise UserError(f"{root} is a file; a run needs a directory")
        started = layout.lock.exists() and not ForgettingDirectory(root).study.exists()
        if root.is_dir() and not (layout.holds_run() or started) and any(root.iterdir()):
            raise UserError(f"{root} holds other files and no run; give an empty or new directory")
        refuse_links(root, *layout.written_names())
    except OSError as error:
        raise UserError(f"{root} cannot be written: {error.strerror}") from None
    require_writable(root)


def create_directory(layout: RunDirectory) -> None:
    """Make an accepted directory; raises UserError, or DiskFull, when it cannot be written."""
    with translate_file_errors(layout.root):
        layout.root.mkdir(parents=True, exist_ok=True)
        # the lock first, so that the directory counts as a run's from here on
        open(layout.lock, "ab", opener=open_unlinked).close()
        probe = layout.root / TEMPORARY.format(secrets.token_hex(8))
        probe.touch(exist_ok=False)
        probe.unlink(missing_ok=True)


def resume(
    layout: RunDirectory,
    config: RunConfig,
    dataset: Dataset,
    state: TrainState,
    *,
    accept_new_data: bool = False,
) -> Path | None:
    """Load the newest whole checkpoint into the fresh state; None when the run is new.

    Logs are cut back to its step; metrics to the step before, when its evaluation failed. Raises
    UserError for changed settings, and for changed images unless they are accepted.
    """
    for folder in layout.written_folders():  # of killed saves: whoever holds the lock may do so
        remove_strays(folder)
    merge_newest(layout)
    saved, passed_over = checkpoint.load_newest(layout, list_modules(dump(config)))
    for sentence in passed_over:
        _LOG.warning("passed over: %s", sentence)
    if saved is None and layout.checkpoint_files():
        raise UserError(
            f"{layout.root} has checkpoints and none is whole: {'; '.join(passed_over)}"
            f"{checkpoint.name_whole_copies(layout)}; or start in a new directory, or remove them "
            "to start over"
        )
    if saved is not None:
        _refuse_checkpoint(layout.root, saved, config)  # config.json may be another run's
        is_other_data = _is_other_data(layout.root, saved, config, dataset, accept_new_data)
        checkpoint.set_aside_damaged(layout, saved)
        checkpoint.restore(state, saved)
        _forget_other_score(saved, config, state, is_other_data)
        _LOG.info("continuing from step %d of %s", saved.step, layout.root)
        _say_lost_lines(layout, saved)
    for path in (layout.log, layout.events):
        jsonl.cut_back(path, state.step)
    jsonl.cut_back(layout.metrics, state.step if state.evaluated else state.step - 1)
    remove_features_after(layout, state.step)
    write_json(layout.config, dump(config))
    write_json(layout.manifest, {"content_hash": dataset.content_hash, **dataset.manifest})
    _write_environment(layout, config)
    return None if saved is None else saved.path


def begin_from_model(state: TrainState, config: RunConfig, classes: Sequence[str]) -> None:
    """Load the weights of `config.init`, if any, into the fresh state of a new run, and say so."""
    if config.init is None:
        return
    model, init = find_initial_model(config.init, list_modules(dump(config)))
    words = load_initial_weights(state, config, classes, model)
    which = "weights" if "generator" in model.tensors else "averaged weights"
    found = f"the {which} of {init.model}, step {model.step:,}, sha256 {str(init.sha256)[:12]}"
    level = logging.WARNING if words else logging.INFO
    _LOG.log(level, "%s", "; ".join([f"the run begins with {found}", *words]))


def roll_back(
    writer: checkpoint.CheckpointWriter,
    config: RunConfig,
    dataset: Dataset,
    state: TrainState,
    refusal: NonFinite,
    *,
    accept_new_data: bool = False,
) -> Path:
    """Restore the newest checkpoint (or the start) with one more rollback, and save it.

    The best score stays, even that of a step that is undone. The count is saved at once: whatever
    happens to the process, these steps never see the same random numbers again.
    """
    layout, rollbacks = writer.layout, state.rollbacks + 1
    _restart(config, dataset, state)
    resume(layout, config, dataset, state, accept_new_data=accept_new_data)
    _keep_best(layout, config, dataset, state)
    state.rollbacks = rollbacks
    newest = writer.save(state)
    words = f"{refusal}; rolled back to step {state.step}, continuing with other random numbers"
    _LOG.warning("%s", words)
    row = {"step": state.step, "verdict": "diverged", "alarm": "rolled back", "evidence": [words]}
    jsonl.append(layout.events, row)
    return newest


def _keep_best(
    layout: RunDirectory, config: RunConfig, dataset: Dataset, state: TrainState
) -> None:
    """Take over the score of best/, which may be of an undone step: its generator is as good."""
    try:
        best = checkpoint.load_checkpoint(layout.best_checkpoint(), list_modules(dump(config)))
    except (Damaged, UserError):  # or there is none yet
        return
    comparable = same_metric(best.config.evaluate, config.evaluate)
    if best.best_score is None or not comparable or best.data_hash != dataset.content_hash:
        return
    if state.best_score is None or best.best_score < state.best_score:
        state.best_score, state.best_step = best.best_score, best.best_step


def _restart(config: RunConfig, dataset: Dataset, state: TrainState) -> None:
    """Make the state a fresh one, in place."""
    device = next(state.generator.parameters()).device
    fresh = fresh_state(config, dataset.num_classes, device)
    for name in checkpoint.PARTS:
        getattr(state, name).load_state_dict(getattr(fresh, name).state_dict())
    state.step, state.best_score, state.best_step = 0, None, 0


def read_run_config(layout: RunDirectory, trusted_modules: Sequence[str] = ()) -> RunConfig | None:
    """The settings of the run in a directory; None when there is none yet.

    From its newest checkpoint when config.json is missing. Raises UserError for settings of
    classes that are neither of ssgan nor of the trusted modules.
    """
    for path in layout.written_names():
        require_file(path)
    if layout.config.exists():
        return load_config(read_json(layout.config), trusted_modules, str(layout.config))
    saved, _ = checkpoint.load_newest(layout, trusted_modules)
    return None if saved is None else saved.config


class RunRecord(NamedTuple):
    """What a run began with, as its manifest says."""

    content_hash: str | None = None  # of its images; None: there is no run yet
    classes: tuple[str, ...] = ()  # runs of earlier versions count those without images, too

    @staticmethod
    def of(words: Sequence[str]) -> "RunRecord":
        """The record in the words of `read_run_record`."""
        return RunRecord(words[0], tuple(words[1:])) if words else RunRecord()


def read_run_record(layout: RunDirectory) -> list[str]:
    """The words of a directory's RunRecord, to be shared with other ranks; none for a new run."""
    try:
        manifest = read_json(layout.manifest)
        return [str(manifest["content_hash"]), *map(str, manifest["classes"])]
    except (OSError, UserError, KeyError, TypeError):  # a new run, or a damaged record
        return []


def may_change(path: str, config: RunConfig) -> bool:
    """Whether a setting may change when a run continues, because it changes none of its steps."""
    if path == "total_steps":
        return config.learning_rate_decay == "none" and not config.method.changes
    if path in [one.path for one in difference(config, config.without_places())]:
        return True  # images and initial model may move: their digests are compared
    return path == _SHOWN or path.split(".")[0] in NOT_LEARNT


@contextmanager
def ask_for_place(layout: RunDirectory, source: AbstractSource) -> Iterator[None]:
    """Within the block, which opens the images of a run, a UserError says how to name a place."""
    try:
        yield
    except UserError as error:
        if not layout.holds_run() or source == source.without_place():
            raise
        raise UserError(
            f"{error}; if the images of this run were moved, give their new place: ssgan train "
            f"{layout.root} --data SOURCE"
        ) from None


def refuse_changes(root: Path, stored: RunConfig, config: RunConfig) -> None:
    """Raise UserError naming every setting that differs and would change the training."""
    differing = difference(stored.without_places(), config.without_places())
    changed = [str(one) for one in differing if not may_change(one.path, config)]
    if changed:
        raise UserError(f"{root} holds a run with other settings: {'; '.join(changed)}")


def _refuse_checkpoint(root: Path, saved: checkpoint.Checkpoint, config: RunConfig) -> None:
    refuse_changes(root, saved.config, config)
    if saved.step > config.total_steps:
        raise UserError(
            f"{root} is already at step {saved.step}, beyond total_steps {config.total_steps}: "
            "there is nothing to do; more steps would continue it"
        )


def _is_other_data(
    root: Path, saved: checkpoint.Checkpoint, config: RunConfig, dataset: Dataset, accept: bool
) -> bool:
    """Whether the images are others than the checkpoint's; UserError unless they are accepted."""
    if saved.data_hash == dataset.content_hash:
        return False
    hashes = f"content {saved.data_hash[:12]}, now {dataset.content_hash[:12]}"
    if not accept:
        raise UserError(
            f"{root} was trained on other images ({hashes}): put the images back, start in a new "
            "directory, or continue on these with --accept-new-data"
        )
    if config.method.conditional and saved.classes != dataset.classes:
        raise UserError(
            f"{root} was trained with the classes {', '.join(saved.classes)}, and these images "
            f"have {', '.join(dataset.classes) or 'none'}: start in a new directory"
        )
    _LOG.warning("%s continues on other images (%s), as --accept-new-data says", root, hashes)
    return True


def _say_lost_lines(layout: RunDirectory, saved: checkpoint.Checkpoint) -> None:
    """Log a warning for a log that ends before its checkpoint: the lines between were lost.

    A gap as long as the one before the last line is needed: the settings may have changed since.
    """
    config, step = saved.config, saved.step
    evaluated = step if saved.evaluated else step - 1
    for path, every, reached in (
        (layout.log, config.output.log_every, step),
        (layout.metrics, config.evaluate.every, evaluated),
    ):
        due = reached // every * every if every else 0
        *_, before, last = 0, 0, *jsonl.list_steps(path, reached)
        if due - last >= max(1, last - before):
            _LOG.warning(
                "%s ends at step %d and the checkpoint is of step %d: lines between them are lost, "
                "and the run goes on without them",
                *(path, last, step),
            )


def _forget_other_score(
    saved: checkpoint.Checkpoint, config: RunConfig, state: TrainState, is_other_data: bool
) -> None:
    """Forget a best score that cannot be compared with those from here on."""
    is_same = same_metric(saved.config.evaluate, config.evaluate) and not is_other_data
    if state.best_score is None or is_same:
        return
    state.best_score, state.best_step = None, 0
    what = "the images" if is_other_data else "evaluate.images or evaluate.features"
    _LOG.warning("the best score starts over: %s changed", what)


def _write_environment(layout: RunDirectory, config: RunConfig) -> None:
    """Write the environment of this part of the run; log what changed since the last one."""
    now = describe_environment(str(resolve_device(config.device)), config.precision)
    now["processes"] = num_ranks()
    before: dict[str, object] = {}
    if layout.environment.exists():
        try:
            before = read_json(layout.environment)
        except UserError as fault:  # a record, on which no result depends
            _LOG.warning("%s; it is replaced", fault)
    keys = (*BITS_DEPEND_ON, "processes")
    changed = [key for key in keys if before.get(key, now[key]) != now[key]]
    if changed:
        _LOG.warning("bits may differ from the first part: %s changed", ", ".join(changed))
    write_json(layout.environment, {**now, "process": os.getpid()})
