"""D's insides as rows of numbers: which states there are, and the map after each block, pooled.

A block's map [C, S, S] is cut into g x g equal squares, each square is averaged, and the means
are flattened into C g g features. The poolings differ in g alone:

    mean    g = 1: the mean over all places
    gridN   the largest divisor of S that is at most N
    grid    the largest divisor of S that leaves at most 9,216 features, as is customary
    flat    g = S: every number of the map
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.files.run_directory import RunDirectory, parse_step, run_name
from ssgan.runs.checkpoint import find_state, load_part
from ssgan.runs.config import RunConfig
from ssgan.runs.precision import run_dtype, to_device
from ssgan.runs.state import fresh_state
from ssgan.types import ImageShape, UserError

MOST_FEATURES = 9216  # of `grid`: about 9,000 numbers a map, after Zhang et al. 2016
POOLINGS = "mean, grid, gridN (such as grid4) or flat"


class Layer(NamedTuple):
    """One place to read D at."""

    block: int  # from 0, the nearest to the image
    pooling: str


class ProbedState(NamedTuple):
    """A D that can be read: the file that holds it, and its step; step 0 is built from the seed."""

    file: Path
    step: int


@dataclass(frozen=True, eq=False)
class ProbedDiscriminator:
    """One D, frozen, in evaluation mode and full precision."""

    run: str  # the name of its run's directory
    step: int
    config: RunConfig
    data_hash: str  # content hash of the images it was trained on
    discriminator: nn.Module
    sha256: str  # over the names and bytes of its weights and buffers
    maps: tuple[tuple[int, int], ...]  # channels and side of the map after every block

    @property
    def method(self) -> str:
        """The class of the run's method."""
        return type(self.config.method).__name__

    def features(self, pixels: NDArray[np.uint8], layers: list[Layer]) -> list[Tensor]:
        """Rows [B, F] on the CPU for uint8 pixels [B, S, S, C], one tensor a layer."""
        weight = next(self.discriminator.parameters())
        images = torch.from_numpy(pixels).to(weight.device).permute(0, 3, 1, 2)
        with torch.no_grad():
            outputs = self.discriminator.block_outputs(images.to(weight).div_(127.5).sub_(1))  # type: ignore[operator]
        return [pool(outputs[layer.block], layer.pooling).cpu() for layer in layers]


def list_states(
    path: Path, steps: str | None, trusted_modules: Sequence[str] = ()
) -> list[ProbedState]:
    """The states to read of a run directory or a checkpoint file, by step.

    `steps` is None (the newest), or a list of step numbers and "all" (every state that is kept),
    separated by commas; step 0 is D as it was before training. Raises UserError for a step without
    a state, naming those that have one.
    """
    if path.is_file() or steps is None:
        newest = find_state(path, trusted_modules=trusted_modules).checkpoint
        if steps is not None:
            raise UserError(f"{path} is one state: steps are chosen of a run directory")
        return [ProbedState(newest.path, newest.step)]
    layout = RunDirectory(path)
    files = {
        parse_step(file): file for file in (*layout.snapshot_files(), *layout.checkpoint_files())
    }
    if not files:
        find_state(path)  # says what is wrong
        raise UserError(f"no state to read in {path}")
    every = [str(step) for step in files]
    words = [step for word in steps.split(",") for step in (every if word == "all" else [word])]
    files[0] = files[min(files)]  # its settings and seed are all that D is built from
    missing = [word for word in words if not word.isdecimal() or int(word) not in files]
    if missing:
        there = ", ".join(str(step) for step in sorted(files))
        raise UserError(
            f"{path} has no state of step {missing[0]!r}; there are {there} "
            "(output.keep_every keeps more)"
        )
    return [ProbedState(files[step], step) for step in sorted({int(word) for word in words})]


def open_discriminator(
    state: ProbedState, device: torch.device, trusted_modules: Sequence[str] = ()
) -> ProbedDiscriminator:
    """Read D; raises UserError when the file has none, or D cannot be read block by block."""
    saved = find_state(state.file, trusted_modules=trusted_modules).checkpoint
    config, method = saved.config, saved.config.method
    if "discriminator" not in saved.tensors:
        raise UserError(
            f"{state.file} has no discriminator: give a run directory, or a file of its "
            "checkpoints/ or kept/"
        )
    if state.step != saved.step:  # step 0: as before training
        discriminator = fresh_state(config, saved.num_classes, torch.device("cpu")).discriminator
    else:
        num_classes = saved.num_classes if method.conditional else 0
        width = method.auxiliary_width_for(num_classes)
        discriminator = config.discriminator.build(config.data.shape, width, num_classes)
        load_part(discriminator, saved, "discriminator")
    if getattr(discriminator, "block_outputs", None) is None:
        raise UserError(
            f"{type(config.discriminator).__name__} cannot be read block by block: its module "
            "needs a method block_outputs(images) that returns the maps"
        )
    discriminator = to_device(discriminator, device, run_dtype(config.precision))
    discriminator.eval().requires_grad_(False)
    return ProbedDiscriminator(
        run=run_name(state.file),
        step=state.step,
        config=config,
        data_hash=saved.data_hash,
        discriminator=discriminator,
        sha256=_digest(discriminator),
        maps=_maps(discriminator, config.data.shape),
    )


def grid_side(pooling: str, channels: int, side: int) -> int:
    """How many squares a side `pooling` cuts a map into; UserError for an unknown pooling."""
    if pooling == "mean":
        return 1
    if pooling == "flat":
        return side
    most = pooling.removeprefix("grid")
    if not pooling.startswith("grid") or (most and not (most.isdecimal() and int(most))):
        raise UserError(f"no pooling {pooling!r}; there are {POOLINGS}")
    divisors = [g for g in range(1, side + 1) if side % g == 0]
    if most:
        return max(g for g in divisors if g <= int(most))
    return max(g for g in divisors if g == 1 or channels * g * g <= MOST_FEATURES)


def check_pooling(pooling: str) -> None:
    """Raise UserError, naming those that there are, for an unknown pooling."""
    grid_side(pooling, 1, 1)


def pool(maps: Float[Tensor, "B C S S"], pooling: str) -> Float[Tensor, "B F"]:
    """Every map as one row, channel by channel, each channel row by row; see the module."""
    side = maps.shape[-1]
    squares = side // grid_side(pooling, maps.shape[1], side)
    return F.avg_pool2d(maps, squares).flatten(1)


def _maps(discriminator: nn.Module, shape: ImageShape) -> tuple[tuple[int, int], ...]:
    weight = next(discriminator.parameters())
    black = torch.zeros(1, shape.channels, shape.size, shape.size).to(weight)
    with torch.no_grad():
        outputs = discriminator.block_outputs(black)  # type: ignore[operator]
    return tuple((output.shape[1], output.shape[-1]) for output in outputs)


def _digest(network: nn.Module) -> str:
    whole = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        whole.update(name.encode())
        whole.update(tensor.cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()
