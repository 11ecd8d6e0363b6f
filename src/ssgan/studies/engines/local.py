"""Commands on this machine, each with its share of the cores and GPUs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ssgan.ops.cpu import num_cores
from ssgan.studies.engines.base import Child
from ssgan.studies.engines.process import start_command
from ssgan.studies.jobs import Job
from ssgan.types import UserError

VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"  # the GPUs that a process sees, comma-separated


@dataclass(frozen=True)
class Resources:
    """One command's part of the machine."""

    threads: int  # CPU threads
    devices: tuple[str, ...] = ()  # as CUDA numbers them; empty: no restriction
    fixed: bool = False  # whether the user named the threads

    def environment(self, processes: int = 1) -> dict[str, str]:
        """The variables that limit a command of so many processes to its part."""
        devices = {VISIBLE_DEVICES: ",".join(self.devices)} if self.devices else {}
        if self.threads == num_cores() and processes == 1 and not self.fixed:
            return devices  # it has the whole machine, and adapts to who else is busy on it
        return {"OMP_NUM_THREADS": str(max(1, self.threads // processes)), **devices}


def divide_resources(slots: int) -> tuple[Resources, ...]:
    """The parts of `slots` simultaneous commands; they share GPUs where these are too few.

    Only CUDA devices are divided. Other accelerators are not restricted.
    """
    threads, devices = threads_per_job(slots), _visible_devices()
    if len(devices) < 2:
        return (Resources(threads),) * slots
    dealt = [devices[slot::slots] or (devices[slot % len(devices)],) for slot in range(slots)]
    return tuple(Resources(threads, own) for own in dealt)


def refuse_too_few_devices(slots: int, processes: int) -> None:
    """Raise UserError where `slots` commands of so many processes need more GPUs than there are."""
    count = len(_visible_devices())
    if processes > 1 and 0 < count < slots * processes:
        raise UserError(
            f"--jobs {slots} --processes {processes} need {slots * processes} GPUs, and there "
            f"{'is' if count == 1 else 'are'} {count}"
        )


def threads_per_job(slots: int) -> int:
    """CPU threads of each of `slots` commands: the cores divided, at least 1.

    A number in OMP_NUM_THREADS is an upper limit.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "")
    threads = max(1, num_cores() // slots)
    return min(threads, int(limit)) if limit.isdecimal() and int(limit) else threads


def _visible_devices() -> tuple[str, ...]:
    """The GPUs of this process, by the names that its children would use."""
    count = torch.cuda.device_count()
    variable = os.environ.get(VISIBLE_DEVICES)
    names = map(str, range(count)) if variable is None else variable.split(",")
    return tuple(name.strip() for name in names)[:count]


def start_process(job: Job, resources: Resources) -> Child:
    """Start the command with its part of this machine."""
    return start_command(job.words, job.log, resources.environment(job.processes))


class LocalEngine:
    """Runs `slots` commands at a time as child processes.

    Each gets its share of the cores, or `threads` CPU threads, and its share of the GPUs.
    """

    def __init__(self, slots: int, threads: int | None = None) -> None:
        self.slots = slots
        self.threads = threads or threads_per_job(slots)
        fixed = threads is not None
        parts = divide_resources(slots)
        self._parts = [replace(one, threads=self.threads, fixed=fixed) for one in parts]
        self._children: dict[int, Child] = {}  # the last one of every part

    def start(self, jobs: Sequence[Job]) -> Sequence[Child]:
        """Start the first command, on the part of one that has ended."""
        number = next(n for n in range(self.slots) if self._is_free(n))
        child = self._children[number] = start_process(jobs[0], self._parts[number])
        return [child]

    def _is_free(self, number: int) -> bool:
        return number not in self._children or self._children[number].poll() is not None

    def close(self) -> None:
        """Nothing is held."""
