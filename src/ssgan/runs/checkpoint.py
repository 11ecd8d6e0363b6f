"""A state in one verified file: all of one instant, or nothing.

The file is a payload (tensors and one JSON text, read with weights_only) and a trailer with its
sha256, for neither torch.load nor safetensors notices a flipped bit. It is written under a
temporary name, forced to disk and renamed, so at every instant the newest whole file is there.
"""

import hashlib
import io
import json
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils._pytree import keystr, tree_leaves_with_path

from ssgan.config.serialize import dump
from ssgan.files import jsonl
from ssgan.files.atomic import TEMPORARY, sync_folder, write_atomic
from ssgan.files.run_directory import FORMAT_VERSION, RunDirectory, list_step_files, parse_step
from ssgan.files.sealed_file import SealedFile
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import load_config
from ssgan.runs.state import TrainState
from ssgan.types import UserError

_MAGIC = b"ssgan1"
_TRAILER = len(_MAGIC) + 32
_NETWORKS = ("generator", "discriminator", "generator_ema")
_SNAPSHOT = ("discriminator", "generator_ema")
_OPTIMIZERS = ("generator_optimizer", "discriminator_optimizer")
PARTS = (*_NETWORKS, *_OPTIMIZERS)  # of a TrainState, each with a state dict


class Damaged(Exception):  # noqa: N818 - named for the reader, as a state of the world
    """A checkpoint file that is not what was once written; the message says how."""


@dataclass(frozen=True)
class Checkpoint:
    """A read file, before its tensors are put into networks."""

    path: Path
    config: RunConfig
    data_hash: str  # content hash of the images it was trained on
    num_classes: int  # of the data; 0 without labels
    classes: tuple[str, ...]
    step: int
    best_score: float | None
    best_step: int
    rollbacks: int
    evaluated: bool
    tensors: dict[str, dict[str, object]]  # state dicts by the names of TrainState


def no_crash(point: str) -> None:
    """What happens at every named point of a save: nothing. Fault tests end the process here."""


def save(
    layout: RunDirectory,
    state: TrainState,
    facts: dict[str, object],
    crash: Callable[[str], None] = no_crash,
) -> Path:
    """Write the state after its step, keep the two newest files, return the new one's path.

    What was logged until then is forced to disk first: a run that continues never logs it again.
    """
    for log in (layout.log, layout.metrics, layout.events):
        jsonl.force_to_disk(log)
    sync_folder(layout.root)
    path = layout.checkpoint(state.step)
    tensors = {name: getattr(state, name).state_dict() for name in PARTS}
    _write(path, state, {**facts, "looked_at": state.evaluated}, tensors, crash)
    for old in layout.checkpoint_files()[2:]:
        old.unlink(missing_ok=True)
        crash("pruned")
    return path


def save_best(
    layout: RunDirectory,
    state: TrainState,
    facts: dict[str, object],
    crash: Callable[[str], None] = no_crash,
) -> None:
    """Write the averaged generator alone: something to sample from, not to resume from."""
    tensors = {"generator_ema": state.generator_ema.state_dict()}
    _write(layout.best_checkpoint(), state, facts, tensors, crash)


def save_snapshot(
    layout: RunDirectory,
    state: TrainState,
    facts: dict[str, object],
    crash: Callable[[str], None] = no_crash,
) -> None:
    """Write D and the averaged generator where nothing is pruned: to probe, not to resume from."""
    tensors = {name: getattr(state, name).state_dict() for name in _SNAPSHOT}
    _write(layout.snapshot(state.step), state, facts, tensors, crash)


def checkpoint_facts(
    config: RunConfig, data_hash: str, classes: tuple[str, ...]
) -> dict[str, object]:
    """What a checkpoint states beside its tensors."""
    return {"config": dump(config), "data_hash": data_hash, "classes": list(classes)}


def state_tensors(state: TrainState) -> list[torch.Tensor]:
    """Every tensor that a checkpoint of the state holds, in a fixed order."""
    return _tensors_of(state, PARTS)


def snapshot_tensors(state: TrainState) -> list[torch.Tensor]:
    """Every tensor that a kept state holds, in a fixed order."""
    return _tensors_of(state, _SNAPSHOT)


