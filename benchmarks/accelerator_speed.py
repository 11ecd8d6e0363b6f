"""How fast the device steps: layouts, precisions, compiled networks, two processes at once."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.accelerator_parity import difference, float32_products, precision
from benchmarks.configs import Case, Stepper, reset_peak
from benchmarks.isolation import Measure, NotApplicable, Row, Task, attempts, last_line
from benchmarks.processes import Worker
from benchmarks.roofline import matrix_product
from benchmarks.timing import Timed, alternate, repeated
from ssgan.runs.precision import Precision, resolve_device

WIDTHS = (1 / 8, 1 / 4, 1 / 2, 1)  # tried in this order
_CARDS = ("cuda", "xpu")  # with TF32, and with counters of their memory
_LONG_TURN = 0.2  # seconds of steps, or of products, before the next one's turn


class Fit(NamedTuple):
    """The widest case whose steps fit in a time, and how long one takes."""

    case: Case
    seconds: float


def fit(case: Case, steps: float, seconds: float) -> Fit:
    """Take trial steps, from narrow networks to wide ones.

    The cost is taken to grow with the square of the width, which overrates it on most devices; so
    each width is measured before a wider one is tried.
    """
    place = 0
    while True:
        trial = replace(case, width=case.width * WIDTHS[place])
        stepper = Stepper(trial)
        stepper.step()
        taken = stepper.step()
        wider = [
            other
            for other in range(place + 1, len(WIDTHS))
            if taken * (WIDTHS[other] / WIDTHS[place]) ** 2 * steps <= seconds
        ]
        if not wider:
            return Fit(trial, taken)
        place = wider[-1]


@dataclass(frozen=True)
class Kind:
    """How numbers are multiplied."""

    precision: Precision
    products: str = "ieee"  # of float32

    @property
    def dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    def within(self) -> AbstractContextManager[None]:
        return float32_products(self.products) if self.precision == "float32" else nullcontext()


def kinds(device: torch.device) -> dict[str, Kind]:
    """Those that the device may have."""
    found = {"float32": Kind("float32")}
    if device.type in _CARDS:
        found["TF32"] = Kind("float32", "tf32")
    return found | {"bfloat16": Kind("bfloat16")}


def precision_and_layout(task: Task) -> Iterator[Row]:
    """bfloat16 beside float32, and channels_last beside contiguous tensors."""
    yield from attempts(task, {"bfloat16": precision, "layout": layout})


def layout(task: Task) -> Iterator[Row]:
    """channels_last beside contiguous tensors, in turns, in float32 and in bfloat16."""
    device = resolve_device(task.device)
    case = Case(network="resnet", width=task.width, device=task.device)
    measures = {
        name: partial(_layout_row, replace(case, precision=kind.precision), kind)
        for name, kind in kinds(device).items()
        if name != "TF32"
    }
    yield from attempts(task, measures)


def _layout_row(case: Case, kind: Kind, task: Task) -> Iterator[Row]:
    turns = 2 * (task.repeats + 3)
    with kind.within():
        fitted = fit(case, turns, task.left() / 2)
        steppers = {"channels_last": Stepper(fitted.case), "contiguous": Stepper(fitted.case)}
        make_contiguous(steppers["contiguous"])
        device = steppers["contiguous"].device
        actions = {name: repeated(one.take, device) for name, one in steppers.items()}
        times = alternate(actions, task.repeats)
    seconds = {name: found.minimum for name, found in times.items()}
    yield {
        "width": fitted.case.width,
        **seconds,
        "ratio": seconds["contiguous"] / seconds["channels_last"],
        "times": {name: found.row() for name, found in times.items()},
    }


def make_contiguous(stepper: Stepper) -> None:
    """Weights, and the images that D reads, in the order of their axes."""
    for network in (stepper.state.generator, stepper.state.discriminator):
        network.to(memory_format=torch.contiguous_format)
        network.register_forward_pre_hook(lambda _, args: (args[0].contiguous(), *args[1:]))


def speed(task: Task) -> Iterator[Row]:
    """Every network in every precision, beside the matrix product in the same turns."""
    cases = {
        "resnet, n_dis 1": Case(network="resnet"),
        "resnet, n_dis 2": Case(network="resnet", updates=2),
        "resnet 64 channels": Case(network="resnet-laptop"),
        "sndcgan": Case(network="sndcgan"),
        "resnet5 128 px": Case(network="resnet5", batch=16),
    }
    measures: dict[str, Measure] = {}
    for name, case in cases.items():
        case = replace(case, width=task.width, device=task.device)
        measures[name] = partial(_speed_rows, case)
    yield from attempts(task, measures)


def _speed_rows(case: Case, task: Task) -> Iterator[Row]:
    device = resolve_device(task.device)
    known = kinds(device)
    turns = len(known) * (task.repeats + 4)  # a step is made, warmed up, counted and taken
    fitted = fit(replace(case, precision="float32"), turns, task.left() / 2)
    steppers: dict[str, Stepper] = {}
    actions: dict[str, Timed] = {}
    memory: dict[str, int | None] = {}
    for name, kind in known.items():
        try:
            with kind.within():
                held = _held_bytes(device)
                steppers[name] = Stepper(replace(fitted.case, precision=kind.precision))
                if held is not None:
                    reset_peak(device)
                steppers[name].take()
                memory[name] = None if held is None else _peak_bytes(device) - held
            turn = min(_LONG_TURN, task.left() / (4 * turns))
            actions[name] = _within(kind, steppers[name].take, device, turn)
            actions[f"matrix {name}"] = _within(kind, _product(kind, device), device, turn)
        except Exception as error:
            actions.pop(name, None)
            yield {"precision": name, "note": f"failed: {last_line(error)}"}
    times = alternate(actions, task.repeats)
    with FlopCounterMode(display=False) as flops:
        next(iter(steppers.values())).take()
    gigaflop = flops.get_total_flops() / 1e9
    for name in (name for name in known if name in actions):
        seconds, product = times[name].minimum, times[f"matrix {name}"].minimum
        ceiling = 2 * _side(device) ** 3 / 1e9 / product
        yield {
            **case.name(),
            "batch": case.batch,
            "width": fitted.case.width,
            "precision": name,
            "seconds": seconds,
            "median": times[name].median,
            "GFLOP": gigaflop,
            "GFLOP/s": gigaflop / seconds,
            "matrix GFLOP/s": ceiling,
            "share": gigaflop / seconds / ceiling,
            "real images/s": case.batch * case.updates / seconds,
            "peak MB": None if memory[name] is None else memory[name] / 1e6,
            "times": {key: times[key].row() for key in (name, f"matrix {name}")},
        }


def _within(
    kind: Kind, action: Callable[[], object], device: torch.device, seconds: float
) -> Timed:
    with kind.within():
        turn = repeated(action, device, seconds)

    def take() -> float:
        with kind.within():
            return turn()

    return take


def _side(device: torch.device) -> int:
    """Of the matrices: large enough for the device's best rate."""
    return 1024 if device.type == "cpu" else 8192


def _product(kind: Kind, device: torch.device) -> Callable[[], object]:
    return matrix_product(_side(device), kind.dtype, device)


def _held_bytes(device: torch.device) -> int | None:
    """What is allocated on the device now; None where that is not counted."""
    return torch.accelerator.memory_allocated(device) if device.type in _CARDS else None


def _peak_bytes(device: torch.device) -> int:
    return torch.accelerator.max_memory_allocated(device)


def compiled(task: Task) -> Iterator[Row]:
    """Compiled networks beside eager ones, in turns, compiled without anything in a cache.

    On a CPU the network is SNDCGAN, which is compiled sooner than a ResNet.
    """
    device = resolve_device(task.device)
    small = "sndcgan" if device.type == "cpu" else "resnet-laptop"
    first = Case(network=small, width=task.width, device=task.device)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        measures = {
            f"{small}, compile": partial(_compiled_row, first, None),
            f"{small}, CUDA graphs": partial(_compiled_row, first, "reduce-overhead"),
        }
        longest = 0.0
        for row in attempts(task, measures):
            longest = max(longest, row.get("compiling", 0.0))
            yield row
        name, larger = "resnet, compile", replace(first, network="resnet")
        if task.left() < longest:  # a larger network takes no less
            yield {
                "what": name,
                "note": f"skipped: no time was left, as {longest:.0f} s were spent",
            }
        else:
            yield from attempts(task, {name: partial(_compiled_row, larger, None)})


