"""Runs that were never trained: a checkpoint of fresh weights, spread so that samples differ."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ssgan.config.serialize import dump
from ssgan.data.dataset import Dataset
from ssgan.files.atomic import write_json
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.runs.config import RunConfig
from ssgan.runs.state import TrainState, fresh_state
from tests.metrics.pictures import pictures
from tests.training.tiny import tiny


def lively_state(config: RunConfig, seed: int = 0) -> TrainState:
    """Fresh weights whose averaged generator makes images of many colours."""
    state = fresh_state(config, 10, torch.device("cpu"))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in state.generator_ema.parameters():
            weight += 0.5 * torch.randn(weight.shape, generator=generator)
    state.step = 3
    return state


def save_run(
    root: Path, name: str = "ssgan", state: TrainState | None = None, data_hash: str = "ab" * 32
) -> Path:
    """A run directory with one checkpoint of step 3, and a best state."""
    config, layout = tiny(name), RunDirectory(root)
    state = lively_state(config) if state is None else state
    root.mkdir(parents=True)
    write_json(layout.config, dump(config))
    writer = checkpoint.CheckpointWriter(layout, config, data_hash, "abcdefghij")
    writer.save(state)
    writer.save_best(state)
    return root


def real_images(count: int = 24, seed: int = 1) -> Dataset:
    """Pictures of 32 x 32 pixels in memory."""
    pixels = pictures(count, seed).permute(0, 2, 3, 1).contiguous().numpy()
    return Dataset(pixels, None, (), f"{seed:02}" * 32, {"source": f"pictures {seed}"})


def write_folder(folder: Path, count: int = 24, seed: int = 1) -> Path:
    """The same pictures as PNG files."""
    folder.mkdir(parents=True)
    for number, image in enumerate(real_images(count, seed).images):
        Image.fromarray(np.asarray(image)).save(folder / f"{number:04}.png")
    return folder