def named_tensors(state: TrainState) -> list[tuple[str, torch.Tensor]]:
    """The same, each with its path: "generator['blocks.0.first.weight']"."""
    return _named_tensors_of(state, PARTS)


def _tensors_of(state: TrainState, names: Sequence[str]) -> list[torch.Tensor]:
    return [tensor for _, tensor in _named_tensors_of(state, names)]


def _named_tensors_of(state: TrainState, names: Sequence[str]) -> list[tuple[str, torch.Tensor]]:
    found: list[tuple[str, torch.Tensor]] = []
    for name in names:
        for path, leaf in tree_leaves_with_path(getattr(state, name).state_dict()):
            if isinstance(leaf, torch.Tensor):
                found.append((name + keystr(path), leaf))
    return found


def digest(state: TrainState) -> str:
    """sha256 over the bytes of every tensor and the step: equal only for equal states."""
    whole = hashlib.sha256(f"{progress_facts(state)}".encode())
    for tensor in state_tensors(state):
        whole.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()


def progress_facts(state: TrainState | Checkpoint) -> dict[str, object]:
    """What both hold beside tensors."""
    names = ("step", "best_score", "best_step", "rollbacks")
    return {name: getattr(state, name) for name in names}


def _write(
    path: Path,
    state: TrainState,
    facts: dict[str, object],
    tensors: dict[str, dict[str, Any]],
    crash: Callable[[str], None],
) -> None:
    write_sealed(path, {**facts, **progress_facts(state)}, tensors, crash)


def write_sealed(
    path: Path,
    facts: dict[str, object],
    tensors: dict[str, dict[str, Any]],
    crash: Callable[[str], None] = no_crash,
) -> None:
    """Write facts (JSON values) and state dicts with their sha256, whole or not at all."""
    buffer = io.BytesIO()
    torch.save({"facts": json.dumps({"format": FORMAT_VERSION, **facts}), **tensors}, buffer)
    payload = buffer.getvalue()
    crash("serialised")
    path.parent.mkdir(exist_ok=True)  # its own parent is the run: gone means somebody removed it
    write_atomic(path, payload + _MAGIC + hashlib.sha256(payload).digest(), crash=crash)


def load_checkpoint(path: Path, trusted_modules: Sequence[str] = ()) -> Checkpoint:
    """Verify and read a file; raises Damaged when its bytes are not those once written by ssgan.

    Whatever else is in the way (rights, a disk error, memory, a newer format) is a UserError: the
    file may be good, so it must not be passed over.

    Settings in it may be of classes of ssgan and of the `trusted_modules`, as in `stored_config`.
    """
    return parse_checkpoint(read_verified(path), path, trusted_modules)


def parse_checkpoint(payload: bytes, path: Path, trusted_modules: Sequence[str] = ()) -> Checkpoint:
    """The checkpoint in a verified payload; the path is for people. Errors as in `read`."""
    try:
        content = unpack(payload)
        facts = json.loads(content.pop("facts"))
        if facts["format"] > FORMAT_VERSION:
            raise UserError(
                f"{path} was written by a newer ssgan, in format {facts['format']}; this one "
                f"reads formats up to {FORMAT_VERSION}: update ssgan"
            )
        config = load_config(facts["config"], trusted_modules, str(path))
        return Checkpoint(
            path=path,
            config=config,
            data_hash=facts["data_hash"],
            num_classes=len(facts["classes"]),
            classes=tuple(facts["classes"]),
            step=facts["step"],
            best_score=facts["best_score"],
            best_step=facts["best_step"],
            rollbacks=facts.get("rollbacks", 0),  # files of before have none
            evaluated=facts.get("looked_at", True),
            tensors=content,
        )
    except UserError:
        raise
    except RecursionError as error:
        raise Damaged(f"{path} is not a checkpoint of ssgan: too deeply nested") from error
    except Exception as error:  # pickle, zip, torch and JSON have many types for one thing
        raise UserError(
            f"{path} is whole but cannot be used ({type(error).__name__}): not a checkpoint of "
            "ssgan, or this machine lacks the memory or the version of torch to read it"
        ) from error


