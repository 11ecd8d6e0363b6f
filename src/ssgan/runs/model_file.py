"""A model in one safetensors file: networks, and the settings that build them again.

A checkpoint continues a run on its machine; this file is for everybody else. Its tensors are

    generator.*        the averaged G, which samples come from
    generator_raw.*    G without averaging; may be missing
    discriminator.*    D; may be missing

Its metadata has one entry, "ssgan": a JSON table with the format, the settings of the run, the
image shape, the classes, the step, the name of the data, and the sha256 of the tensors. No path of
the machine that trained it is in it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ssgan.config.serialize import dump
from ssgan.files.atomic import write_atomic
from ssgan.files.environment import memory_bytes, package_version
from ssgan.files.errors import translate_file_errors
from ssgan.files.jsonl import TABLE, TEXT, TEXTS, WHOLE, WHOLES
from ssgan.files.links import require_file
from ssgan.files.names import printable
from ssgan.files.nesting import parse_json
from ssgan.files.run_directory import RunDirectory
from ssgan.files.sealed_file import Damaged
from ssgan.runs.builtin import find_builtin, is_builtin
from ssgan.runs.checkpoint import Checkpoint, FoundState, find_state
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import load_config
from ssgan.runs.facts import read_facts
from ssgan.runs.hub import MODEL_FILE, download_model, parse_repository
from ssgan.runs.shapes import require_shapes
from ssgan.types import UserError

FORMAT = 1  # of the facts in the metadata
SUFFIX = ".safetensors"
_ENTRY = "ssgan"  # of the metadata; a second one would make the order of bytes arbitrary
_PREFIXES = {  # of tensors, for the parts by their names in a TrainState
    "generator_ema": "generator",
    "generator": "generator_raw",
    "discriminator": "discriminator",
}
_MOST_HEADER = 8 * 2**20  # bytes; the largest networks here need a twentieth of it
_FACTS = {
    "config": TABLE,
    "image_shape": WHOLES,
    "classes": TEXTS,
    "step": WHOLE,
    "source": TEXT,
    "version": TEXT,
    "sha256": TEXT,
}


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """Trained networks as state dicts, with what builds them."""

    path: Path  # where they were read, for messages
    config: RunConfig  # of the run, without the paths of its images and its initial model
    classes: tuple[str, ...]  # of the data, by number; empty without labels
    step: int  # generator updates done
    source: str  # the data in words, such as "folder" or "cifar10"
    version: str  # of ssgan, which wrote it
    # state dicts by their names in a TrainState: generator_ema, and maybe generator, discriminator
    tensors: Mapping[str, Mapping[str, Tensor]]

    @property
    def num_classes(self) -> int:
        """Classes of the data; 0 without labels."""
        return len(self.classes)


class FoundModel(NamedTuple):
    """A model, and a sentence for each newer checkpoint that was passed over."""

    model: StoredModel
    passed_over: list[str]
    checkpoint: Checkpoint | None  # which the model is from; None: a safetensors file


def convert_checkpoint(checkpoint: Checkpoint) -> StoredModel:
    """The model in a checkpoint, with every network that it has.

    Raises UserError for tensors that do not fit.
    """
    config = checkpoint.config.without_places()
    source = config.data.source
    names = [name for name in _PREFIXES if name in checkpoint.tensors]
    for name in {"generator_ema", *names}:
        require_shapes(checkpoint, name)
    return StoredModel(
        path=checkpoint.path,
        config=config,
        classes=checkpoint.classes,
        step=checkpoint.step,
        source=source.name().rstrip(":"),
        version=package_version("ssgan"),
        tensors={name: _only_tensors(checkpoint.tensors[name]) for name in names},
    )


def _only_tensors(table: Mapping[str, object]) -> dict[str, Tensor]:
    return {name: value for name, value in table.items() if isinstance(value, Tensor)}


def find_model(
    path: Path, *, best: bool = False, trusted_modules: Sequence[str] = ()
) -> FoundModel:
    """The model of a run directory or its checkpoint, or any that is a file (`names_file`).

    `best` is the best state of a run directory instead of the newest, and has no D. Raises
    UserError as `find_state` and `load_model`, and for a repository that is not reached.
    """
    path = _find_file(path, best)
    if _is_file(path):
        return FoundModel(load_model(path, trusted_modules), [], None)
    checkpoint, passed_over = find_state(path, best=best, trusted_modules=trusted_modules)
    return FoundModel(convert_checkpoint(checkpoint), passed_over, checkpoint)


def find_networks(
    path: Path, *, best: bool = False, trusted_modules: Sequence[str] = ()
) -> FoundState:
    """The same as a state, where a model's file is one, too.

    A model's file does not say on which images it was trained, and no run continues from it.
    """
    path = _find_file(path, best)
    if not _is_file(path):
        return find_state(path, best=best, trusted_modules=trusted_modules)
    model = load_model(path, trusted_modules)
    checkpoint = Checkpoint(
        path=path,
        config=model.config,
        data_hash="",
        num_classes=model.num_classes,
        classes=model.classes,
        step=model.step,
        best_score=None,
        best_step=0,
        rollbacks=0,
        evaluated=True,
        tensors={name: dict(table) for name, table in model.tensors.items()},
    )
    return FoundState(checkpoint, [])


def names_file(path: Path) -> bool:
    """Whether a path stands for a model's file: a built-in one, a repository of the Hub as
    OWNER/NAME, or the folder of an export. None of them need exist.
    """
    named = is_builtin(str(path)) or parse_repository(path) is not None
    return named or _is_export(path)


def _find_file(path: Path, best: bool) -> Path:
    """The file of such a model, downloaded if need be; any other path as it is.

    Raises UserError with `best`, for a file has one state.
    """
    file = path / MODEL_FILE if _is_export(path) else find_builtin(path)
    if (repository := parse_repository(path)) is not None:
        file = download_model(repository)
    if best and _is_file(file):
        raise UserError(f"{path} holds one state; only a run directory has a best one")
    return file


def _is_export(path: Path) -> bool:
    return (path / MODEL_FILE).exists() and not RunDirectory(path).checkpoint_files()


def _is_file(path: Path) -> bool:
    return path.suffix == SUFFIX and not path.is_dir()


def save_model(path: Path, model: StoredModel) -> None:
    """Write the model, whole or not at all; the same model gives the same bytes.

    Raises UserError for a folder that is not there or is not writable, and DiskFull.
    """
    with translate_file_errors(path):
        write_atomic(path, pack_model(model))


def describe_model(model: StoredModel) -> dict[str, Any]:
    """What the file says beside its tensors, as JSON."""
    shape = model.config.data.shape
    return {
        "format": FORMAT,
        "config": dump(model.config),
        "image_shape": [shape.channels, shape.size],
        "classes": list(model.classes),
        "step": model.step,
        "source": model.source,
        "version": model.version,
    }


def pack_model(model: StoredModel) -> bytes:
    """The bytes of the model's file."""
    from safetensors.torch import save

    tensors = _file_tensors(model)
    facts = {**describe_model(model), "sha256": _digest(tensors)}
    data: bytes = save(tensors, {_ENTRY: json.dumps(facts, allow_nan=False)})
    return data


