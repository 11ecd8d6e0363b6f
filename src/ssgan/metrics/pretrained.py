"""Pretrained extractors: verified weight files, and convolutions with folded batch norm.

Nothing is imported, unpickled or downloaded here.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ssgan.files.download import file_sha256
from ssgan.types import UserError


def find_package_file(package: str, inside: str) -> Path | None:
    """A file of an installed package, found without an import; None when it is missing."""
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
    """Read a state dict with weights_only; UserError for any other file."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # many types, for foreign bytes
        raise UserError(f"{path} cannot be read as weights: {error}") from error
    if not isinstance(state, Mapping) or not all(torch.is_tensor(v) for v in state.values()):
        raise UserError(f"{path} is not a dictionary of tensors")
    return state


def get_tensor(state: Mapping[str, Tensor], name: str) -> Tensor:
    """A tensor of the state by its name, float32; UserError when it is missing."""
    if name not in state:
        raise UserError(f"the weights have no {name!r}; they belong to another network")
    return state[name].float()


class RawConvolution(NamedTuple):
    """A convolution without bias and the batch norm after it (scale and statistics as stored)."""

    weight: Float[Tensor, "O I H W"]
    gamma: Float[Tensor, " O"]
    beta: Float[Tensor, " O"]
    mean: Float[Tensor, " O"]
    variance: Float[Tensor, " O"]


def get_convolution(state: Mapping[str, Tensor], convolution: str, norm: str) -> RawConvolution:
    """A convolution and its batch norm by their names; UserError when a tensor is missing."""
    return RawConvolution(
        weight=get_tensor(state, f"{convolution}.weight"),
        gamma=get_tensor(state, f"{norm}.weight"),
        beta=get_tensor(state, f"{norm}.bias"),
        mean=get_tensor(state, f"{norm}.running_mean"),
        variance=get_tensor(state, f"{norm}.running_var"),
    )


@dataclass(frozen=True)
class FoldedConvolution:
    """One convolution with bias that replaces both."""

    weight: Float[Tensor, "O I H W"]
    bias: Float[Tensor, " O"]
    stride: int
    padding: tuple[int, int]  # rows, columns
    groups: int

    def __call__(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B O P Q"]:
        """The convolution and the batch norm; no activation."""
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, groups=self.groups)

    def rectified(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B O P Q"]:
        """The convolution, the batch norm and a ReLU, which oneDNN applies on the way."""
        if not _runs_on_onednn(x):
            return F.relu(self(x), inplace=True)
        stride, dilation = (self.stride, self.stride), (1, 1)
        geometry = (self.padding, stride, dilation, self.groups)
        fused = torch.ops.mkldnn._convolution_pointwise
        out: Tensor = fused(x, self.weight, self.bias, *geometry, "relu", [], "")
        return out


def _runs_on_onednn(x: Tensor) -> bool:
    known = hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    if not known or x.device.type != "cpu":
        return False
    return x.dtype is torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def fold(
    raw: RawConvolution,
    device: torch.device | str,
    *,
    epsilon: float = 1e-3,
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
    groups: int = 1,
    dtype: torch.dtype = torch.float32,
) -> FoldedConvolution:
    """Fold in float64; weights end in this dtype, channels last, on the device.

    Raises UserError for numbers that are not finite, which a ReLU of oneDNN would hide.
    """
    scale = raw.gamma.double() / (raw.variance.double() + epsilon).sqrt()
    weight = (raw.weight.double() * scale[:, None, None, None]).to(dtype)
    bias = (raw.beta.double() - raw.mean.double() * scale).to(dtype)
    if not (weight.isfinite().all() and bias.isfinite().all()):
        raise UserError("the weights of the feature network have numbers that are not finite")
    weight = weight.to(device).contiguous(memory_format=torch.channels_last)
    return FoldedConvolution(weight, bias.to(device), stride, padding, groups)
