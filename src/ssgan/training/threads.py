"""The threads of a run: as many as the work of its step is worth, the same at every start."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ssgan.ops.cpu import worthwhile_threads
from ssgan.ops.modes import eval_mode
from ssgan.runs.config import RunConfig
from ssgan.runs.state import TrainState

_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # with which a user sets the threads
_DEFAULT = torch.get_num_threads()  # what torch takes by itself


class Flops(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts as torch's FlopCounterMode, whose module hooks fail in a double backward."""

    total: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if (formula := flop_registry.get(func._overloadpacket)) is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=out)
        return out


@contextmanager
def threads_of(config: RunConfig, state: TrainState) -> Iterator[None]:
    """Within, torch has the threads that a step on the CPU is worth, unless the user chose them.

    The user's are those of OMP_NUM_THREADS, MKL_NUM_THREADS and of `torch.set_num_threads` after
    this module was imported.
    """
    before, on_cpu = torch.get_num_threads(), _device(state.generator).type == "cpu"
    if before == 1 or not on_cpu or before != _DEFAULT or any(map(os.environ.get, _VARIABLES)):
        yield
        return
    torch.set_num_threads(worthwhile_threads(part_gigaflop(config, state), before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def part_gigaflop(config: RunConfig, state: TrainState) -> float:
    """The GFLOP of one part of a step, within some percent, from each network on one image.

    A backward pass counts twice a forward pass, and once where only images get gradients.
    """
    method, size, updates = config.method, config.batch_size, config.discriminator_updates
    extra = 3 * method.num_rotated(size)  # rotated images, each at three more angles
    labels = torch.zeros(1, dtype=torch.int64) if method.conditional else None
    weight = next(state.generator.parameters())
    with eval_mode(state.generator, state.discriminator):
        with Flops() as generator:  # type: ignore[no-untyped-call]
            fake = state.generator(weight.new_zeros(1, config.generator.latent_size), labels)
        with Flops() as discriminator:  # type: ignore[no-untyped-call]
            state.discriminator(fake, labels)
    g, d = generator.total, discriminator.total
    of_discriminator = size * g + 3 * (2 * size + extra) * d
    of_generator = 3 * size * g + 2 * (size + extra) * d
    return float(updates * of_discriminator + of_generator) / config.accumulation / 1e9


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
