"""What a run will cost, before it starts: disk, memory, operations and time."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ssgan.config.text import spell_duration
from ssgan.data.base import DatasetInfo
from ssgan.data.dataset import Dataset
from ssgan.ops.threads import Threads, adapting_threads
from ssgan.runs.checkpoint import SNAPSHOT, state_tensors
from ssgan.runs.config import RunConfig
from ssgan.runs.precision import resolve_device
from ssgan.runs.state import TrainState, fresh_state
from ssgan.training.feed import Feed
from ssgan.training.networks import Networks
from ssgan.training.step import train_step
from ssgan.types import UserError

_WHOLE = 3  # checkpoints that stay: the two newest and the last healthy one
_PER_TENSOR = 280  # bytes of a file beside the numbers of each tensor
_PER_FILE = 4_000  # bytes of a file beside its tensors, such as the settings
_TRAINED = 3  # tensors of Adam for each weight: two moments and a count
_EVALUATING = 0.3  # GB that evaluation with random features, sheets and logs take at most
_LONG = 20.0  # seconds: a step expected to take longer is extrapolated from smaller batches
_REPEATS = 6  # steps after the first, which also sets things up; the fastest counts
_LEAST = 0.5  # seconds that they take together at least
_ENOUGH = 6.0  # seconds of them after which no other one begins
_TOO_LONG = 60.0  # seconds: a longer first step is not repeated
_SMALLEST = 4  # images of the smallest batch, times accumulation, so that one is rotated


class RunDisk(NamedTuple):
    """Bytes of a run's states and sample sheets, and the number of its files."""

    checkpoint: int  # a whole checkpoint
    snapshots: int  # all snapshots of output.snapshot_every
    sheets: int  # all sample sheets, at most: PNG makes them smaller
    done: int  # all of these of a finished run, at most
    files: int  # of a finished run, at most

    @property
    def peak(self) -> int:
        """The most at any time: one checkpoint more, while it is written."""
        return self.done + self.checkpoint


def estimate_disk(config: RunConfig, state: TrainState) -> RunDisk:
    """Disk usage of a run that starts from this state; Adam will hold two numbers a weight."""
    networks = (state.generator, state.discriminator)
    weights = [weight for network in networks for weight in network.parameters()]
    trained = [weight for weight in weights if weight.requires_grad]
    checkpoint = _file_bytes(state_tensors(state)) + 2 * _bytes(trained)
    checkpoint += _TRAINED * len(trained) * _PER_TENSOR
    output, steps, every = config.output, config.total_steps, config.evaluate.every
    num_snapshots = steps // output.snapshot_every if output.snapshot_every else 0
    snapshots = num_snapshots * _file_bytes(state_tensors(state, SNAPSHOT))
    best = _file_bytes(state.generator_ema.state_dict().values()) if every else 0
    num_sheets = (steps - 1) // output.sample_every + 1 if output.sample_every else 1
    channels, size = config.data.shape
    sheets = num_sheets * output.sample_rows**2 * size * size * channels
    sheets *= 1 + output.tensorboard  # its event files hold them too
    records = 7 + output.tensorboard  # the settings, the lock, and logs
    evaluated = bool(every) * (_WHOLE + 1 + 1)  # D's features, the best state, the real moments
    return RunDisk(
        checkpoint,
        snapshots,
        sheets,
        _WHOLE * checkpoint + snapshots + best + sheets,
        _WHOLE + num_snapshots + num_sheets + records + evaluated,
    )


def _file_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """The size of a file of states with these tensors, within 5 %."""
    sizes = [tensor.nbytes for tensor in tensors]
    return sum(sizes) + len(sizes) * _PER_TENSOR + _PER_FILE


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)


@dataclass(frozen=True)
class RunCost:
    """Counts are exact; seconds come from a few steps on noise.

    A long step is extrapolated from two smaller batches: operations and memory linearly, seconds in
    proportion to the larger batch. Seconds are then an upper bound, because they include the costs
    of a step that do not grow with the batch.
    """

    generator_weights: int
    discriminator_weights: int
    trained_share: float  # of D's weights that updates change, in [0, 1]
    discriminator_images: int  # inputs of D in one step
    gigaflop_per_step: float
    seconds_per_step: float
    total_steps: int
    batch_images: int  # real images a step
    memory_bytes: int  # peak of the accelerator, or of the process; 0: not known here
    disk: RunDisk
    data_images: int
    data_bytes: int
    download: str  # what would be downloaded first; empty: nothing
    timed_on: str  # how seconds were extrapolated; empty: they were not
    busy: str = ""  # what other processes did meanwhile; empty: nothing that matters

    @property
    def duration(self) -> str:
        """How long all steps take, in words."""
        return spell_duration(self.seconds_per_step * self.total_steps)

    def sentence(self) -> str:
        """Time and memory in one line, for the start of a run."""
        memory = f" and {self.memory_bytes / 1e9:.1f} GB of memory" if self.memory_bytes else ""
        return (
            f"{self.total_steps:,} steps take about {self.duration}; each takes "
            f"{self.seconds_per_step:.2f} s{memory}"
        )

    def text(self) -> str:
        """The cost in lines for a person."""
        rate = self.batch_images / self.seconds_per_step
        disk = self.disk.peak + self.data_bytes
        memory = "not known here"
        if self.memory_bytes:
            memory = (
                f"{self.memory_bytes / 1e9:.2f} GB in a step; evaluation, sheets and logs take up "
                f"to {_EVALUATING} GB more, with trained features more"
            )
        download = f"download       {self.download}; with its published number of images"
        return "\n".join(
            [
                f"generator      {self.generator_weights:,} weights",
                f"discriminator  {self.discriminator_weights:,} weights{self._frozen()}",
                f"one step       D reads {self.discriminator_images} images; "
                f"{self.gigaflop_per_step:.1f} GFLOP; {self.seconds_per_step:.2f} s, "
                f"{rate:.0f} real images/s{self.timed_on}",
                f"the run        {self.total_steps:,} steps, about {self.duration}",
                f"memory         {memory}",
                f"disk           at most {_text(disk)}: "
                f"images {_text(self.data_bytes)} ({self.data_images:,}), "
                f"checkpoints {_text(self.disk.checkpoint)} each, "
                f"snapshots {_text(self.disk.snapshots)}, sample sheets {_text(self.disk.sheets)}; "
                f"and logs; {self.disk.files:,} files",
                *([download] if self.download else []),
                *([f"busy machine   {self.busy}"] if self.busy else []),
                "nothing was written",
            ]
        )

    def _frozen(self) -> str:
        """How many of D's weights train, where some do not."""
        return "" if self.trained_share == 1 else f", of which {self.trained_share:.1%} train"


