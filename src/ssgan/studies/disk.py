"""How much disk the runs of a study take."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from ssgan.data.base import Outline
from ssgan.studies.cell import Cell
from ssgan.studies.job import Training
from ssgan.training.checkpoint import kept_tensors, state_tensors
from ssgan.training.config import RunConfig
from ssgan.training.state import TrainState, fresh_state

_CHECKPOINTS = 3  # whole ones: the two newest, and the last of a healthy time


class Disk(NamedTuple):
    """Bytes; caches of features and temporary files of probes are not in it."""

    runs: int  # checkpoints and kept states of all runs when they are done
    images: int  # the prepared images, once


def disk(cells: Sequence[Cell], outline: Outline) -> Disk:
    """What all runs of these cells take, and the images. Networks are built, nothing is written."""
    runs, images = 0, 0
    sizes: dict[str, int] = {}
    for cell in cells:
        if isinstance(cell.training, Training):
            config = cell.training.config
            if cell.arm.title not in sizes:
                sizes[cell.arm.title] = _run_bytes(config, len(outline.classes))
            runs += sizes[cell.arm.title]
            side, channels = config.data.image_size, config.data.channels
            images = max(images, outline.survey.num_images * side * side * channels)
    return Disk(runs, images)


def _run_bytes(config: RunConfig, num_classes: int) -> int:
    state = fresh_state(config, num_classes, torch.device("cpu"))
    every = config.output.keep_every
    kept = config.total_steps // every if every else 0
    return _CHECKPOINTS * checkpoint_bytes(state) + kept * _bytes(kept_tensors(state))


def checkpoint_bytes(state: TrainState) -> int:
    """A checkpoint's size: Adam will hold two numbers for every weight that is trained."""
    networks = (state.generator, state.discriminator)
    trained = [weight for network in networks for weight in network.parameters()]
    return _bytes(state_tensors(state)) + 2 * _bytes(trained)


def _bytes(tensors: Sequence[torch.Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
