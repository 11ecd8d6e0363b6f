"""Modes of a network: frozen, unfrozen and evaluation for a while; frozen for a whole run."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import nn

from ssgan.ops.spectral_norm import SpectralLayer


def frozen(network: nn.Module) -> AbstractContextManager[None]:
    """Compute no gradients of the network's weights; gradients still pass through them."""
    return _require_gradients(network, False)


def unfrozen(network: nn.Module) -> AbstractContextManager[None]:
    """Record gradients of every weight of the network, also of those frozen outside."""
    return _require_gradients(network, True)


@contextmanager
def _require_gradients(network: nn.Module, required: bool) -> Iterator[None]:
    weights = [p for p in network.parameters() if p.requires_grad is not required]
    for weight in weights:
        weight.requires_grad_(required)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(not required)


def freeze_for_good(modules: Iterable[nn.Module]) -> None:
    """Freeze weights and singular vectors: no update reaches them.

    At its end `frozen` leaves such weights frozen. Gradients still pass through them.
    """
    for module in nn.ModuleList(modules).modules():
        module.requires_grad_(False)
        if isinstance(module, SpectralLayer):
            module.advances = False


@contextmanager
def eval_mode(*networks: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards every module has its former mode.

    The state of torch's CPU generator is restored too, in case a network draws random numbers.
    """
    modes = [(module, module.training) for network in networks for module in network.modules()]
    for network in networks:
        network.eval()
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode
