"""Where the time of a step goes, by kind of operation, from torch's profiler.

An operation's own time counts, without what it calls. Some names claim all beneath them (an
optimizer's step); otherwise the nearest name that is known decides. Copies inside a convolution
count as copies, the reordering that oneDNN does by itself as convolution. Python's own time is
under "other".
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.configs import Stepper
from ssgan.ops.spectral_norm import SpectralLayer
from ssgan.training import step as step_module

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # for processes started from here: no notes

OTHER = "other"
_CLAIMS = {  # of everything beneath
    "optimizer, average": re.compile(r"^Optimizer\.|^here: optimizer"),
    "spectral norm": re.compile(r"^here: spectral norm|^(Mv|Dot)Backward"),
    "data": re.compile(r"^here: data"),
}
_NAMES = {  # of the operation, or of the nearest one above it
    "convolution": re.compile(r"[Cc]onv(?!ert)"),
    "batch norm": re.compile(r"batch_norm|BatchNorm|^_Normalize"),
    "linear": re.compile(r"^aten::(addmm|mm|linear|matmul|t)$|^(Addmm|Mm)Backward"),
    "loss": re.compile(r"log_softmax|nll_loss|cross_entropy|argmax|LogSoftmax|NllLoss"),
    "copies": re.compile(
        r"^aten::(copy_|to|_to_copy|contiguous|clone|cat|flip|rot90|slice_backward|index)$"
    ),
    "elementwise": re.compile(
        r"^aten::(relu|clamp_min|threshold|leaky_relu|tanh|add|mul|div|sub|neg|eq|lt|sum|mean|"
        r"fill|zero|ones|addcmul|where|square|sqrt|avg_pool|upsample|isfinite|_foreach)"
        r"|^_Relu|^(Relu|Threshold|LeakyRelu|Tanh|Add|Mul|Div|Sub|Mean|Sum|AvgPool|Upsample)\w*Backward"
    ),
}
KINDS = (*_NAMES, *_CLAIMS, OTHER)


def shares(stepper: Stepper, steps: int = 1) -> dict[str, float]:
    """The share of each of KINDS in the time of a few steps."""
    accelerated = stepper.device.type != "cpu"
    activities = torch.profiler.supported_activities() if accelerated else [ProfilerActivity.CPU]
    with named_parts(), profile(activities=list(activities)) as profiler:
        for _ in range(steps):
            with record_function("here: step"):
                stepper.step()
    spent: Counter[str] = Counter()
    for event in profiler.events() or []:
        spent[kind_of(event)] += (
            event.self_device_time_total if accelerated else event.self_cpu_time_total
        )
    total = sum(spent.values()) or 1.0
    return {kind: spent[kind] / total for kind in KINDS}


def kind_of(event: FunctionEvent) -> str:
    """The kind an operation's own time belongs to."""
    names = list(_names_upwards(event))
    for kind, pattern in _CLAIMS.items():
        if any(pattern.search(name) for name in names):
            return kind
    for name in names:
        for kind, pattern in _NAMES.items():
            if pattern.search(name):
                return kind
    return OTHER


@contextmanager
def named_parts() -> Iterator[None]:
    """Within, the parts of the step that no operation's name tells apart carry a name."""
    parts = (
        (step_module, "advance_spectral_norm", "spectral norm"),
        (SpectralLayer, "effective_weight", "spectral norm"),
        (step_module, "update_ema", "optimizer"),
        (step_module, "check_finite", "optimizer"),
        (step_module.Feed, "discriminator", "data"),
        (step_module.Feed, "generator", "data"),
    )
    with ExitStack() as stack:
        for owner, attribute, name in parts:
            wrap = _named_items if name == "data" else _named
            wrapped = wrap(f"here: {name}", getattr(owner, attribute))
            stack.enter_context(patch.object(owner, attribute, wrapped))
        yield


def _names_upwards(event: FunctionEvent | None) -> Iterator[str]:
    while event is not None:
        yield event.name
        event = event.cpu_parent


def _named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **named: Any) -> Any:
        with record_function(name):
            return function(*args, **named)

    return wrapped


def _named_items(name: str, function: Callable[..., Iterator[Any]]) -> Callable[..., Any]:
    """Name the making of every item, not what the consumer does between them."""

    def wrapped(*args: Any) -> Iterator[Any]:
        items = function(*args)
        while True:
            with record_function(name):
                item = next(items, None)
            if item is None:
                return
            yield item

    return wrapped
