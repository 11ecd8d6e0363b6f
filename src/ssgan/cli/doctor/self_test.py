"""A tiny run, twice: does it train here, to the same bits, and how fast."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from ssgan.cli.doctor.finding import Finding
from ssgan.data.dataset import Dataset
from ssgan.data.scenes.source import Scenes
from ssgan.methods.ssgan import SSGAN
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.ops.cpu_load import OtherLoad
from ssgan.runs.config import DataConfig, RunConfig
from ssgan.runs.precision import Precision, resolve_device
from ssgan.training.loop import train
from ssgan.types import NonFinite, UserError

STEPS = 20
_PRECISIONS: tuple[Precision, ...] = ("float32", "float32", "bfloat16")
_IMAGES, _SIZE, _BATCH = 32, 32, 8
_WARM_UP = 4  # steps that are not timed: the first ones set things up
_MOST_SECONDS = 60.0  # of all parts together
_LARGEST_DIFFERENCE = 0.1  # of the first losses in bfloat16, relative to those in float32
_BUSY = 0.5  # cores of other processes that make a time unfit for comparisons


class _TooSlow(Exception):  # noqa: N818 - an ending, not an error
    """The self test has used its time, after this number of steps."""


class _Ending(NamedTuple):
    """The end of a tiny run."""

    losses: tuple[tuple[float, ...], ...]  # of every step: D's, then G's
    weights: tuple[torch.Tensor, ...]
    seconds_per_step: float


def check_training(progress: Callable[[int, int], None], device: str = "auto") -> Finding:
    """Train twice in float32 and once in bfloat16; `progress` gets (steps done, steps in total).

    A step that fails, other bits the second time on a CPU, and bfloat16 far from float32 are
    faults, and so is more than a minute.
    """
    others, chosen = OtherLoad(), resolve_device(device)
    deadline, done = time.monotonic() + _MOST_SECONDS, 0
    endings: list[_Ending] = []
    for precision in _PRECISIONS:
        count = partial(_count, progress, deadline, done)
        try:
            endings.append(_train_tiny(precision, chosen, count))
        except _TooSlow as slow:
            return _describe_slow(str(slow), chosen, others.take_busy_cores())
        except (UserError, NonFinite, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            fault = f"the self test failed in {precision} on {chosen}: {reason}"
            return Finding(title="self test", lines=(fault,), faults=(fault,))
        done += STEPS
    return _judge(endings, chosen, others.take_busy_cores())


def _count(progress: Callable[[int, int], None], deadline: float, done: int, step: int) -> None:
    progress(done + step, STEPS * len(_PRECISIONS))
    if time.monotonic() > deadline:
        raise _TooSlow(done + step)


def _describe_slow(steps: str, device: torch.device, busy: float | None) -> Finding:
    fault = (
        f"{steps} of {STEPS * len(_PRECISIONS)} steps of the self test took a minute on {device}"
    )
    if busy is not None and busy > _BUSY:
        fault += f", while other processes kept {busy:.1f} cores busy: end them, and check again"
    else:
        fault += ": training is slow on this machine"
    return Finding(title="self test", lines=(fault,), faults=(fault,))


def _judge(endings: list[_Ending], device: torch.device, busy: float | None) -> Finding:
    first, second, half = endings
    same = first.losses == second.losses and all(
        torch.equal(a, b) for a, b in zip(first.weights, second.weights, strict=True)
    )
    pairs = zip(first.losses[0], half.losses[0], strict=True)
    difference = max(abs(a - b) / max(abs(a), 1.0) for a, b in pairs)
    seconds = min(first.seconds_per_step, second.seconds_per_step)
    lines = [
        f"{STEPS} steps on {device}: {seconds:.3f} s a step, {_BATCH / seconds:.0f} images/s in "
        f"float32; {half.seconds_per_step:.3f} s, {_BATCH / half.seconds_per_step:.0f} images/s in "
        "bfloat16",
        f"the same bits twice: {'yes' if same else 'no'}",
        f"first losses in bfloat16 differ from float32 by {difference:.2%}",
    ]
    if busy is not None and busy > _BUSY:
        lines.append(f"other processes kept {busy:.1f} cores busy meanwhile: it is faster alone")
    faults = []
    if not same and device.type == "cpu":
        faults.append("a run gives other bits the second time: check the memory of this machine")
    if not difference <= _LARGEST_DIFFERENCE:  # NaN is not
        faults.append(
            f"bfloat16 differs from float32 by {difference:.0%}: train with --precision float32"
        )
    values: dict[str, object] = {
        "device": str(device),
        "steps": STEPS,
        "seconds_per_step": seconds,
        "images_per_second": _BATCH / seconds,
        "seconds_per_step_bfloat16": half.seconds_per_step,
        "same_bits": same,
        "bfloat16_difference": difference if math.isfinite(difference) else None,
        "other_processes_cores": busy,
    }
    return Finding(title="self test", lines=tuple(lines), values=values, faults=tuple(faults))


def _train_tiny(
    precision: Precision, device: torch.device, count: Callable[[int], None]
) -> _Ending:
    """Train a tiny SS-GAN on a few scenes; it writes nothing."""
    config, dataset = _tiny_config(device), _render_scenes()
    losses, ended = [], [time.perf_counter()]
    weights: tuple[torch.Tensor, ...] = ()
    for report in train(replace(config, precision=precision), dataset):
        names = ("D/adversarial", "G/adversarial")
        losses.append(tuple(float(report.terms[name]) for name in names))
        ended.append(time.perf_counter())
        count(report.step)
        if report.step == STEPS:
            networks = (report.state.generator, report.state.discriminator)
            weights = tuple(w.detach().clone() for one in networks for w in one.parameters())
    seconds = float(np.median(np.diff(ended)[_WARM_UP:]))
    return _Ending(tuple(losses), weights, seconds)


def _tiny_config(device: torch.device) -> RunConfig:
    return RunConfig(
        method=SSGAN(),
        data=DataConfig(source=Scenes(num_images=_IMAGES), image_size=_SIZE),
        generator=ResNetGenerator(width=1 / 32, upsampling="nearest", shortcut="1x1"),
        discriminator=ResNetDiscriminator(width=1 / 16, shortcut="1x1", pooling="sum"),
        total_steps=STEPS,
        batch_size=_BATCH,
        device=str(device),
    )


def _render_scenes() -> Dataset:
    source = Scenes(num_images=_IMAGES)
    collection, config = source.open(), DataConfig(source=source, image_size=_SIZE)
    found = list(collection.read(range(_IMAGES), config.preprocessing))
    pixels = np.stack([one for one in found if isinstance(one, np.ndarray)])
    return Dataset(pixels, None, (), "self test", {})
