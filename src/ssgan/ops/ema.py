"""The exponential moving average (EMA) of a network's weights."""

import torch
from torch import nn

from ssgan.ops.sharded import local_part


def ema_decay(halflife_steps: float) -> float:
    """The decay per step that halves the weight of a value in `halflife_steps` steps."""
    return float(0.5 ** (1 / halflife_steps)) if halflife_steps > 0 else 0.0


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, halflife_steps: float) -> None:
    """Move `average` towards `network`; with a half-life of 0 it becomes a copy.

    Weights and batch-norm statistics share one decay. Integer buffers and spectral vectors are
    copied: the mean of two unit vectors is not a unit vector.
    """
    pairs = zip(average.state_dict().items(), network.state_dict().values(), strict=True)
    averaged, targets = [], []
    for (name, whole), other in pairs:
        old, new = local_part(whole), local_part(other)
        if old.is_floating_point() and "spectral_" not in name:
            averaged.append(old)
            targets.append(new)
        else:
            old.copy_(new)
    torch._foreach_lerp_(averaged, targets, 1 - ema_decay(halflife_steps))
