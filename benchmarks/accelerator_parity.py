"""Whether the device computes what the CPU does: losses, gradients, features, a longer run."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.configs import Case, Stepper, scaled
from benchmarks.isolation import Measure, Row, Task, attempts
from ssgan.data.base import AbstractSource
from ssgan.data.cifar10 import Cifar10
from ssgan.data.prepare import default_cache
from ssgan.data.scenes.source import Scenes
from ssgan.data.sources import parse_source
from ssgan.evaluation.feature_networks import (
    choose_features,
    has_efficientnet_lite0,
    has_inception,
)
from ssgan.ops.spectral_norm import spectral_layers
from ssgan.recipes.find import build_recipe
from ssgan.runs.config import RunConfig
from ssgan.runs.precision import resolve_device
from ssgan.training.loop import train
from ssgan.types import UserError

RECIPE = "cifar10:ssgan"
STEPS, RECORDED = 500, 50  # of the longer run, and between its rows
LOSSES = ("D/adversarial", "D/rotation", "G/adversarial", "G/rotation")
EXPECTED = {"float64": 1e-6, "float32": 0.05}  # largest difference of losses after five steps
_SMALL = Case(network="resnet", width=1 / 8, batch=16)
_IMAGES = 32  # whose features are compared


class Trace(NamedTuple):
    """What some steps computed, on the CPU."""

    losses: list[dict[str, float]]  # every term of every step
    gradients: list[Tensor]  # of D, in the first step
    vectors: list[Tensor]  # of spectral norm, after the last


def trace(case: Case, steps: int) -> Trace:
    """Take the steps."""
    stepper, losses, gradients = Stepper(case), [], []
    for number in range(steps):
        losses.append({name: float(value) for name, value in stepper.take().items()})
        if number == 0:
            weights = stepper.state.discriminator.parameters()
            gradients = [w.grad.detach().cpu().double() for w in weights if w.grad is not None]
    layers = spectral_layers(stepper.state.generator, stepper.state.discriminator)
    return Trace(losses, gradients, [layer.spectral_u.cpu().double() for layer in layers])


def difference(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """The largest of the losses, relative; a loss below 1 counts as 1."""
    return max(abs(a[name] - b[name]) / max(abs(a[name]), 1.0) for name in LOSSES)


def relative(a: list[Tensor], b: list[Tensor]) -> float:
    """The largest distance of two tensors, relative to the first one's norm.

    A norm counts as at least a millionth of all of `a`: gradients that should be 0 are rounding.
    """
    least = max(1e-6 * float(torch.stack([x.norm() for x in a]).norm()), 1e-30)
    pairs = zip(a, b, strict=True)
    found = [(x - y).norm() / x.norm().clamp(min=least) for x, y in pairs]
    return float(torch.stack(found).max())  # NaN if one of them is


@contextmanager
def float32_products(mode: str) -> Iterator[None]:
    """Within, float32 convolutions and matrix products are computed in "ieee" or in "tf32"."""
    places = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)
    places += (torch.backends.mkldnn.matmul, torch.backends.mkldnn.conv)  # XPU's; a CPU's if ieee
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = mode
        yield
    finally:
        for place, old in zip(places, before, strict=True):
            place.fp32_precision = old


def parity(task: Task) -> Iterator[Row]:
    """The same five steps on the device and on the CPU; features of the same images."""
    measures: dict[str, Measure] = {
        f"{network}, {precision}": partial(_steps_row, network, precision)
        for network, precision in (
            ("resnet", "float64"),
            ("resnet", "float32"),
            ("resnet-nearest", "float64"),
            ("sndcgan", "float64"),
        )
    }
    known = {"random": True, "lite0": has_efficientnet_lite0()}
    known["inception"] = has_inception(default_cache())
    for name in (name for name, there in known.items() if there):
        measures[f"features {name}"] = partial(_features_row, name)
    yield from attempts(task, measures)


def _steps_row(network: str, precision: Any, task: Task, steps: int = 5) -> Iterator[Row]:
    """On a CPU plain convolutions take the device's place: the same ones show no difference."""
    case = replace(_SMALL, network=network, precision=precision, width=_SMALL.width * task.width)
    on_cpu = resolve_device(task.device).type == "cpu"
    with float32_products("ieee"):
        reference = trace(replace(case, device="cpu"), steps)
        found = trace(replace(case, device=task.device, plain=on_cpu), steps)
    differences = [difference(a, b) for a, b in zip(reference.losses, found.losses, strict=True)]
    yield {
        "first step": differences[0],
        "five steps": max(differences),
        "gradients": relative(reference.gradients, found.gradients),
        "vectors": relative(reference.vectors, found.vectors),
        "expected": EXPECTED[precision],
        "compared": _compared(on_cpu, network),
        "losses_cpu": reference.losses,
        "losses_device": found.losses,
    }


