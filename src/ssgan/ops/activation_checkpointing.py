"""Compute a block twice to store less: its activations are made again in backward.

Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016; by PyTorch's checkpoints. Only
the inputs of a block are stored from forward to backward; backward then runs it again, one block
at a time. Numbers stay the same; a step costs one more forward pass of what it differentiates.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

_RECOMPUTING = ContextVar("repeated", default=False)


class CheckpointedModule(nn.Module):
    """A module that is run again in backward when `recompute` is set: a base for blocks.

    A subclass has `compute`, and no `forward`. It must draw no random numbers, and whatever it
    moves, as statistics are, it must leave alone when `is_repeated()`. Its weights and buffers must
    be the same in backward as in forward: unlike autograd, a repetition cannot tell.
    """

    recompute = False
    compute: Callable[..., Tensor]  # the outputs of the inputs

    def forward(self, *inputs: Tensor | None) -> Tensor:
        """The outputs."""
        return (
            checkpoint_activations(self.compute, *inputs)
            if self.recompute
            else self.compute(*inputs)
        )


def checkpointed_modules(*networks: nn.Module) -> Iterator[CheckpointedModule]:
    """Every module in the networks that can be recomputed."""
    for module in nn.ModuleList(networks).modules():
        if isinstance(module, CheckpointedModule):
            yield module


def checkpoint_activations(function: Callable[..., Tensor], *inputs: Tensor | None) -> Tensor:
    """function(*inputs), of which only the inputs are stored for backward.

    May be differentiated more than once; each time it is run again, under the autocast settings
    that hold at this call.
    """
    if not torch.is_grad_enabled():
        return function(*inputs)
    outputs: Tensor = checkpoint(
        function,
        *inputs,
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=lambda: (nullcontext(), _Recomputation()),
    )
    return outputs


def is_recomputing() -> bool:
    """Whether what runs now is the repetition of a forward pass, in backward."""
    return _RECOMPUTING.get()


class _Recomputation:
    """Within, a pass is a repetition. Entered by each backward, in the thread that runs it."""

    def __enter__(self) -> None:
        self._token = _RECOMPUTING.set(True)

    def __exit__(self, *_: Any) -> None:
        _RECOMPUTING.reset(self._token)
