"""Tensors of which every rank holds a part: what works on the part, and what on the whole.

PyTorch calls them DTensors. A tensor that is no DTensor is whole on every rank, and its own part.
"""

from typing import Any

import torch
from torch import Tensor

from ssgan.ops.collective import rank


def is_sharded(tensor: Tensor) -> bool:
    """Whether other ranks hold other parts of it."""
    return hasattr(tensor, "to_local")  # DTensor's, whose import takes half a second


def local_part(tensor: Tensor) -> Tensor:
    """The part of this rank, which shares its memory; it may have no rows."""
    found: Any = tensor
    return found.to_local() if is_sharded(tensor) else tensor


def gather_whole(tensor: Tensor) -> Tensor:
    """The whole tensor; all ranks must call it for the same tensor at the same time."""
    found: Any = tensor
    return found.full_tensor() if is_sharded(tensor) else tensor


def local_rows(tensor: Tensor) -> slice:
    """Which rows of the whole the part of this rank is: as torch.chunk cuts them."""
    if not is_sharded(tensor):
        return slice(0, len(tensor))
    mesh: Any = tensor.device_mesh  # type: ignore[attr-defined]
    each = -(-len(tensor) // mesh.size())
    first = min(len(tensor), rank() * each)
    return slice(first, first + len(local_part(tensor)))


def shard_like(whole: Tensor, sharded: Tensor) -> Tensor:
    """A tensor that every rank holds, cut as another one of its shape; nothing is sent."""
    if not is_sharded(sharded) or whole.shape != sharded.shape:
        return whole
    from torch.distributed.tensor import distribute_tensor

    other: Any = sharded
    with torch.no_grad():
        return distribute_tensor(
            whole.contiguous(), other.device_mesh, other.placements, src_data_rank=None
        )
