"""Finding and checking weight files: nothing is imported, unpickled or downloaded here."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ssgan.files.download import file_sha256
from ssgan.types import UserError


def file_of_package(package: str, inside: str) -> Path | None:
    """A file of an installed package, found without importing it; None when it is not there."""
    found = importlib.util.find_spec(package)
    for folder in (found.submodule_search_locations if found else None) or []:
        path = Path(folder) / inside
        if path.is_file():
            return path
    return None


def require_sha256(path: Path, beginning: str) -> None:
    """Raise UserError unless the file's sha256 begins with these hex digits."""
    if not path.is_file():
        raise UserError(f"no weight file at {path}")
    found = file_sha256(path)
    if not found.startswith(beginning):
        raise UserError(
            f"{path} is damaged or another file: its sha256 is {found}, it should begin with "
            f"{beginning}; install or download it again"
        )


def read_state(path: Path) -> Mapping[str, Tensor]:
    """A state dict, read with weights_only; raises UserError when it is none."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # many types, for foreign bytes
        raise UserError(f"{path} cannot be read as weights: {error}") from error
    if not isinstance(state, Mapping) or not all(torch.is_tensor(v) for v in state.values()):
        raise UserError(f"{path} is not a dictionary of tensors")
    return state


def entry(state: Mapping[str, Tensor], name: str) -> Tensor:
    """A tensor of the state by its name, float32; raises UserError when it is missing."""
    if name not in state:
        raise UserError(f"the weights have no {name!r}; they are of another network")
    return state[name].float()
