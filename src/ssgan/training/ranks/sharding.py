"""A state of which every rank holds a part: weights, their average and Adam's moments (FSDP2).

Every block's weights are gathered before its forward and backward pass, and let go after them. The
numbers are those of whole weights. Buffers (batch statistics, singular vectors) stay whole.

Second derivatives need the weights after a backward pass, when FSDP2 has let them go. So an update
with a gradient penalty gathers the whole of D once (`whole_weights`), without FSDP2.
"""

import copy
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ssgan.ops.adam import Adam
from ssgan.ops.collective import num_ranks, rank
from ssgan.ops.sharded import gather_whole, is_sharded, shard_like
from ssgan.runs.checkpoint import PARTS, named_tensors
from ssgan.runs.config import RunConfig
from ssgan.runs.fitting import load_network, load_optimizer
from ssgan.runs.precision import run_dtype, to_device
from ssgan.runs.state import TrainState, fresh_state
from ssgan.types import PeerLost

NETWORKS = ("generator", "discriminator", "generator_ema")
OPTIMIZERS = {"generator_optimizer": "generator", "discriminator_optimizer": "discriminator"}
_VIEW = "FSDP2-wrapped module .* returned a view"  # nobody changes D's outputs in place
_KEY = re.compile(r"\['([^']*)'\]|\[(\d+)\]")  # of torch's keystr
_LOST = re.compile(r"gloo|nccl|peer|connection|timed? ?out|socket", re.IGNORECASE)


def shards(config: RunConfig) -> bool:
    """Whether the state of this run is cut into shards."""
    return config.shard_state and num_ranks() > 1


def is_state_sharded(state: TrainState) -> bool:
    """Whether `shard_state` has cut it."""
    return is_sharded(next(state.generator.parameters()))


def shard_state(state: TrainState) -> None:
    """Cut a whole state, equal on all ranks, into shards, in place."""
    warnings.filterwarnings("ignore", message=_VIEW)
    skeleton = _copy_without_weights(state.discriminator)
    for name in NETWORKS:
        _shard_network(getattr(state, name))
    state.discriminator.skeleton = (skeleton,)  # type: ignore[assignment]  # a tuple is no part
    for name, network in OPTIMIZERS.items():
        setattr(state, name, _shard_optimizer(getattr(state, name), getattr(state, network)))


def _shard_network(network: nn.Module) -> None:
    """Its blocks one by one, then what is left."""
    from torch.distributed.fsdp import fully_shard  # it takes half a second to import

    scalars = [name for name, weight in network.named_parameters() if weight.ndim == 0]
    network.scalar_weights = scalars  # type: ignore[assignment]
    for weight in network.parameters():
        # FSDP2 refuses scalars and memory formats but the plain one
        weight.data = weight.data.reshape(1) if weight.ndim == 0 else weight.data.contiguous()
    for module in list(network.modules()):
        if isinstance(module, nn.ModuleList):
            for block in module:
                fully_shard(block, reshard_after_forward=True)
    # so that every pass reads which weights need gradients: `frozen` changes that
    fully_shard(network, reshard_after_forward=True)


def _copy_without_weights(network: nn.Module) -> nn.Module:
    """A copy whose modules have None in place of every weight; its buffers have no memory."""
    copied = copy.deepcopy(network).to("meta")
    for module in copied.modules():
        for name in [name for name, weight in module.named_parameters(recurse=False)]:
            delattr(module, name)
            setattr(module, name, None)
    return copied


def find_skeletons(network: nn.Module) -> tuple[nn.Module, ...]:
    """The copy of a sharded D that `whole_weights` fills; none of other networks."""
    return getattr(network, "skeleton", ())


@contextmanager
def whole_weights(network: nn.Module) -> Iterator[nn.Module]:
    """Within, a copy of a sharded D with whole weights; all ranks enter it at the same time.

    It can be differentiated more than once. Backward gives each shard the mean of the gradients of
    all ranks. The copy shares the buffers.
    """
    from torch.distributed.tensor import Partial

    (whole,) = find_skeletons(network)
    weights: list[tuple[str, Any]] = list(network.named_parameters())
    for name, weight in weights:
        found = weight.full_tensor(grad_placements=[Partial()])  # a sum: gloo computes no mean
        if found.requires_grad:
            found.register_hook(lambda gradient: gradient / num_ranks())
        _set(whole, name, found.reshape(()) if name in network.scalar_weights else found)  # type: ignore[operator]
    for name, buffer in network.named_buffers():
        _set(whole, name, buffer)
    try:
        yield whole
    finally:
        for name, _ in weights:
            _set(whole, name, None)


