"""What a run would cost, before it is run."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ssgan.data.base import Outline
from ssgan.data.dataset import Dataset
from ssgan.training.config import RunConfig
from ssgan.training.disk import RunDisk, run_disk
from ssgan.training.feed import Feed
from ssgan.training.networks import Networks
from ssgan.training.precision import resolve_device
from ssgan.training.state import fresh_state
from ssgan.training.step import train_step


@dataclass(frozen=True)
class Plan:
    """Counts are exact; seconds were timed on a few steps, on images that are noise."""

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
                f"{rate:.0f} real images/s",
                f"the run        {self.total_steps:,} steps, about {hours:.1f} hours",
                f"memory         {self.memory_bytes / 1e9:.2f} GB",
                f"disk           {disk / 1e6:.0f} MB: images {self.data_bytes / 1e6:.0f} MB "
                f"({self.data_images:,}), checkpoints {self.disk.checkpoint / 1e6:.0f} MB each, "
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


def plan(config: RunConfig, outline: Outline) -> Plan:
    """Build the networks and take a few steps on noise; nothing is read or written."""
    noise = _noise(config, outline.classes)
    device = resolve_device(config.device)
    state = fresh_state(config, noise.num_classes, device)
    disk = run_disk(config, state)
    feed, networks = Feed(config, noise, device), Networks(config, state, device)
    seen: list[int] = []
    hook = state.discriminator.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    with _Flops() as flops:  # type: ignore[no-untyped-call]
        train_step(state, feed, networks, config)
    hook.remove()
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        train_step(state, feed, networks, config)
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        seconds.append(time.perf_counter() - started)
    size, channels = config.data.image_size, config.data.channels
    num_images = outline.survey.num_images
    return Plan(
        generator_weights=sum(p.numel() for p in state.generator.parameters()),
        discriminator_weights=sum(p.numel() for p in state.discriminator.parameters()),
        discriminator_images=sum(seen),
        gigaflop_per_step=flops.total / 1e9,
        seconds_per_step=min(seconds),
        total_steps=config.total_steps,
        batch_images=config.batch_size * config.discriminator_updates,
        memory_bytes=_peak_memory(device),
        disk=disk,
        data_images=num_images,
        data_bytes=num_images * size * size * channels,
        download=outline.download,
    )


def _noise(config: RunConfig, classes: tuple[str, ...]) -> Dataset:
    data, count = config.data, config.batch_size
    shape = (count, data.image_size, data.image_size, data.channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    labels = np.arange(count) % len(classes) if classes else None
    return Dataset(pixels, labels, classes, "noise", {})


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource  # not on every system, and only needed here
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
