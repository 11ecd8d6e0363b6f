"""The map after each block of D as pooled features, and the states of a run that hold a D.

A block's map [C, S, S] is cut into g x g equal squares, each square is averaged, and the means
are flattened into C g g features. The poolings differ in g alone:

    mean    g = 1: the mean over all positions
    gridN   the largest divisor of S that is at most N
    grid    the largest divisor of S that leaves at most 9,216 features, as is customary
    flat    g = S: every value of the map
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
from ssgan.ops.pixels import from_uint8
from ssgan.runs.checkpoint import find_state
from ssgan.runs.config import RunConfig
from ssgan.runs.model_file import find_networks, names_file
from ssgan.runs.precision import run_dtype, to_device
from ssgan.runs.sampling import load_discriminator
from ssgan.runs.shapes import require_shapes
from ssgan.runs.state import fresh_state
from ssgan.types import ImageShape, UserError

MAX_FEATURES = 9216  # of `grid`: about 9,000 values a map, after Zhang et al. 2016
POOLINGS = "mean, grid, gridN (such as grid4) or flat"


class Layer(NamedTuple):
    """A block of D and its pooling."""

    block: int  # from 0, nearest to the image
    pooling: str


class ProbedState(NamedTuple):
    """A file that holds D, and its step; D of step 0 is built from the seed."""

    file: Path
    step: int


@dataclass(frozen=True, eq=False)
class ProbedDiscriminator:
    """A frozen D in evaluation mode."""

    run: str  # the name of its run's directory
    step: int
    config: RunConfig
    data_hash: str  # content hash of the images it was trained on
    discriminator: nn.Module
    sha256: str  # over the names and bytes of its weights and buffers
    maps: tuple[tuple[int, int], ...]  # channels and side of the map after each block

    @property
    def method(self) -> str:
        """The class of the run's method."""
        return type(self.config.method).__name__

    def features(self, pixels: NDArray[np.uint8], layers: list[Layer]) -> list[Tensor]:
        """Rows [B, F] on the CPU for uint8 pixels [B, S, S, C], one tensor a layer."""
        weight = next(self.discriminator.parameters())
        images = torch.from_numpy(pixels).to(weight.device).permute(0, 3, 1, 2)
        with torch.no_grad():
            outputs = self.discriminator.block_outputs(from_uint8(images, weight.dtype))  # type: ignore[operator]
        return [pool(outputs[layer.block], layer.pooling).cpu() for layer in layers]


def list_states(
    path: Path, steps: str | None, trusted_modules: Sequence[str] = ()
) -> list[ProbedState]:
    """The states of a run directory, a checkpoint or a model's file, by step.

    `steps` is None (the newest), or step numbers and "all" (every stored state), separated by
    commas; step 0 is D before training. Raises UserError for a step without a state, naming those
    that have one.
    """
    if path.is_file() or names_file(path) or steps is None:
        newest = find_networks(path, trusted_modules=trusted_modules).checkpoint
        if steps is not None:
            raise UserError(f"{path} is a single state; --steps requires a run directory")
        return [ProbedState(newest.path, newest.step)]
    layout = RunDirectory(path)
    files = {
        parse_step(file): file for file in (*layout.snapshot_files(), *layout.checkpoint_files())
    }
    if not files:
        find_state(path)  # says what is wrong
        raise UserError(f"{path} has no state")
    every = [str(step) for step in files]
    words = [step for word in steps.split(",") for step in (every if word == "all" else [word])]
    files[0] = files[min(files)]  # its settings and seed are all that D is built from
    missing = [word for word in words if not word.isdecimal() or int(word) not in files]
    if missing:
        there = ", ".join(str(step) for step in sorted(files))
        raise UserError(
            f"{path} has no state of step {missing[0]!r}; there are {there} "
            "(output.snapshot_every keeps more)"
        )
    return [ProbedState(files[step], step) for step in sorted({int(word) for word in words})]


def open_discriminator(
    state: ProbedState, device: torch.device, trusted_modules: Sequence[str] = ()
) -> ProbedDiscriminator:
    """Load D; raises UserError for a file without D, or a D without `block_outputs`."""
    saved = find_networks(state.file, trusted_modules=trusted_modules).checkpoint
    config = saved.config
    if state.step == saved.step:
        discriminator = load_discriminator(saved, device)
    else:  # step 0: as before training
        require_shapes(saved, "discriminator")
        require_shapes(saved, "generator_ema")
        fresh = fresh_state(config, saved.num_classes, torch.device("cpu")).discriminator
        discriminator = to_device(fresh, device, run_dtype(config.precision))
        discriminator.eval().requires_grad_(False)
    if getattr(discriminator, "block_outputs", None) is None:
        raise UserError(
            f"{type(config.discriminator).__name__} cannot be probed block by block: its "
            "module needs a method block_outputs(images) that returns the maps"
        )
    return ProbedDiscriminator(
        run=run_name(state.file),
        step=state.step,
        config=config,
        data_hash=saved.data_hash,
        discriminator=discriminator,
        sha256=_digest(discriminator),
        maps=_map_shapes(discriminator, config.data.shape),
    )


def grid_side(pooling: str, channels: int, side: int) -> int:
    """The number of squares a side of a map; UserError for an unknown pooling."""
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
    return max(g for g in divisors if g == 1 or channels * g * g <= MAX_FEATURES)


def check_pooling(pooling: str) -> None:
    """Raise UserError for an unknown pooling, naming all."""
    grid_side(pooling, 1, 1)


def pool(maps: Float[Tensor, "B C S S"], pooling: str) -> Float[Tensor, "B F"]:
    """Pooled maps as rows, channel by channel, each channel row by row; see the module."""
    side = maps.shape[-1]
    squares = side // grid_side(pooling, maps.shape[1], side)
    return F.avg_pool2d(maps, squares).flatten(1)


def _map_shapes(discriminator: nn.Module, shape: ImageShape) -> tuple[tuple[int, int], ...]:
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
