"""Checkpoints of which every rank writes its part, and their merge into one file.

    checkpoints/step-00000100.shards/facts.json
    checkpoints/step-00000100.shards/shard-00001-model-00001-of-00001.safetensors   one a rank

PyTorch's distributed checkpoint (DCP) writes safetensors, which hold no code. A folder gets its
name once it is whole. A run that continues, with any number of processes, first merges the newest
one into an ordinary checkpoint. All ranks must see one file system.
"""

import hashlib
import logging
import re
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ssgan.config.merge import read_json
from ssgan.files.atomic import sync_folder, write_json
from ssgan.files.run_directory import RunDirectory, list_step_files, parse_step
from ssgan.ops.collective import wait_for_ranks
from ssgan.runs.checkpoint import (
    CheckpointWriter,
    named_tensors,
    progress_facts,
    write_tensors,
)
from ssgan.runs.state import TrainState
from ssgan.types import UserError

_LOG = logging.getLogger("ssgan")
_FACTS = "facts.json"
_OPTIMIZERS = ("generator_optimizer", "discriminator_optimizer")
_KEY = re.compile(r"\['([^']*)'\]|\[(\d+)\]")  # of torch's keystr


def save_shards(state: TrainState, layout: RunDirectory, writer: CheckpointWriter | None) -> Path:
    """Write the part of every rank, whole or not at all; returns the folder, the same on all ranks.

    Rank 0 alone has a writer. It keeps the two newest folders.
    """
    dcp = _import_dcp()
    folder = layout.checkpoint(state.step).with_suffix(".shards")
    unfinished = folder.with_name(f".{folder.name}")
    if writer is not None:
        writer.force_logs()
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
    wait_for_ranks()
    shards = dcp.HuggingFaceStorageWriter(str(unfinished), save_distributed=True)
    dcp.save(dict(named_tensors(state)), storage_writer=shards)
    wait_for_ranks()
    if writer is None:
        return folder
    write_json(unfinished / _FACTS, _collect_facts(unfinished, state, writer))
    sync_folder(unfinished)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    sync_folder(folder.parent)
    for old in list_shards(layout)[2:]:
        shutil.rmtree(old)
    return folder


def _collect_facts(folder: Path, state: TrainState, writer: CheckpointWriter) -> dict[str, Any]:
    """What the folder holds beside tensors, with the digest of every file."""
    groups = {name: getattr(state, name).state_dict()["param_groups"] for name in _OPTIMIZERS}
    return {
        **writer.facts,
        **progress_facts(state),
        "evaluated": state.evaluated,
        "param_groups": groups,
        "tensors": [name for name, _ in named_tensors(state)],  # DCP keeps no order
        "sha256": {file.name: _digest(file) for file in sorted(folder.glob("*.safetensors"))},
    }


def list_shards(layout: RunDirectory) -> list[Path]:
    """The folders that are whole, newest first."""
    return list_step_files(layout.checkpoints, "shards")[::-1]


def remove_shards(layout: RunDirectory) -> None:
    """Remove all folders: a newer checkpoint file is there."""
    for folder in list_shards(layout):
        shutil.rmtree(folder)


def merge_newest(layout: RunDirectory) -> None:
    """Make an ordinary checkpoint of the newest whole folder, if it is newer than all of these.

    Folders are removed afterwards, also those that are damaged, of which a warning tells.
    """
    files = layout.checkpoint_files()
    newest = parse_step(files[0]) if files else -1
    for folder in list_shards(layout):
        if parse_step(folder) > newest:
            try:
                merge_shards(folder, layout.checkpoint(parse_step(folder)))
                newest = parse_step(folder)
            except UserError as error:
                _LOG.warning("passed over: %s", error)
        shutil.rmtree(folder)


def merge_shards(folder: Path, target: Path) -> None:
    """Write the state in a folder as one checkpoint file; UserError when a part is damaged."""
    facts = read_json(folder / _FACTS)
    for name, digest in facts.pop("sha256").items():
        file = folder / name
        if not file.is_file() or _digest(file) != digest:
            raise UserError(f"{file} is missing or damaged: its bytes are not those once written")
    groups, order, tensors = facts.pop("param_groups"), facts.pop("tensors"), _read(folder)
    parts = unflatten({name: tensors[name] for name in order})
    for name in _OPTIMIZERS:
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


def unflatten(tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[Any, Any]]:
    """Tables of tensors by their paths, such as "generator['first.weight']"."""
    parts: dict[str, dict[Any, Any]] = {}
    for path, tensor in tensors.items():
        table: dict[Any, Any] = parts.setdefault(path.split("[", 1)[0], {})
        *outer, last = (word or int(number) for word, number in _KEY.findall(path))
        for key in outer:
            table = table.setdefault(key, {})
        table[last] = tensor
    return parts


def _import_dcp() -> Any:
    """PyTorch's module, which takes a second to import and has few types."""
    import torch.distributed.checkpoint as dcp

    return dcp


def _digest(file: Path) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
