"""How much disk the runs of a study take."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from ssgan.data.base import DatasetInfo
from ssgan.runs.state import fresh_state
from ssgan.studies.jobs import TrainingJob
from ssgan.studies.trial import Trial
from ssgan.training.cost import estimate_disk


class Disk(NamedTuple):
    """Bytes; caches of features and temporary files of probes are not in it."""

    runs: int  # checkpoints, kept states and the best one of all runs when they are done
    images: int  # the prepared images, once


def disk(trials: Sequence[Trial], info: DatasetInfo) -> Disk:
    """What all runs of these cells take, and the images. Networks are built, nothing is written."""
    runs, images = 0, 0
    sizes: dict[str, int] = {}
    for trial in trials:
        if isinstance(trial.training, TrainingJob):
            config = trial.training.config
            if trial.variant.title not in sizes:
                state = fresh_state(config, len(info.classes), torch.device("cpu"))
                sizes[trial.variant.title] = estimate_disk(config, state).done
            runs += sizes[trial.variant.title]
            side, channels = config.data.image_size, config.data.channels
            images = max(images, info.header_stats.num_images * side * side * channels)
    return Disk(runs, images)
