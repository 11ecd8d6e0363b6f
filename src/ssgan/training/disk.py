"""How much disk the states of a run take, as is known before any step."""

from collections.abc import Iterable
from typing import NamedTuple

import torch

from ssgan.training.checkpoint import kept_tensors, state_tensors
from ssgan.training.config import RunConfig
from ssgan.training.state import TrainState

_WHOLE = 3  # checkpoints that stay: the two newest, and the last of a healthy time


class RunDisk(NamedTuple):
    """Bytes of the states of a run."""

    checkpoint: int  # a whole checkpoint
    kept: int  # all states that output.keep_every keeps
    done: int  # all that is there when the run is done, at the most

    @property
    def peak(self) -> int:
        """The most that is there at any time: one checkpoint more, while that is written."""
        return self.done + self.checkpoint


def run_disk(config: RunConfig, state: TrainState) -> RunDisk:
    """What a run takes of which this is the fresh state; Adam will hold two numbers a weight."""
    networks = (state.generator, state.discriminator)
    trained = [weight for network in networks for weight in network.parameters()]
    checkpoint = _bytes(state_tensors(state)) + 2 * _bytes(trained)
    every = config.output.keep_every
    kept = config.total_steps // every * _bytes(kept_tensors(state)) if every else 0
    best = state.generator_ema.state_dict().values() if config.evaluate.every else ()
    return RunDisk(checkpoint, kept, _WHOLE * checkpoint + kept + _bytes(best))


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
