"""Refuse an update with a number that is not finite, and count the rollbacks that follow."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ssgan.ops.collective import sum_over_ranks
from ssgan.ops.sharded import is_sharded, local_part
from ssgan.types import NonFinite

_LARGEST_NORM = 1e30  # of a gradient, in the log: finite norms may overflow in their sum of squares
MAX_RETRIES = 3  # rollbacks to one checkpoint, before the run ends


def check_finite(optimizer: Optimizer, terms: dict[str, Tensor], network: str) -> dict[str, Tensor]:
    """The terms and the norm of the whole gradient, which is on the device like them.

    Raises NonFinite when a term or a gradient is not finite.
    """
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    norms = torch.stack(torch._foreach_norm([local_part(gradient) for gradient in gradients]))
    if is_sharded(gradients[0]):  # in float64: squares of finite norms may overflow
        norms = sum_over_ranks(norms.double().square()).sqrt().to(norms.dtype)
    values = [value.to(norms.dtype) for value in terms.values()]
    if torch.isfinite(torch.stack([norms.sum(), *values]).sum()):  # the only wait for the device
        norm = torch.linalg.vector_norm(norms).clamp(max=_LARGEST_NORM)
        return {**terms, f"{network}/gradient_norm": norm}
    bad = [name for name, value in terms.items() if not torch.isfinite(value)]
    what = ", ".join(bad) if bad else f"the gradient of {network}"
    raise NonFinite(f"not a finite number: {what}; the update was refused")


@contextmanager
def restore_buffers_on_error(*networks: nn.Module) -> Iterator[None]:
    """Within, a NonFinite restores the buffers: statistics of batch norm, and singular vectors."""
    buffers = [buffer for network in networks for buffer in network.buffers()]
    before = [buffer.clone() for buffer in buffers]
    try:
        yield
    except NonFinite:
        for buffer, old in zip(buffers, before, strict=True):
            buffer.copy_(old)
        raise


class RetryBudget:
    """Counts the rollbacks to the newest checkpoint; the same on every rank."""

    def __init__(self, step: int) -> None:
        self.reset(step)

    def reset(self, step: int) -> None:
        """Count from zero: a checkpoint was saved after this step."""
        self.step, self.spent = step, 0

    def spend(self, refusal: NonFinite) -> None:
        """Count one more rollback; raises NonFinite when there were MAX_RETRIES."""
        if self.spent == MAX_RETRIES:
            raise NonFinite(
                f"{refusal}; {MAX_RETRIES} rollbacks to step {self.step} with other random numbers "
                "did not help"
            ) from None
        self.spent += 1