def _text(size: int) -> str:
    """Bytes in MB, with two digits below 10."""
    return f"{size / 1e6:.1f} MB" if 0 < size < 9.95e6 else f"{size / 1e6:.0f} MB"


class _Flops(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts as torch's FlopCounterMode, whose module hooks fail in a double backward."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if (formula := flop_registry.get(func._overloadpacket)) is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=out)
        return out


def estimate_cost(config: RunConfig, info: DatasetInfo, state: TrainState | None = None) -> RunCost:
    """Take a few steps on noise from a fresh state (None: built here); reads and writes nothing."""
    noise = _noise(config, info.classes)
    device = resolve_device(config.device)
    if state is None or next(state.generator.parameters()).device != device:
        state = fresh_state(config, noise.num_classes, device)
    disk = estimate_disk(config, state)
    with adapting_threads(device) as threads:
        cost, timed_on = _step_cost(config, noise, state, device, threads)
    size, channels = config.data.image_size, config.data.channels
    num_images = info.header_stats.num_images
    weights = list(state.discriminator.parameters())
    trained = sum(p.numel() for p in weights if p.requires_grad)
    return RunCost(
        generator_weights=sum(p.numel() for p in state.generator.parameters()),
        discriminator_weights=sum(p.numel() for p in weights),
        trained_share=trained / sum(p.numel() for p in weights),
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
        busy=threads.sentence,
    )


@dataclass(frozen=True)
class _StepCost:
    """The cost of one step."""

    discriminator_images: float
    flop: float
    seconds: float
    memory_bytes: float  # the peak so far

    def extrapolate(self, twice: "_StepCost", factor: float) -> "_StepCost":
        """The cost of `factor` times our batch, extrapolated from ours and twice our batch."""
        pairs = [(getattr(self, f.name), getattr(twice, f.name)) for f in fields(self)]
        return _StepCost(*(one + max(0.0, two - one) * (factor - 1) for one, two in pairs))


def _step_cost(
    config: RunConfig, noise: Dataset, state: TrainState, device: torch.device, threads: Threads
) -> tuple[_StepCost, str]:
    """The cost of a step, and how it was extrapolated, in words."""

    def measure(config: RunConfig) -> _StepCost:
        return _measure_step(config, noise, state, device, threads)

    size = _small_batch(config)
    if size is not None:
        small = measure(replace(config, batch_size=size))
        factor = config.batch_size / size
        if small.seconds * factor > _LONG:
            twice = measure(replace(config, batch_size=2 * size))
            cost = replace(small.extrapolate(twice, factor), seconds=twice.seconds * factor / 2)
            return cost, f" (upper bound, extrapolated from batch sizes {size} and {2 * size})"
    return measure(config), ""


def _small_batch(config: RunConfig) -> int | None:
    """The smallest batch to try, and its double, before the whole one; None: try the whole."""
    if config.compile:  # each size of a batch would be compiled
        return None
    parts = config.accumulation
    for size in range(_SMALLEST * parts, config.batch_size // 4 + 1, parts):
        try:
            for batch in (size, 2 * size):
                replace(config, batch_size=batch)
        except UserError:  # it cannot be cut into parts
            continue
        return size
    return None


def _measure_step(
    config: RunConfig, noise: Dataset, state: TrainState, device: torch.device, threads: Threads
) -> _StepCost:
    feed, networks = Feed(config, noise, device), Networks(config, state, device)
    images: list[int] = []

    def time_step() -> float:
        threads.adapt()
        # with one thread, the processor's time leaves out what other processes take
        alone = device.type == "cpu" and torch.get_num_threads() == 1
        clock = time.process_time if alone else time.perf_counter
        started = clock()
        train_step(state, feed, networks, config)
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        return clock() - started

    hook = state.discriminator.register_forward_pre_hook(
        lambda _, args: images.append(len(args[0]))
    )
    with _Flops() as flops:  # type: ignore[no-untyped-call]
        seconds = time_step()
    hook.remove()
    taken: list[float] = []
    while seconds < _TOO_LONG and (
        sum(taken) < _LEAST or (len(taken) < _REPEATS and sum(taken) < _ENOUGH)
    ):
        taken.append(time_step())
    counts = (float(sum(images)), float(flops.total))
    return _StepCost(*counts, min(taken, default=seconds), float(_peak_memory(device)))


def _noise(config: RunConfig, classes: tuple[str, ...]) -> Dataset:
    data, count = config.data, config.batch_size
    shape = (count, data.image_size, data.image_size, data.channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    labels = np.arange(count) % len(classes) if classes else None
    return Dataset(pixels, labels, classes, "noise", {})


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":  # which has no module `resource`
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
