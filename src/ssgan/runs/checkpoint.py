"""A checkpoint: the state after one step, with its settings, in one verified file.

Tensors and one JSON text are read with weights_only; their sha256 follows (`files.sealed_file`).
The file is written under a temporary name, forced to disk and renamed: the newest whole file is
always there, whenever the process dies.
"""

import io
import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils._pytree import keystr, tree_leaves_with_path

from ssgan.config.serialize import dump
from ssgan.files import jsonl
from ssgan.files.atomic import TEMPORARY, sync_folder
from ssgan.files.links import require_file
from ssgan.files.names import printable
from ssgan.files.run_directory import FORMAT_VERSION, RunDirectory, list_step_files, parse_step
from ssgan.files.sealed_file import Damaged, read_verified, write_sealed
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import load_config
from ssgan.runs.facts import read_facts
from ssgan.runs.fitting import load_network, load_optimizer
from ssgan.runs.state import TrainState
from ssgan.types import UserError

PARTS = (  # of a TrainState, each with a state dict
    "generator",
    "discriminator",
    "generator_ema",
    "generator_optimizer",
    "discriminator_optimizer",
)
SNAPSHOT = ("discriminator", "generator_ema")  # the parts in a snapshot
_FOREIGN = "; `ssgan import {} --out MODEL.safetensors` reads weights of other programs"


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds."""

    path: Path
    config: RunConfig
    data_hash: str  # content hash of the training images
    num_classes: int  # of the data; 0 without labels
    classes: tuple[str, ...]
    step: int
    best_score: float | None
    best_step: int
    rollbacks: int
    evaluated: bool
    tensors: dict[str, dict[str, object]]  # state dicts by the names of TrainState


@runtime_checkable
class StoredNetworks(Protocol):
    """State dicts of networks, with what builds them: a checkpoint, or a model's file."""

    @property
    def path(self) -> Path:
        """Their file, for messages."""

    @property
    def config(self) -> RunConfig:
        """The settings of their run."""

    @property
    def num_classes(self) -> int:
        """Classes of the data; 0 without labels."""

    @property
    def tensors(self) -> Mapping[str, Mapping[str, object]]:
        """State dicts by the names of TrainState."""


def no_crash(point: str) -> None:
    """Do nothing at a named point of a save. Fault tests end the process there instead."""


class CheckpointWriter:
    """Writes the checkpoints of one run; each states the run's settings and data."""

    def __init__(
        self,
        layout: RunDirectory,
        config: RunConfig,
        data_hash: str,
        classes: Sequence[str],
        crash: Callable[[str], None] = no_crash,
    ) -> None:
        self.layout, self.crash = layout, crash
        self.facts = {"config": dump(config), "data_hash": data_hash, "classes": list(classes)}

    def save(self, state: TrainState) -> Path:
        """Write the state after its step, and keep the two newest files; returns the new one."""
        self.force_logs()
        path = self.layout.checkpoint(state.step)
        self._write(path, state, PARTS, evaluated=state.evaluated)
        for old in self.layout.checkpoint_files()[2:]:
            old.unlink(missing_ok=True)
            self.crash("pruned")
        return path

    def force_logs(self) -> None:
        """Force log lines to disk, before a save: a run that continues never writes them again."""
        for log in (self.layout.log, self.layout.metrics, self.layout.events):
            jsonl.force_to_disk(log)
        sync_folder(self.layout.root)

    def save_best(self, state: TrainState) -> None:
        """Write the averaged generator alone: to sample from, not to resume from."""
        self._write(self.layout.best_checkpoint(), state, ["generator_ema"])

    def save_snapshot(self, state: TrainState) -> None:
        """Write D and the averaged generator, which are never pruned: to probe, not to resume."""
        self._write(self.layout.snapshot(state.step), state, SNAPSHOT)

    def _write(self, path: Path, state: TrainState, parts: Sequence[str], **facts: bool) -> None:
        tensors = {name: getattr(state, name).state_dict() for name in parts}
        write_tensors(path, {**self.facts, **facts, **progress_facts(state)}, tensors, self.crash)


def state_tensors(state: TrainState, parts: Sequence[str] = PARTS) -> list[torch.Tensor]:
    """Every tensor of these parts of the state, in a fixed order."""
    return [tensor for _, tensor in named_tensors(state, parts)]


