"""Seconds of actions: minima and medians, and several actions measured in turns."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

_PAUSE = 0.01  # seconds between turns: threads of the one before stop spinning

Timed = Callable[[], float]  # does something once and returns the seconds it took


@dataclass(frozen=True)
class Times:
    """What some repeats of one action took."""

    seconds: list[float]

    @property
    def minimum(self) -> float:
        return min(self.seconds)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def row(self) -> dict[str, object]:
        """Both figures and every single measurement, as JSON values."""
        return {
            "seconds_minimum": self.minimum,
            "seconds_median": self.median,
            "seconds": self.seconds,
        }


def timed(action: Callable[[], object], device: torch.device | None = None) -> float:
    """Seconds of one call, until the device is done with it."""
    started = time.perf_counter()
    action()
    wait_for(device)
    return time.perf_counter() - started


def wait_for(device: torch.device | None) -> None:
    """Return when the device has done all it was given; a CPU always has."""
    if device is not None and device.type != "cpu":
        torch.accelerator.synchronize(device)


def repeated(action: Callable[[], object], device: torch.device, seconds: float = 0.2) -> Timed:
    """Seconds of one of several calls in a row, which together take about `seconds`.

    A device computes them without a pause, and is waited for once. Two calls come before.
    """
    timed(action, device)
    count = max(1, min(100, round(seconds / timed(action, device))))

    def take() -> None:
        for _ in range(count):
            action()

    return lambda: timed(take, device) / count


def times_of(action: Timed, repeats: int, warmup: int = 1) -> Times:
    """`repeats` measurements after `warmup` that do not count."""
    return alternate({"": action}, repeats, warmup)[""]


def alternate(actions: Mapping[str, Timed], repeats: int, warmup: int = 1) -> dict[str, Times]:
    """The actions in turns, every other round in reverse: a slow minute falls on all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(-warmup, repeats):
        order = list(actions) if number % 2 == 0 else list(reversed(actions))
        for name in order:
            time.sleep(_PAUSE)
            taken = actions[name]()
            if number >= 0:
                seconds[name].append(taken)
    return {name: Times(values) for name, values in seconds.items()}
