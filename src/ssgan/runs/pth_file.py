"""Weights in PyTorch's own files (.pth, .pt): a state dict, maybe in a table with a step.

A .pth file is a pickle, which may name any code. `weights_only` reads tensors and plain containers
alone and refuses the rest, so nothing in the file is run.
"""

import re
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ssgan.files.environment import memory_bytes
from ssgan.files.errors import translate_file_errors
from ssgan.files.links import require_file
from ssgan.files.names import printable
from ssgan.types import UserError

_TABLES = ("model_state_dict", "state_dict")  # where programs put the weights
_CODE = re.compile(r"GLOBAL ([\w.]+)")  # what torch says of code that it refuses


class PthWeights(NamedTuple):
    """The state dict in a file, and the step after which it was saved; 0: it is not stated."""

    tensors: dict[str, Tensor]
    step: int


def read_pth(path: Path) -> PthWeights:
    """The state dict in a file; UserError, in one line, for anything else."""
    content = _load(path)
    table = content
    if isinstance(content, dict):
        table = next((content[name] for name in _TABLES if name in content), content)
    if not isinstance(table, dict) or not table:
        raise UserError(f"{path} holds no state dict: give netG_*_steps.pth of torch-mimicry")
    for name, value in table.items():
        plain = isinstance(value, Tensor) and value.layout == torch.strided
        if not isinstance(name, str) or not plain or value.is_quantized or value.is_complex():
            raise UserError(
                f"{path} holds no state dict: {printable(str(name))} is no plain tensor"
            )
    step = content.get("global_step") if isinstance(content, dict) else None
    return PthWeights(table, step if type(step) is int and step >= 0 else 0)


def _load(path: Path) -> object:
    require_file(path)
    with translate_file_errors(path):
        if not path.is_file():
            raise UserError(f"{path} is not there" if not path.exists() else f"{path} is a folder")
        _check_size(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on the old form of the file
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and torch have many types for foreign bytes
        if found := _CODE.search(str(error)):
            raise UserError(
                f"{path} names code ({printable(found[1])}), which is not run: a .pth file with a "
                "state dict has tensors alone"
            ) from None
        raise UserError(f"{path} is damaged or no .pth file ({type(error).__name__})") from None


def _check_size(path: Path) -> None:
    """Raise UserError for what would unpack to more than the file or the memory has."""
    size, memory = path.stat().st_size, memory_bytes()
    if memory is not None and 2 * size > memory:
        raise UserError(f"{path} has {size / 1e9:.0f} GB, too much for the memory here")
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception as error:  # zipfile raises many types
        raise UserError(f"{path} is damaged: its list of tensors cannot be read") from error
    if sum(member.file_size for member in members) > size:
        raise UserError(f"{path} is compressed or damaged: its tensors are larger than the file")
