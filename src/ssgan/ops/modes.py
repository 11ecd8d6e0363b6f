"""Hold a network's weights still for a while, or free them for a moment within."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Within, no gradient is computed for the network's weights; it still passes through them."""
    weights = [p for p in network.parameters() if p.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


@contextmanager
def unfrozen(network: nn.Module) -> Iterator[None]:
    """Within, gradients are recorded for every weight of the network, frozen outside or not."""
    still = [p for p in network.parameters() if not p.requires_grad]
    for weight in still:
        weight.requires_grad_(True)
    try:
        yield
    finally:
        for weight in still:
            weight.requires_grad_(False)


@contextmanager
def eval_mode(*networks: nn.Module) -> Iterator[None]:
    """Within: evaluation mode and no gradients; afterwards every module's mode is as it was.

    So is the state of torch's random-number generator on the CPU, should a network draw from it.
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