def _compared(on_cpu: bool, network: str) -> str:
    if not on_cpu:
        return "the device with the CPU"
    fused = network in ("resnet", "resnet-nearest")
    return "plain with fused convolutions" if fused else "the CPU with itself"


def _features_row(name: str, task: Task) -> Iterator[Row]:
    draw = np.random.default_rng(0).integers(0, 256, (_IMAGES, 3, 32, 32), dtype=np.uint8)
    rows = []
    with float32_products("ieee"):
        for device in (torch.device("cpu"), resolve_device(task.device)):
            features = choose_features(name, device, default_cache()).features
            rows.append(features(torch.from_numpy(draw)).cpu().double())
    compared = _compared(resolve_device(task.device).type == "cpu", name)
    yield {"features": relative(rows[:1], rows[1:]), "expected": 1e-3, "compared": compared}


def precision(task: Task, steps: int = 20) -> Iterator[Row]:
    """bfloat16 beside float32: the losses of the same steps, on the device."""
    case = replace(_SMALL, width=task.width / 4, device=task.device)
    losses = {}
    for name in ("float32", "bfloat16"):
        with float32_products("ieee"):
            losses[name] = trace(replace(case, precision=name), steps).losses
    pairs = list(zip(losses["float32"], losses["bfloat16"], strict=True))
    for step in (1, 5, 10, steps):
        single, half = pairs[step - 1]
        row = {f"{name}, {kind}": terms[name]
               for name in ("D/adversarial", "G/adversarial", "D/rotation")
               for kind, terms in (("float32", single), ("bfloat16", half))}  # fmt: skip
        yield {"what": f"step {step}", **row, "difference": difference(single, half)}


def source_of(text: str | None) -> AbstractSource:
    """The images of the longer run; nothing is downloaded.

    None is CIFAR-10 if it is in the cache, else `scenes`. Raises UserError for what is not there.
    """
    archive = default_cache() / "downloads" / "cifar-10-binary.tar.gz"
    if text not in (None, "cifar10"):
        source = parse_source(text)
        place = getattr(source, "path", None)  # of folders and archives
        if isinstance(place, str) and not Path(place).exists():
            raise UserError(f"--data {text}: there is nothing at {place}")
        return source
    if archive.is_file():
        return Cifar10(str(archive))
    if text == "cifar10":
        raise UserError("--data cifar10: it is not in the cache; give cifar10:FOLDER, or scenes")
    return Scenes()


def recipe_config(task: Task) -> RunConfig:
    """The recipe on the images that are there, with all else its own."""
    config = build_recipe(RECIPE)
    return replace(
        config,
        data=replace(config.data, source=source_of(task.data)),
        generator=scaled(config.generator, task.width),
        discriminator=scaled(config.discriminator, task.width),
        total_steps=STEPS,
        device=task.device,
    )


def recipe(task: Task) -> Iterator[Row]:
    """Steps of the recipe until the time is over; a row every 50, and one of the last."""
    config, started = recipe_config(task), 0.0
    images = config.batch_size * config.discriminator_updates
    settings = {"data": config.data.source.name(), "batch": config.batch_size}
    settings |= {"n_dis": config.discriminator_updates, "width": task.width}
    for report in train(config):
        last = report.step == STEPS or not task.left()
        if last or report.step == 1 or report.step % RECORDED == 0:
            terms = {name: float(value) for name, value in report.terms.items()}
            now = time.perf_counter()
            started = started or now  # the first step sets things up
            rate = images * (report.step - 1) / (now - started) if report.step > 1 else None
            row = {"what": f"step {report.step}", **settings, "step": report.step, **terms}
            yield {**row, "real images/s": rate}
        if last:
            return
