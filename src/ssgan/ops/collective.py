"""What the ranks of one run do together; a process alone is the only rank, and needs no group.

A rank is one of several processes that train one run, each on its own device. All of them must make
the same calls in the same order. Tensors of every rank have the same shape and type.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from ssgan.types import PeerLost


def num_ranks() -> int:
    """How many processes train this run; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this one, from 0."""
    return dist.get_rank() if num_ranks() > 1 else 0


def gather_from_ranks(ours: Tensor) -> Tensor:
    """Those of all ranks, in a new first axis in the order of ranks; without gradients."""
    if num_ranks() == 1:
        return ours[None]
    found = [torch.empty_like(ours) for _ in range(num_ranks())]
    with translate_errors():
        dist.all_gather(found, ours.contiguous())
    return torch.stack(found)


def sum_over_ranks(ours: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The sum over ranks, the same to the bit on each; without gradients."""
    return _reduce(ours, dist.ReduceOp.SUM)


def max_over_ranks(ours: Tensor) -> Tensor:
    """The largest over ranks, element by element."""
    return _reduce(ours, dist.ReduceOp.MAX)


def _reduce(ours: Tensor, how: "dist.ReduceOp.RedOpType") -> Tensor:
    if num_ranks() == 1:
        return ours
    found = ours.clone(memory_format=torch.contiguous_format)
    with translate_errors():
        dist.all_reduce(found, how)
    return found


def broadcast_from_first(content: bytes | None) -> bytes:
    """What rank 0 has; the others give None."""
    if num_ranks() == 1:
        assert content is not None
        return content
    size = torch.tensor([len(content) if content is not None else 0])
    with translate_errors():
        dist.broadcast(size, 0)
        given = bytearray(content) if content else bytearray(int(size))
        if given:
            dist.broadcast(data := torch.frombuffer(given, dtype=torch.uint8), 0)
            return data.numpy().tobytes()
    return b""


@contextmanager
def translate_errors() -> Iterator[None]:
    """What a back end raises when a rank has gone or does not answer, as PeerLost."""
    try:
        yield
    except RuntimeError as error:
        raise PeerLost(" ".join(str(error).split())) from error
