"""How much disk the runs of a study take."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from ssgan.data.base import Outline
from ssgan.studies.cell import Cell
from ssgan.studies.job import Training
from ssgan.training.disk import run_disk
from ssgan.training.state import fresh_state


class Disk(NamedTuple):
    """Bytes; caches of features and temporary files of probes are not in it."""

    runs: int  # checkpoints, kept states and the best one of all runs when they are done
    images: int  # the prepared images, once


def disk(cells: Sequence[Cell], outline: Outline) -> Disk:
    """What all runs of these cells take, and the images. Networks are built, nothing is written."""
    runs, images = 0, 0
    sizes: dict[str, int] = {}
    for cell in cells:
        if isinstance(cell.training, Training):
            config = cell.training.config
            if cell.arm.title not in sizes:
                state = fresh_state(config, len(outline.classes), torch.device("cpu"))
                sizes[cell.arm.title] = run_disk(config, state).done
            runs += sizes[cell.arm.title]
            side, channels = config.data.image_size, config.data.channels
            images = max(images, outline.survey.num_images * side * side * channels)
    return Disk(runs, images)