def digest_model(model: StoredModel) -> str:
    """The sha256 of the model's tensors, which its file states: 64 hexadecimal digits."""
    return _digest(_file_tensors(model))


def _file_tensors(model: StoredModel) -> dict[str, Tensor]:
    """The tensors as the file has them: on the CPU, in rows, under the names of the file."""
    return {
        f"{_PREFIXES[part]}.{name}": value.detach()
        .cpu()
        .clone(memory_format=torch.contiguous_format)
        for part, table in model.tensors.items()
        for name, value in table.items()
    }


def load_model(path: Path, trusted_modules: Sequence[str] = ()) -> StoredModel:
    """The model in a file; nothing in the file runs code.

    Settings may be of classes of ssgan and of the trusted modules, which must be imported before.
    Raises UserError, in one line, for a file that is missing, damaged, or no model of ssgan, and
    for tensors that do not fit its settings.
    """
    data = _read(path)
    facts = _read_facts(data, path)
    tensors = _read_tensors(data, path)
    if _digest(tensors) != facts["sha256"]:
        raise _damaged(path, "its numbers do not match their sha256")
    model = StoredModel(
        path=path,
        config=load_config(facts["config"], trusted_modules, str(path)),
        classes=tuple(map(printable, facts["classes"])),
        step=facts["step"],
        source=printable(facts["source"]),
        version=printable(facts["version"]),
        tensors=_sort_tensors(tensors, path),
    )
    shape = model.config.data.shape
    if facts["image_shape"] != [shape.channels, shape.size]:
        raise UserError(
            f"{path} contradicts itself: its images are {facts['image_shape']} (channels, side), "
            f"and those of its settings {list(shape)}"
        )
    for name in model.tensors:
        require_shapes(model, name)
    return model


