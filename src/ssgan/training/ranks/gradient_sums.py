"""The mean of gradients over ranks, which is computed while backward still runs."""

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType

import torch
import torch.distributed as dist
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from ssgan.ops.collective import num_ranks, sum_over_ranks, translate_errors
from ssgan.ops.sharded import is_sharded

BUCKET_BYTES = 8 * 2**20  # of gradients that are summed together


class GradientSums:
    """Within it, the gradients of an update's last backward pass are summed over ranks.

    The gradients of the last layers are complete first. They are cut into buckets in that order,
    and the sum of a bucket begins once it and those before it are complete. The order of sums is
    that of the buckets: it is the same on every rank. `average` waits for them.

    `begins` is False for earlier passes, which only add to the gradients. Without other ranks, and
    where FSDP2 sums them, nothing happens.
    """

    def __init__(self, optimizer: Optimizer, begins: bool) -> None:
        weights = [p for group in optimizer.param_groups for p in group["params"]]
        self._sharded = is_sharded(weights[0])
        self._alone = num_ranks() == 1
        idle = self._alone or self._sharded or not begins
        self._buckets = [] if idle else cut_buckets([p for p in weights if p.requires_grad])
        self._missing = [len(bucket) for bucket in self._buckets]
        self._begun: list[tuple[list[Tensor], Tensor, dist.Work | None]] = []
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> "GradientSums":
        for number, bucket in enumerate(self._buckets):
            for weight in bucket:
                hook = self._make_hook(number)
                handle = weight.register_post_accumulate_grad_hook(hook)  # type: ignore[no-untyped-call]
                self._handles.append(handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def _make_hook(self, number: int) -> Callable[[Tensor], None]:
        def note(weight: Tensor) -> None:
            self._missing[number] -= 1
            last = len(self._buckets) - 1  # it waits for the terms
            while len(self._begun) < last and self._missing[len(self._begun)] == 0:
                self._begin()

        return note

    def _begin(self, values: Tensor | None = None) -> None:
        """Begin the sum of the next bucket, and of some values."""
        bucket = self._buckets[len(self._begun)]
        gradients = [weight.grad for weight in bucket if weight.grad is not None]
        rest = [] if values is None else [values]
        none = bucket[0].new_empty(0)  # where no weight of the bucket has a gradient
        flat = torch.cat([none, *(gradient.flatten() for gradient in gradients), *rest])
        with translate_errors():
            work = dist.all_reduce(flat, async_op=True)
        self._begun.append((gradients, flat, work))

    def average(self, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Replace the gradients by their mean over ranks; returns the means of the terms."""
        if self._alone:
            return dict(terms)
        values = torch.stack(list(terms.values()))
        if self._sharded:  # the mean of gradients was computed in backward
            return dict(zip(terms, sum_over_ranks(values) / num_ranks(), strict=True))
        while len(self._begun) < len(self._buckets) - 1:  # those with a weight without gradient
            self._begin()
        self._begin(values.to(self._buckets[-1][0].dtype))
        for gradients, flat, work in self._begun:
            assert work is not None
            with translate_errors():
                work.wait()
            sizes = [gradient.numel() for gradient in gradients]
            *parts, rest = torch.split(flat / num_ranks(), [*sizes, len(flat) - sum(sizes)])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view_as(gradient))
        return dict(zip(terms, rest, strict=True))


def cut_buckets(weights: Iterable[Tensor]) -> list[list[Tensor]]:
    """The weights in reverse order, in groups of at least BUCKET_BYTES; the last may be smaller."""
    buckets: list[list[Tensor]] = [[]]
    size = 0
    for weight in reversed(list(weights)):
        if size >= BUCKET_BYTES:
            buckets.append([])
            size = 0
        buckets[-1].append(weight)
        size += weight.numel() * weight.element_size()
    return buckets