def named_tensors(
    state: TrainState, parts: Sequence[str] = PARTS
) -> list[tuple[str, torch.Tensor]]:
    """The tensors of these parts, each with its path: "generator['blocks.0.first.weight']"."""
    return [
        (name + keystr(path), leaf)
        for name in parts
        for path, leaf in tree_leaves_with_path(getattr(state, name).state_dict())
        if isinstance(leaf, torch.Tensor)
    ]


def progress_facts(state: TrainState | Checkpoint) -> dict[str, object]:
    """What a state and a checkpoint hold beside tensors."""
    names = ("step", "best_score", "best_step", "rollbacks")
    return {name: getattr(state, name) for name in names}


def write_tensors(
    path: Path,
    facts: dict[str, object],
    tensors: dict[str, dict[str, Any]],
    crash: Callable[[str], None] = no_crash,
) -> None:
    """Write facts (JSON values) and state dicts into one sealed file, whole or not at all."""
    buffer = io.BytesIO()
    torch.save({"facts": json.dumps({"format": FORMAT_VERSION, **facts}), **tensors}, buffer)
    payload = buffer.getvalue()
    crash("serialised")
    path.parent.mkdir(exist_ok=True)  # not its parents: without a run directory saving must fail
    write_sealed(path, payload, crash)


def load_checkpoint(path: Path, trusted_modules: Sequence[str] = ()) -> Checkpoint:
    """Verify and read a file; raises Damaged when its bytes are not those once written.

    Any other obstacle (rights, a disk error, memory, a newer format) is a UserError: the file may
    be good, so nobody must fall back on an older one. Settings may be of classes of ssgan and of
    the trusted modules.
    """
    return parse_checkpoint(read_verified(path), path, trusted_modules)


def parse_checkpoint(payload: bytes, path: Path, trusted_modules: Sequence[str] = ()) -> Checkpoint:
    """The checkpoint in a verified payload; the path is for messages. Errors as when loading."""
    try:
        content = unpack(payload)
        facts = read_facts(content.pop("facts", None), path)
        config = load_config(facts["config"], trusted_modules, str(path))
        return Checkpoint(
            path=path,
            config=config,
            data_hash=facts["data_hash"],
            num_classes=len(facts["classes"]),
            classes=tuple(map(printable, facts["classes"])),
            step=facts["step"],
            best_score=facts["best_score"],
            best_step=facts["best_step"],
            rollbacks=facts.get("rollbacks", 0),  # absent in the oldest files
            evaluated=facts.get("evaluated", facts.get("looked_at", True)),  # 0.1: looked_at
            tensors=content,
        )
    except (UserError, Damaged):
        raise
    except RecursionError as error:
        raise Damaged(f"{path} is not a checkpoint of ssgan: too deeply nested") from error
    except Exception as error:  # pickle, zip, torch and JSON have many types for one thing
        raise UserError(
            f"{path} is whole but cannot be used ({type(error).__name__}): not a checkpoint of "
            "ssgan, or this machine lacks the memory or the version of torch to read it"
        ) from error


def unpack(payload: bytes) -> dict[str, Any]:
    """The tables of a verified payload, "facts" as JSON text; nothing in it is run."""
    content: dict[str, Any] = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    return content


def load_newest(
    layout: RunDirectory, trusted_modules: Sequence[str] = ()
) -> tuple[Checkpoint | None, list[str]]:
    """The newest whole checkpoint, and a sentence for each newer file that was passed over."""
    passed_over: list[str] = []
    for path in layout.checkpoint_files():
        try:
            found = load_checkpoint(path, trusted_modules)
            if layout.checkpoint(found.step) != path:
                raise Damaged(f"{path} holds step {found.step}, against its name")
            return found, passed_over
        except Damaged as damage:
            if path.exists():  # else a living run has just pruned it
                passed_over.append(str(damage))
    return None, passed_over


class FoundState(NamedTuple):
    """A checkpoint, and a sentence for each newer file that was passed over."""

    checkpoint: Checkpoint
    passed_over: list[str]