def _compiled_row(case: Case, mode: str | None, task: Task) -> Iterator[Row]:
    if mode is not None and resolve_device(task.device).type != "cuda":
        raise NotApplicable("only CUDA devices have CUDA graphs")
    fitted = fit(case, 2 * (task.repeats + 3), task.left() / 4)
    eager, fast = Stepper(fitted.case), _compile(fitted.case, mode)
    took, terms = [], []
    for stepper in (eager, fast):
        started = time.perf_counter()
        terms.append({name: float(value) for name, value in stepper.take().items()})
        stepper.take()  # shapes that the first step had not
        took.append(time.perf_counter() - started)
    actions = {"eager": eager, "compiled": fast}
    times = alternate(
        {name: repeated(one.take, one.device) for name, one in actions.items()}, task.repeats
    )
    seconds = {name: found.minimum for name, found in times.items()}
    yield {
        "width": fitted.case.width,
        **seconds,
        "ratio": seconds["eager"] / seconds["compiled"],
        "compiling": max(0.0, took[1] - 2 * seconds["compiled"]),
        "difference": difference(*terms),
        "times": {name: found.row() for name, found in times.items()},
    }


def _compile(case: Case, mode: str | None) -> Stepper:
    if mode is None:
        return Stepper(replace(case, compile=True))
    stepper = Stepper(case)
    for network in (stepper.state.generator, stepper.state.discriminator):
        network.compile(mode=mode)
    return stepper


def processes(task: Task) -> Iterator[Row]:
    """One process that trains, and two at once, on the same device."""
    case = Case(width=task.width, device=task.device)
    measures = {
        "resnet 64 channels": partial(_processes_row, replace(case, network="resnet-laptop")),
        "resnet": partial(_processes_row, replace(case, network="resnet")),
    }
    yield from attempts(task, measures)


def _processes_row(case: Case, task: Task) -> Iterator[Row]:
    threads = None
    if resolve_device(task.device).type == "cpu":
        threads = max(1, (task.threads or torch.get_num_threads()) // 2)
    fitted = fit(case, 60, task.left() / 2)
    with ThreadPoolExecutor(2) as pool:
        workers = list(pool.map(lambda _: Worker(Stepper, fitted.case, threads=threads), range(2)))
        try:
            for worker in workers:
                worker.call("step")
            window = max(0.0, task.left() / 4)
            alone = [_steps_within(workers[0], window)]
            both = list(pool.map(lambda worker: _steps_within(worker, window), workers))
            alone.append(_steps_within(workers[0], window))
        finally:
            for worker in workers:
                worker.close()
    one, two = min(alone), sum(both) / 2
    yield {
        "width": fitted.case.width,
        "threads each": threads,
        "alone": one,
        "two at once": two,
        "gain": 2 * one / two,
        "seconds_alone": alone,
        "seconds_both": both,
    }


def _steps_within(worker: Any, window: float) -> float:
    """Seconds a step, over as many as fit in the window; at least two."""
    started, count = time.perf_counter(), 0
    while count < 2 or time.perf_counter() - started < min(window, 10):
        worker.call("step")
        count += 1
    return (time.perf_counter() - started) / count
