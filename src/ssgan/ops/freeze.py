"""Hold a network's weights still for a while, or free them for a moment within."""

from collections.abc import Iterator
from contextlib import contextmanager

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
def thawed(network: nn.Module) -> Iterator[None]:
    """Within, gradients are recorded for every weight of the network, frozen outside or not."""
    still = [p for p in network.parameters() if not p.requires_grad]
    for weight in still:
        weight.requires_grad_(True)
    try:
        yield
    finally:
        for weight in still:
            weight.requires_grad_(False)