def _set(network: nn.Module, path: str, value: Tensor | None) -> None:
    place, _, name = path.rpartition(".")
    setattr(network.get_submodule(place), name, value)


def _shard_optimizer(whole: Adam, network: nn.Module) -> Adam:
    """An optimizer of the sharded weights with the settings and moments of a whole one."""
    (group,) = whole.param_groups
    settings = {name: value for name, value in group.items() if name != "params"}
    cut = Adam(network.parameters(), **settings)
    for old, new in zip(group["params"], network.parameters(), strict=True):
        if old in whole.state:
            cut.state[new] = {
                name: value if name == "step" else shard_like(value.reshape(new.shape), new)
                for name, value in whole.state[old].items()
            }
    return cut


def list_scalars(state: TrainState) -> set[str]:
    """The tensors, by their paths, that are scalars in a whole state and have an axis in shards."""
    found = set()
    for name in NETWORKS:
        found |= {f"{name}['{weight}']" for weight in getattr(state, name).scalar_weights}
    for name, part in OPTIMIZERS.items():
        network = getattr(state, part)
        for number, (weight, _) in enumerate(network.named_parameters()):
            if weight in network.scalar_weights:
                moments = ("exp_avg", "exp_avg_sq")
                found |= {f"{name}['state'][{number}]['{moment}']" for moment in moments}
    return found


def gather_state(
    state: TrainState, config: RunConfig, num_classes: int, networks_for_all: bool = False
) -> TrainState:
    """The whole state, for rank 0; all ranks take part, and the others get their shards back.

    With `networks_for_all` they get whole networks, and optimizers without moments. The networks
    are on the run's device, and Adam's moments in host memory. Without shards it is the state
    itself.
    """
    if not is_state_sharded(state):
        return state
    scalars, found = list_scalars(state), dict[str, Tensor]()
    for name, tensor in named_tensors(state):
        with translate_lost_peer():
            whole = gather_whole(tensor)
        is_network = name.partition("[")[0] in NETWORKS
        if rank() == 0 or (networks_for_all and is_network):
            found[name] = (whole.reshape(()) if name in scalars else whole).cpu()
    if not found:
        return state
    return _build_whole(state, config, num_classes, unflatten(found))


def _build_whole(
    state: TrainState, config: RunConfig, num_classes: int, parts: Mapping[str, Any]
) -> TrainState:
    whole = fresh_state(config, num_classes, torch.device("cpu"))
    device = next(state.generator.parameters()).device
    for name in NETWORKS:
        network = getattr(whole, name)
        load_network(network, parts[name])
        setattr(whole, name, to_device(network, device, run_dtype(config.precision)))
    for name in OPTIMIZERS:
        load_optimizer(getattr(whole, name), {"state": parts.get(name, {}).get("state", {})})
    share_progress(state, whole)
    return whole


def unflatten(tensors: Mapping[str, Tensor]) -> dict[str, dict[Any, Any]]:
    """Tables of tensors by their paths, such as "generator['first.weight']"."""
    parts: dict[str, dict[Any, Any]] = {}
    for path, tensor in tensors.items():
        table: dict[Any, Any] = parts.setdefault(path.split("[", 1)[0], {})
        *outer, last = (word or int(number) for word, number in _KEY.findall(path))
        for key in outer:
            table = table.setdefault(key, {})
        table[last] = tensor
    return parts


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


@contextmanager
def translate_lost_peer() -> Iterator[None]:
    """Raise PeerLost for an error of the back end within FSDP2, whose types PyTorch does not name.

    Another RuntimeError stays what it is, such as that of too little memory.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if not _LOST.search(str(error)):
            raise
        raise PeerLost(" ".join(str(error).split())) from error
