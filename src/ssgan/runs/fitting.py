"""Whether a table of a checkpoint fits what it is loaded into.

PyTorch compares the names and shapes of a network's tensors, and of an optimizer's nothing: it
takes whatever moments and settings a file has, and fails steps later, or computes something else.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ssgan.types import UserError

_MOMENTS = {"step", "exp_avg", "exp_avg_sq"}  # what Adam holds of a weight


@contextmanager
def explain_errors(what: str) -> Iterator[None]:
    """Within, whatever is raised becomes a UserError: `what` does not fit, and why."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # pickle, zip and torch have many types for foreign tables
        reason = " ".join(str(error).split()) or "it has another form"
        raise UserError(f"{what} does not fit: {type(error).__name__}: {reason}") from error


def load_network(network: nn.Module, stored: Mapping[str, Any]) -> None:
    """Load a state dict; raises ValueError, or any error of torch, when it does not fit."""
    for name, own in network.state_dict().items():
        if name in stored:
            _require_numbers(name, stored[name], own.is_floating_point())
    network.load_state_dict(stored)


def load_optimizer(optimizer: Optimizer, stored: Mapping[str, Any]) -> None:
    """Load Adam's moments and numbers of updates; ValueError when they do not fit its weights.

    Its settings stay: they follow from the run's config.
    """
    own, found = optimizer.state_dict(), stored["state"]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for number, moments in found.items():
        if type(number) is not int or not 0 <= number < len(weights):
            raise ValueError(f"it has no weight {number!r}")
        if set(moments) != _MOMENTS:
            raise ValueError(f"weight {number} has {sorted(map(str, moments))}")
        for name, value in moments.items():
            wanted = () if name == "step" else tuple(weights[number].shape)
            _require_numbers(f"{name} of weight {number}", value, True)
            if tuple(value.shape) != wanted:
                raise ValueError(f"{name} of weight {number} has shape {tuple(value.shape)}")
            if name != "exp_avg" and (value < 0).any():
                raise ValueError(f"{name} of weight {number} is negative")
    laid = {
        number: {name: _lay_out(value, weights[number]) for name, value in moments.items()}
        for number, moments in found.items()
    }
    optimizer.load_state_dict({"state": laid, "param_groups": own["param_groups"]})


def _lay_out(value: Tensor, weight: Tensor) -> Tensor:
    """A moment with the memory format of its weight: a fused Adam pairs numbers by their places."""
    if value.stride() == weight.stride() or value.ndim == 0:
        return value
    return torch.empty_like(weight, dtype=value.dtype, device=value.device).copy_(value)


def _require_numbers(name: str, value: object, floating: bool) -> None:
    """Raise ValueError unless the value is a tensor of finite numbers of this kind."""
    if not isinstance(value, Tensor) or value.is_quantized or value.is_complex():
        raise ValueError(f"{name} is no tensor of real numbers")
    if value.layout != torch.strided or value.is_meta:
        raise ValueError(f"{name} is no plain tensor")
    if value.is_floating_point() != floating or value.dtype == torch.bool:
        raise ValueError(f"{name} has numbers of type {value.dtype}")
    if value.numel() > value.untyped_storage().nbytes() // value.element_size():
        raise ValueError(f"{name} has more numbers than are stored")
    if not torch.isfinite(value).all():
        raise ValueError(f"{name} holds NaN or infinity")
