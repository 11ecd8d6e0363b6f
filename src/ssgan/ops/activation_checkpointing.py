"""Activation checkpointing: recompute a block in backward, to store less.

Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, by PyTorch's `checkpoint`.
Between forward and backward only the inputs of a block are stored; backward recomputes one block
at a time. Results do not change; a step costs one more forward pass of the differentiated blocks.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

_RECOMPUTING = ContextVar("recomputing", default=False)


class CheckpointedModule(nn.Module):
    """A base class for blocks that backward recomputes when `activation_checkpointing` is set.

    A subclass defines `compute` and no `forward`. It must not draw random numbers, and must not
    update buffers (such as running statistics) while `is_recomputing()`. Its weights and buffers
    must be the same in backward as in forward: unlike autograd, recomputation cannot detect a
    change.
    """

    activation_checkpointing = False
    compute: Callable[..., Tensor]  # the outputs for these inputs

    def forward(self, *inputs: Tensor | None) -> Tensor:
        """The outputs of `compute`."""
        if self.activation_checkpointing:
            return checkpoint_activations(self.compute, *inputs)
        return self.compute(*inputs)


def checkpointed_modules(*networks: nn.Module) -> Iterator[CheckpointedModule]:
    """Every module of the networks that supports activation checkpointing."""
    for module in nn.ModuleList(networks).modules():
        if isinstance(module, CheckpointedModule):
            yield module


def checkpoint_activations(function: Callable[..., Tensor], *inputs: Tensor | None) -> Tensor:
    """function(*inputs), storing only the inputs for backward.

    It can be differentiated more than once. Each backward recomputes it under the autocast
    settings of this call.
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
    """Whether the current forward pass is a recomputation in backward."""
    return _RECOMPUTING.get()


class _Recomputation:
    """Marks a recomputation. Each backward enters it in the thread that runs it."""

    def __enter__(self) -> None:
        self._token = _RECOMPUTING.set(True)

    def __exit__(self, *_: Any) -> None:
        _RECOMPUTING.reset(self._token)
