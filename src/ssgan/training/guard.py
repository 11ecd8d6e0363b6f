"""No update with a number that is not finite ever reaches the weights."""

import torch
from torch import Tensor
from torch.optim import Optimizer

from ssgan.types import NonFinite


def checked(optimizer: Optimizer, terms: dict[str, Tensor]) -> None:
    """Raise NonFinite when a term, or a gradient about to be used, is not finite."""
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    norms = torch.stack(torch._foreach_norm(gradients))
    values = torch.stack([value.to(norms.dtype) for value in terms.values()])
    if torch.isfinite(norms.sum() + values.sum()):  # the only wait for the device in an update
        return
    bad = [name for name, value in terms.items() if not torch.isfinite(value)]
    network = next(iter(terms)).split("/")[0]
    what = ", ".join(bad) if bad else f"the gradient of {network}"
    raise NonFinite(f"not a finite number: {what}; the update was refused")