def _read(path: Path) -> bytes:
    require_file(path)
    memory = memory_bytes()
    with translate_file_errors(path):
        if path.is_dir():
            raise UserError(f"{path} is a folder; give a run directory or a {SUFFIX} file")
        if not path.exists():
            raise UserError(f"{path} is not there; give a run directory or a {SUFFIX} file")
        size = path.stat().st_size
        if memory is not None and 2 * size > memory:  # its bytes, and the tensors
            raise UserError(f"{path} has {size / 1e9:.0f} GB, too much for the memory here")
        return path.read_bytes()


def _read_facts(data: bytes, path: Path) -> dict[str, Any]:
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(_MOST_HEADER, len(data) - 8):
        raise _damaged(path, "the size of its header cannot be right")
    try:
        header = parse_json(data[8 : 8 + size])
    except ValueError as error:
        raise _damaged(path, f"its header is no JSON: {error}") from None
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    text = metadata.get(_ENTRY) if isinstance(metadata, dict) else None
    if text is None:
        raise UserError(
            f"{path} holds no model of ssgan: its metadata lacks {_ENTRY!r}, which "
            "`ssgan export` writes"
        )
    try:
        return read_facts(text, path, _FACTS, FORMAT)
    except Damaged:
        raise _damaged(path, f"its entry {_ENTRY!r} is no JSON table") from None


def _read_tensors(data: bytes, path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors: dict[str, Tensor] = load(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError, AssertionError) as error:
        raise _damaged(path, printable(" ".join(str(error).split()))) from None
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or tensor.element_size() < 2:
            raise UserError(
                f"{path} cannot be used: {printable(name)} must be floating-point numbers, not "
                f"{tensor.dtype}"
            )
        if not torch.isfinite(tensor).all():
            raise UserError(f"{path} cannot be used: {printable(name)} holds NaN or infinity")
    return tensors


def _sort_tensors(tensors: Mapping[str, Tensor], path: Path) -> dict[str, dict[str, Tensor]]:
    parts = {prefix: part for part, prefix in _PREFIXES.items()}
    tables: dict[str, dict[str, Tensor]] = {"generator_ema": {}}
    for full, tensor in sorted(tensors.items()):  # the library gives them in any order
        prefix, _, name = full.partition(".")
        if prefix not in parts:
            known = ", ".join(f"{one}.*" for one in parts)
            raise UserError(f"{path} has a tensor {printable(full)!r}; a model has {known}")
        tables.setdefault(parts[prefix], {})[name] = tensor
    return tables


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names, types and bytes, in the order of names."""
    whole = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        whole.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        whole.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(f"{path} is damaged or no {SUFFIX} file: {reason}")