def read_verified(path: Path) -> bytes:
    """The payload of a sealed file; raises Damaged when its bytes are not those once written.

    Sizes are bounded from the end of the file before it is read: UserError for one that is larger
    than this machine's memory, Damaged for one that would unpack to more than it has.
    """
    try:
        with SealedFile(path, _TRAILER) as file:
            file.seek(file.size)
            if io.FileIO.read(file, len(_MAGIC)) != _MAGIC:  # beyond what file.read gives
                raise Damaged(f"{path} is cut short or not a checkpoint of ssgan")
            file.check_archive()
            _refuse_beyond_memory(path, file.size)
            file.seek(0)
            data = file.readall()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise Damaged(f"{path} is no file") from error
    except OSError as error:  # the bytes may be as good as ever: nothing to pass over
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Damaged(f"{path} is damaged or not a checkpoint of ssgan: {error}") from error
    payload, digest = data[:-_TRAILER], data[-_TRAILER + len(_MAGIC) :]
    if hashlib.sha256(payload).digest() != digest:
        raise Damaged(f"{path} does not match its sha256: its bytes have changed")
    return payload


def _refuse_beyond_memory(path: Path, size: int) -> None:
    sysconf = getattr(os, "sysconf", None)  # Windows has none: MemoryError must do
    if sysconf is None:
        return
    memory = sysconf("SC_PHYS_PAGES") * sysconf("SC_PAGE_SIZE")
    if size > memory:
        raise UserError(
            f"{path} has {size / 1e9:.0f} GB, and this machine {memory / 1e9:.0f} GB of memory: "
            "it cannot be read here"
        )


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


def set_aside_damaged(layout: RunDirectory, good: Checkpoint) -> None:
    """Rename the files newer than the good one, so that they never count among the newest."""
    for path in layout.checkpoint_files():
        if path == good.path:
            break
        path.rename(path.with_suffix(".damaged"))


def load_part(part: nn.Module | Optimizer, checkpoint: Checkpoint, name: str) -> None:
    """Load the state dict of that name; UserError when the file has none or it does not fit."""
    try:
        part.load_state_dict(checkpoint.tensors[name])
    except Exception as error:  # whatever stands where tensors should
        reason = " ".join(str(error).split())
        raise UserError(f"{checkpoint.path} does not fit {name}: {reason}") from error


def restore(state: TrainState, checkpoint: Checkpoint) -> None:
    """Put everything a checkpoint holds into a fresh state."""
    for name in PARTS:
        if name not in checkpoint.tensors:
            raise UserError(
                f"{checkpoint.path} holds no {name}: it is a state to probe or to sample from, and "
                "no run continues from it; remove it from there"
            )
        load_part(getattr(state, name), checkpoint, name)
    state.step = checkpoint.step
    state.best_score, state.best_step = checkpoint.best_score, checkpoint.best_step
    state.rollbacks, state.evaluated = checkpoint.rollbacks, checkpoint.evaluated


def keep_healthy(layout: RunDirectory, saved: Path) -> Path:
    """Give a whole checkpoint a second name in healthy/, then remove the one that was there.

    A hard link, which takes no room while checkpoints/ has the file too; a copy where the file
    system has no links. At every instant at least one is there, once there was one.
    """
    target = layout.healthy_checkpoint(parse_step(saved))
    layout.healthy.mkdir(exist_ok=True)
    temporary = layout.healthy / TEMPORARY.format(secrets.token_hex(8))
    try:
        os.link(saved, temporary)
    except OSError:
        shutil.copyfile(saved, temporary)
    os.replace(temporary, target)
    temporary.unlink(missing_ok=True)  # replacing a name of the same file does nothing
    sync_folder(layout.healthy)
    for older in healthy_files(layout):
        if older != target:
            older.unlink(missing_ok=True)
    return target


def healthy_files(layout: RunDirectory) -> list[Path]:
    """What is kept, newest first: at most one, and two for an instant."""
    return sorted(list_step_files(layout.healthy, "ckpt"), key=parse_step, reverse=True)