def find_state(
    path: Path, *, best: bool = False, trusted_modules: Sequence[str] = ()
) -> FoundState:
    """The newest (or the best) state of a run directory, or the state in one checkpoint file.

    The best state holds the averaged generator alone. Settings of classes outside ssgan are read
    when their module is trusted. Raises UserError when there is no such state or its file is
    damaged.
    """
    if path.is_file() or best:
        file = path if path.is_file() else RunDirectory(path).best_checkpoint()
        if not file.exists():
            raise UserError(f"{file} is not there: the run has no score yet (evaluate.every)")
        try:
            return FoundState(load_checkpoint(file, trusted_modules), [])
        except Damaged as damage:
            hint = _FOREIGN if path.suffix in (".pth", ".npz") else ""
            raise UserError(f"{damage}{hint.format(path)}") from None
    require_file(path)
    if not path.is_dir():
        raise UserError(f"{path} is not there; give a run directory or a checkpoint file")
    layout = RunDirectory(path)
    found, passed_over = load_newest(layout, trusted_modules)
    if found is None:
        reason = passed_over[0] if passed_over else "it has no checkpoint yet"
        if layout.shard_folders():
            reason = f"its newest state is in parts, which `ssgan train {path}` merges"
        raise UserError(f"no state to read in {path}: {reason}{name_whole_copies(layout)}")
    return FoundState(found, passed_over)


def name_whole_copies(layout: RunDirectory) -> str:
    """The end of a refusal: states outside checkpoints/ that are whole, and what uses them."""
    ways = [
        *((f, f"copy {f} into {layout.checkpoints} to continue") for f in healthy_files(layout)),
        (layout.best_checkpoint(), f"`ssgan sample {layout.root} --best` samples from the best"),
        *((f, f"`ssgan sample {f}` samples from it") for f in layout.snapshot_files()[:1]),
    ]
    whole = [words for file, words in ways if file.is_file() and _is_whole(file)]
    return f"; still whole: {'; '.join(whole)}" if whole else ""


def _is_whole(path: Path) -> bool:
    try:
        return bool(read_verified(path))
    except (Damaged, UserError):
        return False


def set_aside_damaged(layout: RunDirectory, good: Checkpoint) -> None:
    """Rename the files newer than the good one, so that they never count among the newest."""
    for path in layout.checkpoint_files():
        if path == good.path:
            break
        path.rename(path.with_suffix(".damaged"))


def load_part(part: nn.Module | Optimizer, checkpoint: StoredNetworks, name: str) -> None:
    """Load the state dict of that name; UserError when the file has none or it does not fit."""
    stored = checkpoint.tensors.get(name)
    try:
        if not isinstance(stored, dict):
            raise TypeError("it has no such table")
        if isinstance(part, nn.Module):
            load_network(part, stored)
        else:
            load_optimizer(part, stored)
    except Exception as error:  # torch has many types for state dicts that do not fit
        reason = " ".join(str(error).split())
        raise UserError(f"{checkpoint.path} does not fit {name}: {reason}") from error


def restore(state: TrainState, checkpoint: Checkpoint) -> None:
    """Load a whole checkpoint into a state of the same settings; UserError for a snapshot."""
    for name in PARTS:
        if name not in checkpoint.tensors:
            raise UserError(
                f"{checkpoint.path} holds no {name}: no run can continue from a snapshot; remove "
                "it from there"
            )
        load_part(getattr(state, name), checkpoint, name)
    state.step = checkpoint.step
    state.best_score, state.best_step = checkpoint.best_score, checkpoint.best_step
    state.rollbacks, state.evaluated = checkpoint.rollbacks, checkpoint.evaluated


def keep_healthy(layout: RunDirectory, saved: Path) -> Path:
    """Give a checkpoint a second name in healthy/, then remove the older one there.

    A hard link takes no room while checkpoints/ has the file too; where the file system has no
    links it is a copy. Once there is one in healthy/, there always is.
    """
    target = layout.healthy_checkpoint(parse_step(saved))
    layout.healthy.mkdir(exist_ok=True)
    temporary = layout.healthy / TEMPORARY.format(secrets.token_hex(8))
    link_or_copy(saved, temporary)
    os.replace(temporary, target)
    temporary.unlink(missing_ok=True)  # replacing a name of the same file does nothing
    sync_folder(layout.healthy)
    for older in healthy_files(layout):
        if older != target:
            older.unlink(missing_ok=True)
    return target


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Give a file a second name, or copy it where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def healthy_files(layout: RunDirectory) -> list[Path]:
    """The checkpoints in healthy/, newest first: at most one, and two for an instant."""
    return sorted(list_step_files(layout.healthy, "ckpt"), key=parse_step, reverse=True)
