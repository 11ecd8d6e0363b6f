"""No update with a number that is not finite ever changes the state."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ssgan.types import NonFinite


def checked(optimizer: Optimizer, terms: dict[str, Tensor], network: str) -> dict[str, Tensor]:
    """The terms; raises NonFinite when one, or a gradient about to be used, is not finite."""
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    norms = torch.stack(torch._foreach_norm(gradients))
    values = [value.to(norms.dtype) for value in terms.values()]
    if torch.isfinite(torch.stack([norms.sum(), *values]).sum()):  # the only wait for the device
        return terms
    bad = [name for name, value in terms.items() if not torch.isfinite(value)]
    what = ", ".join(bad) if bad else f"the gradient of {network}"
    raise NonFinite(f"not a finite number: {what}; the update was refused")


@contextmanager
def nothing_if_refused(*networks: nn.Module) -> Iterator[None]:
    """Within, an update that is refused restores the buffers that it has changed.

    They are small: the statistics of batch norm, and the vectors of spectral norm.
    """
    buffers = [buffer for network in networks for buffer in network.buffers()]
    before = [buffer.clone() for buffer in buffers]
    try:
        yield
    except NonFinite:
        for buffer, old in zip(buffers, before, strict=True):
            buffer.copy_(old)
        raise
