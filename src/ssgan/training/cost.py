"""How much disk the states of a run take, as is known before any step."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ssgan.data.base import DatasetInfo
from ssgan.data.dataset import Dataset
from ssgan.runs.checkpoint import snapshot_tensors, state_tensors
from ssgan.runs.config import RunConfig
from ssgan.runs.precision import resolve_device
from ssgan.runs.state import TrainState, fresh_state
from ssgan.training.feed import Feed
from ssgan.training.networks import Networks
from ssgan.training.step import train_step
from ssgan.types import UserError

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


def estimate_disk(config: RunConfig, state: TrainState) -> RunDisk:
    """What a run takes of which this is the fresh state; Adam will hold two numbers a weight."""
    networks = (state.generator, state.discriminator)
    trained = [weight for network in networks for weight in network.parameters()]
    checkpoint = _bytes(state_tensors(state)) + 2 * _bytes(trained)
    every = config.output.keep_every
    kept = config.total_steps // every * _bytes(snapshot_tensors(state)) if every else 0
    best = state.generator_ema.state_dict().values() if config.evaluate.every else ()
    return RunDisk(checkpoint, kept, _WHOLE * checkpoint + kept + _bytes(best))


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)


_LONG = 20.0  # seconds: a step expected to take longer is not taken, but told from smaller ones
_ENOUGH = 10.0  # seconds: a first step that took longer, setting up included, is not timed again
_SMALLEST = 4  # images of the smallest of these, times accumulation: one of them is turned


@dataclass(frozen=True)
class RunCost:
    """Counts are exact; seconds were timed on a few steps, on images that are noise.

    Where a step would be long, operations and memory are those of two smaller batches, drawn on in
    a straight line: operations are then exact but for the rounding of turned images. Seconds are in
    proportion to the larger of the two: too many, for what a step costs at any batch counts often.
    """

    generator_weights: int
    discriminator_weights: int
    discriminator_images: int  # images that D reads in one step
    gigaflop_per_step: float
    seconds_per_step: float
    total_steps: int
    batch_images: int  # real images a step
    memory_bytes: int  # peak of the accelerator, or of the process
    disk: RunDisk  # of the run's states
    data_images: int
    data_bytes: int
    download: str  # what would be downloaded first, in words; empty: nothing
    timed_on: str  # in words, if no step of the whole batch was taken; else empty

    def text(self) -> str:
        """The plan in lines for a person."""
        hours = self.seconds_per_step * self.total_steps / 3600
        rate = self.batch_images / self.seconds_per_step
        disk = self.disk.peak + self.data_bytes
        fetched = f"download       {self.download}; its counts are those published"
        return "\n".join(
            [
                f"generator      {self.generator_weights:,} weights",
                f"discriminator  {self.discriminator_weights:,} weights",
                f"one step       D reads {self.discriminator_images} images; "
                f"{self.gigaflop_per_step:.1f} GFLOP; {self.seconds_per_step:.2f} s, "
                f"{rate:.0f} real images/s{self.timed_on}",
                f"the run        {self.total_steps:,} steps, about {hours:.1f} hours",
                f"memory         {self.memory_bytes / 1e9:.2f} GB",
                f"disk           at most {disk / 1e6:.0f} MB: "
                f"images {self.data_bytes / 1e6:.0f} MB ({self.data_images:,}), "
                f"checkpoints {self.disk.checkpoint / 1e6:.0f} MB each, "
                f"kept states {self.disk.kept / 1e6:.0f} MB",
                *([fetched] if self.download else []),
                "nothing was written",
            ]
        )


class _Flops(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts as torch's FlopCounterMode does, whose hooks on modules fail in a double backward."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if (formula := flop_registry.get(func._overloadpacket)) is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=out)
        return out


def estimate_cost(config: RunConfig, info: DatasetInfo) -> RunCost:
    """Build the networks and take a few steps on noise; nothing is read or written."""
    noise = _noise(config, info.classes)
    device = resolve_device(config.device)
    state = fresh_state(config, noise.num_classes, device)
    disk = estimate_disk(config, state)
    cost, timed_on = _step_cost(config, noise, state, device)
    size, channels = config.data.image_size, config.data.channels
    num_images = info.header_stats.num_images
    return RunCost(
        generator_weights=sum(p.numel() for p in state.generator.parameters()),
        discriminator_weights=sum(p.numel() for p in state.discriminator.parameters()),
        discriminator_images=round(cost.discriminator_images),
        gigaflop_per_step=cost.flop / 1e9,
        seconds_per_step=cost.seconds,
        total_steps=config.total_steps,
        batch_images=config.batch_size * config.discriminator_updates,
        memory_bytes=round(cost.memory_bytes),
        disk=disk,
        data_images=num_images,
        data_bytes=num_images * size * size * channels,
        download=info.download,
        timed_on=timed_on,
    )


@dataclass(frozen=True)
class _StepCost:
    """Of one step."""

    discriminator_images: float
    flop: float
    seconds: float
    memory_bytes: float  # the peak so far

    def onward(self, twice: "_StepCost", factor: float) -> "_StepCost":
        """The cost of `factor` times our batch, in a straight line from ours and that of twice."""
        pairs = [(getattr(self, f.name), getattr(twice, f.name)) for f in fields(self)]
        return _StepCost(*(one + max(0.0, two - one) * (factor - 1) for one, two in pairs))


def _step_cost(
    config: RunConfig, noise: Dataset, state: TrainState, device: torch.device
) -> tuple[_StepCost, str]:
    """The cost of a step, and in words what was timed instead of one."""
    size = _small_batch(config)
    if size is not None:
        small = _measure_step(replace(config, batch_size=size), noise, state, device)
        factor = config.batch_size / size
        if small.seconds * factor > _LONG:
            twice = _measure_step(replace(config, batch_size=2 * size), noise, state, device)
            told = replace(small.onward(twice, factor), seconds=twice.seconds * factor / 2)
            return told, f" (at most: told from batches of {size} and {2 * size})"
    return _measure_step(config, noise, state, device), ""


def _small_batch(config: RunConfig) -> int | None:
    """The smallest batch that is worth a try before the whole one, and can be doubled."""
    if config.compile:  # each size of a batch would be compiled
        return None
    parts = config.accumulation
    for size in range(_SMALLEST * parts, config.batch_size // 4 + 1, parts):
        try:
            for batch in (size, 2 * size):
                replace(config, batch_size=batch)
        except UserError:  # so many cannot be cut into parts
            continue
        return size
    return None


def _measure_step(
    config: RunConfig, noise: Dataset, state: TrainState, device: torch.device
) -> _StepCost:
    feed, networks = Feed(config, noise, device), Networks(config, state, device)
    seen: list[int] = []

    def timed() -> float:
        started = time.perf_counter()
        train_step(state, feed, networks, config)
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        return time.perf_counter() - started

    hook = state.discriminator.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    with _Flops() as flops:  # type: ignore[no-untyped-call]
        seconds = timed()
    hook.remove()
    if seconds < _ENOUGH:  # the first step also sets things up
        seconds = min(timed(), timed())
    return _StepCost(sum(seen), flops.total, seconds, _peak_memory(device))


def _noise(config: RunConfig, classes: tuple[str, ...]) -> Dataset:
    data, count = config.data, config.batch_size
    shape = (count, data.image_size, data.image_size, data.channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    labels = np.arange(count) % len(classes) if classes else None
    return Dataset(pixels, labels, classes, "noise", {})


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import sys

    if sys.platform == "win32":
        return 0  # unknown
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
