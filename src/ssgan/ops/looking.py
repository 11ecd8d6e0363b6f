"""Look at networks without changing anything about them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def looking(*networks: nn.Module) -> Iterator[None]:
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
