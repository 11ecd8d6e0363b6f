"""A state of which every rank holds a part: weights, their average and Adam's moments (FSDP2).

Every block's weights are gathered before its forward and backward pass, and let go after them. The
numbers are those of whole weights. Buffers (batch statistics, singular vectors) stay whole.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Adam
from torch.utils._pytree import tree_map

from ssgan.ops.collective import num_ranks, rank
from ssgan.ops.sharded import gather_whole, is_sharded, shard_like
from ssgan.runs.checkpoint import PARTS
from ssgan.runs.config import RunConfig
from ssgan.runs.fitting import load_network, load_optimizer
from ssgan.runs.state import TrainState, fresh_state

_NETWORKS = ("generator", "discriminator", "generator_ema")
_OPTIMIZERS = {"generator_optimizer": "generator", "discriminator_optimizer": "discriminator"}
_VIEW = "FSDP2-wrapped module .* returned a view"  # nobody changes D's outputs in place


def shards(config: RunConfig) -> bool:
    """Whether the state of this run is cut into shards."""
    return config.shard_state and num_ranks() > 1


def shard_state(state: TrainState) -> None:
    """Cut a whole state, equal on all ranks, into shards, in place."""
    warnings.filterwarnings("ignore", message=_VIEW)
    for name in _NETWORKS:
        _shard_network(getattr(state, name))
    for name, network in _OPTIMIZERS.items():
        setattr(state, name, _shard_optimizer(getattr(state, name), getattr(state, network)))


def _shard_network(network: nn.Module) -> None:
    """Its blocks one by one, then what is left."""
    from torch.distributed.fsdp import fully_shard  # it takes half a second to import

    for weight in network.parameters():
        weight.data = weight.data.contiguous()  # FSDP2 refuses other memory formats
    for module in list(network.modules()):
        if isinstance(module, nn.ModuleList):
            for block in module:
                fully_shard(block, reshard_after_forward=True)
    # so that every pass reads which weights need gradients: `frozen` changes that
    fully_shard(network, reshard_after_forward=True)


def _shard_optimizer(whole: Adam, network: nn.Module) -> Adam:
    """An optimizer of the sharded weights with the settings and moments of a whole one."""
    (group,) = whole.param_groups
    settings = {name: value for name, value in group.items() if name != "params"}
    cut = Adam(network.parameters(), **settings)
    for old, new in zip(group["params"], network.parameters(), strict=True):
        if old in whole.state:
            cut.state[new] = {
                name: shard_like(value, new) for name, value in whole.state[old].items()
            }
    return cut


def gather_state(state: TrainState, config: RunConfig, num_classes: int) -> TrainState:
    """The whole state, for rank 0; all ranks take part, and the others get their shards back.

    Without shards it is the state itself.
    """
    if not is_state_sharded(state):
        return state
    found = {name: _gather(getattr(state, name).state_dict()) for name in PARTS}
    if rank() > 0:
        return state
    device = next(state.generator.parameters()).device
    whole = fresh_state(config, num_classes, device)
    for name, tensors in found.items():
        part = getattr(whole, name)
        (load_network if isinstance(part, nn.Module) else load_optimizer)(part, tensors)
    share_progress(state, whole)
    return whole


def share_progress(source: TrainState, target: TrainState) -> None:
    """Give `target` everything of `source` that is no tensor."""
    for name in ("step", "best_score", "best_step", "rollbacks", "evaluated"):
        setattr(target, name, getattr(source, name))


def discard_shards(state: TrainState, config: RunConfig, num_classes: int) -> None:
    """Make it a whole state again, with fresh tensors for a checkpoint to fill."""
    if not is_state_sharded(state):
        return
    fresh = fresh_state(config, num_classes, next(state.generator.parameters()).device)
    for name in PARTS:
        setattr(state, name, getattr(fresh, name))


def is_state_sharded(state: TrainState) -> bool:
    """Whether `shard_state` has cut it."""
    return is_sharded(next(state.generator.parameters()))


def _gather(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """A state dict with whole tensors; rank 0 keeps them in host memory, the others nothing."""

    def gather(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        whole = gather_whole(leaf)
        return whole.cpu() if rank() == 0 else None

    found: dict[str, Any] = tree_map(gather, dict(tensors))
    return found
