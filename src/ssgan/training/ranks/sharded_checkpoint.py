"""Checkpoints of which every rank writes its part, and their merge into one file.

    checkpoints/step-00000100.shards/facts.json
    checkpoints/step-00000100.shards/shard-00001-model-00001-of-00001.safetensors   one a rank

PyTorch's distributed checkpoint (DCP) writes safetensors, which hold no code. A folder gets its
name once it is whole. A run that continues, with any number of processes, first merges the newest
one into an ordinary checkpoint. All ranks must see one file system.
"""

import hashlib
import logging
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch

from ssgan.config.merge import read_json
from ssgan.files.atomic import sync_folder, write_json
from ssgan.files.errors import translate_file_errors
from ssgan.files.run_directory import RunDirectory, parse_step
from ssgan.files.sealed_file import Damaged
from ssgan.ops.collective import gather_from_ranks, rank, wait_for_ranks
from ssgan.runs.checkpoint import (
    CheckpointWriter,
    healthy_files,
    link_or_copy,
    named_tensors,
    progress_facts,
    write_tensors,
)
from ssgan.runs.state import TrainState
from ssgan.training.ranks.sharding import OPTIMIZERS, list_scalars, translate_lost_peer, unflatten
from ssgan.types import UserError

_LOG = logging.getLogger("ssgan")
_FACTS = "facts.json"
_SHARD = (
    "shard-{:05d}-model-00001-of-00001.safetensors"  # DCP's name for the file of a rank, from 1
)
_DIGEST_BYTES = 32


def save_shards(state: TrainState, layout: RunDirectory, writer: CheckpointWriter | None) -> Path:
    """Write the part of every rank, whole or not at all; returns the folder, the same on all ranks.

    Rank 0 alone has a writer. It keeps the two newest folders. Raises DiskFull or UserError on all
    ranks when one cannot write.
    """
    folder = layout.checkpoint(state.step).with_suffix(".shards")
    unfinished = folder.with_name(f".{folder.name}")
    with translate_file_errors(unfinished):
        if writer is not None:
            writer.force_logs()
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
        wait_for_ranks()
        _write_parts(unfinished, state)
        digests = gather_from_ranks(_digest_own(unfinished))
        if writer is not None:
            facts = _collect_facts(state, writer, digests)
            write_json(unfinished / _FACTS, facts)
            sync_folder(unfinished)
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.rename(folder)
            sync_folder(folder.parent)
            for old in layout.shard_folders()[2:]:
                shutil.rmtree(old)
    return folder


def _write_parts(folder: Path, state: TrainState) -> None:
    """Raises the OSError of any rank on all of them."""
    dcp = _import_dcp()
    shards = dcp.HuggingFaceStorageWriter(str(folder), save_distributed=True)
    try:
        with translate_lost_peer():
            dcp.save(dict(named_tensors(state)), storage_writer=shards)
    except dcp.api.CheckpointException as refused:
        reasons = [reason for reason, _ in refused.failures.values()]
        raise next((r for r in reasons if isinstance(r, OSError)), reasons[0]) from None


def _digest_own(folder: Path) -> torch.Tensor:
    """The sha256 of the file of this rank, as bytes; zeros where DCP gave it nothing to write."""
    file = folder / _SHARD.format(rank() + 1)
    digest = bytes.fromhex(_digest(file)) if file.exists() else bytes(_DIGEST_BYTES)
    return torch.frombuffer(bytearray(digest), dtype=torch.uint8)


def _collect_facts(
    state: TrainState, writer: CheckpointWriter, digests: torch.Tensor
) -> dict[str, Any]:
    """What the folder holds beside tensors, with the digest of every file."""
    groups = {name: getattr(state, name).state_dict()["param_groups"] for name in OPTIMIZERS}
    return {
        **writer.facts,
        **progress_facts(state),
        "evaluated": state.evaluated,
        "param_groups": groups,
        "tensors": [name for name, _ in named_tensors(state)],  # DCP keeps no order
        "scalars": sorted(list_scalars(state)),
        "sha256": {
            _SHARD.format(number): bytes(digest.tolist()).hex()
            for number, digest in enumerate(digests, 1)
            if digest.any()
        },
    }


