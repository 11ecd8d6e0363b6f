"""Collective operations between the ranks of a run.

A rank is one of several processes that train one run, each on its own device. All ranks must make
the same calls in the same order, with tensors of the same shape and type. A single process is the
only rank and needs no process group.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ssgan.types import PeerLost

Part = TypeVar("Part")
Result = TypeVar("Result")


def num_ranks() -> int:
    """The number of processes that train this run; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if num_ranks() > 1 else 0


def gather_from_ranks(ours: Tensor) -> Tensor:
    """The tensors of all ranks, stacked by rank in a new first axis; without gradients."""
    if num_ranks() == 1:
        return ours[None]
    found = [torch.empty_like(ours) for _ in range(num_ranks())]
    with translate_errors():
        dist.all_gather(found, ours.contiguous())
    return torch.stack(found)


def sum_over_ranks(ours: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The sum over ranks, bit-identical on every rank; without gradients."""
    return _reduce(ours, dist.ReduceOp.SUM)


def max_over_ranks(ours: Tensor) -> Tensor:
    """The elementwise maximum over ranks."""
    return _reduce(ours, dist.ReduceOp.MAX)


def _reduce(ours: Tensor, operation: "dist.ReduceOp.RedOpType") -> Tensor:
    if num_ranks() == 1:
        return ours
    found = ours.clone(memory_format=torch.contiguous_format)
    with translate_errors():
        dist.all_reduce(found, operation)
    return found


def wait_for_ranks() -> None:
    """Return once every rank has called this."""
    _reduce(torch.zeros(1), dist.ReduceOp.SUM)


def share_choice(ours: bool) -> bool:
    """Rank 0's choice."""
    return bool(gather_from_ranks(torch.tensor(int(ours)))[0])


def broadcast_from_first(content: bytes | None) -> bytes:
    """The content of rank 0; the other ranks pass None."""
    if num_ranks() == 1:
        assert content is not None
        return content
    size = torch.tensor([len(content) if content is not None else 0])
    with translate_errors():
        dist.broadcast(size, 0)
        buffer = bytearray(content) if content else bytearray(int(size))
        if buffer:
            dist.broadcast(data := torch.frombuffer(buffer, dtype=torch.uint8), 0)
            return data.numpy().tobytes()
    return b""


def share_work(parts: Sequence[Part], work: Callable[[Part], Result]) -> Iterator[Result]:
    """The work on every part, in order; of W ranks, rank r does it on the parts r, r + W, ...

    Rank 0 alone gets the results, which consist of tensors, tuples and None. The other ranks get
    nothing, and must exhaust the iterator. Each rank holds one result at a time, rank 0 W of them.
    """
    if num_ranks() == 1:
        yield from map(work, parts)
        return
    for first in range(0, len(parts), num_ranks()):
        yield from _gather_on_first([work(part) for part in parts[first + rank() :][:1]])


def _gather_on_first(ours: list[Result]) -> Iterator[Result]:
    """The lists of all ranks, one after the other, on rank 0; nothing on the others."""
    buffer = io.BytesIO()
    torch.save(ours, buffer)
    content = torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)
    sizes = gather_from_ranks(torch.tensor(len(content)))
    padded = F.pad(content, (0, int(sizes.max()) - len(content)))
    found = [torch.empty_like(padded) for _ in sizes] if rank() == 0 else None
    with translate_errors():
        dist.gather(padded, found)
    for theirs, size in zip(found or (), sizes.tolist(), strict=False):
        yield from torch.load(io.BytesIO(theirs[:size].numpy().tobytes()), weights_only=True)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise PeerLost for the error of a back end whose peer exited or does not respond."""
    try:
        yield
    except RuntimeError as error:
        raise PeerLost(" ".join(str(error).split())) from error