def keep_healthy_shards(layout: RunDirectory, folder: Path) -> None:
    """Give the files of a folder second names in healthy/, then remove the older state there."""
    target = layout.healthy / folder.name
    unfinished = target.with_name(f".{target.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    layout.healthy.mkdir(exist_ok=True)
    shutil.copytree(folder, unfinished, copy_function=link_or_copy)
    unfinished.rename(target)
    sync_folder(layout.healthy)
    for older in layout.healthy_shards():
        if older != target:
            shutil.rmtree(older)
    for file in healthy_files(layout):
        file.unlink(missing_ok=True)


def remove_shards(layout: RunDirectory) -> None:
    """Remove all folders of checkpoints/: a newer file is there."""
    for folder in layout.shard_folders():
        shutil.rmtree(folder)


def _merge_healthy(layout: RunDirectory) -> None:
    """Make a file of the folder in healthy/; a damaged one is renamed."""
    for stray in layout.healthy.glob(".step-*.shards"):
        shutil.rmtree(stray)
    for folder in layout.healthy_shards():
        try:
            merge_shards(folder, layout.healthy_checkpoint(parse_step(folder)))
        except Damaged as damage:
            _LOG.warning("passed over: %s", damage)
            folder.rename(folder.with_suffix(".damaged"))
            continue
        shutil.rmtree(folder)


def merge_newest(layout: RunDirectory) -> None:
    """Make an ordinary checkpoint of the newest whole folder, if it is newer than all of these.

    The one in healthy/ becomes a file there. Older folders, and those that a killed save has left
    unfinished, are removed. Damaged ones are renamed. Raises UserError when there is no whole state
    among all.
    """
    _merge_healthy(layout)
    for stray in layout.checkpoints.glob(".step-*.shards"):
        shutil.rmtree(stray)
    files, damages = layout.checkpoint_files(), list[str]()
    newest = parse_step(files[0]) if files else -1
    for folder in layout.shard_folders():
        if parse_step(folder) > newest:
            try:
                merge_shards(folder, layout.checkpoint(parse_step(folder)))
                newest = parse_step(folder)
            except Damaged as damage:
                _LOG.warning("passed over: %s", damage)
                damages.append(str(damage))
                folder.rename(folder.with_suffix(".damaged"))
                continue
        shutil.rmtree(folder)
    if damages and newest < 0:
        raise UserError(
            f"{layout.root} has states in parts and none is whole: {'; '.join(damages)}; start in "
            "a new directory, or remove them to start over"
        )


def merge_shards(folder: Path, target: Path) -> None:
    """Write the state in a folder as one checkpoint file; raises Damaged for missing bytes."""
    if not (folder / _FACTS).is_file():
        raise Damaged(f"{folder / _FACTS} is missing")
    facts = read_json(folder / _FACTS)
    for name, digest in facts.pop("sha256").items():
        file = folder / name
        if not file.is_file() or _digest(file) != digest:
            raise Damaged(f"{file} is missing or damaged: its bytes are not those once written")
    groups, order, scalars = (facts.pop(name) for name in ("param_groups", "tensors", "scalars"))
    tensors = _read(folder)
    for name in scalars:
        if name in tensors:  # Adam has no moments of a weight that never had a gradient
            tensors[name] = tensors[name].reshape(())
    parts = unflatten({name: tensors[name] for name in order})
    for name in OPTIMIZERS:
        parts[name] = {"state": parts.get(name, {}).get("state", {}), "param_groups": groups[name]}
    write_tensors(target, facts, parts)


def _read(folder: Path) -> dict[str, torch.Tensor]:
    """Every tensor, whole; no process group is needed."""
    dcp = _import_dcp()
    reader = dcp.HuggingFaceStorageReader(str(folder))
    rows = {
        name: torch.empty(one.size, dtype=one.properties.dtype)
        for name, one in reader.read_metadata().state_dict_metadata.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that there is one process
        dcp.load(rows, storage_reader=reader, no_dist=True)
    return rows


def _import_dcp() -> Any:
    """PyTorch's module, which takes a second to import and has few types."""
    import torch.distributed.checkpoint as dcp

    return dcp


def _digest(file: Path) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
