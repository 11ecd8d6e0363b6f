"""What of the machine each of several commands gets: cores, and accelerators of its own."""

import os
from dataclasses import dataclass

import torch

from ssgan.ops.cpu import num_cores
from ssgan.types import UserError

VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"  # the accelerators that a process sees, by commas


@dataclass(frozen=True)
class Resources:
    """One command's part of the machine."""

    threads: int  # of the CPU
    devices: tuple[str, ...] = ()  # as CUDA numbers them; empty: whatever there is

    def environment(self, processes: int = 1) -> dict[str, str]:
        """The variables that keep a command of so many processes to its part."""
        shown = {VISIBLE_DEVICES: ",".join(self.devices)} if self.devices else {}
        return {"OMP_NUM_THREADS": str(max(1, self.threads // processes)), **shown}


def divide_resources(slots: int) -> tuple[Resources, ...]:
    """The parts of `slots` commands at a time; devices are dealt out, and used by several in need.

    Devices are CUDA's alone; of others every command takes what it would take by itself.
    """
    threads, devices = threads_each(slots), _devices()
    if len(devices) < 2:
        return (Resources(threads),) * slots
    dealt = [devices[slot::slots] or (devices[slot % len(devices)],) for slot in range(slots)]
    return tuple(Resources(threads, own) for own in dealt)


def refuse_too_few_devices(slots: int, processes: int) -> None:
    """Raise UserError where GPUs are too few for `slots` commands of so many processes each."""
    count = len(_devices())
    if processes > 1 and 0 < count < slots * processes:
        raise UserError(
            f"--jobs {slots} --processes {processes} need {slots * processes} GPUs, and there "
            f"{'is' if count == 1 else 'are'} {count}"
        )


def threads_each(slots: int) -> int:
    """CPU threads of each of `slots` commands: together as many as there are cores.

    OMP_NUM_THREADS, where it is set to a number, is the most that each may have.
    """
    most = os.environ.get("OMP_NUM_THREADS", "")
    share = max(1, num_cores() // slots)
    return min(share, int(most)) if most.isdecimal() and int(most) else share


def _devices() -> tuple[str, ...]:
    """What this process sees, by the names that its children would use."""
    count = torch.cuda.device_count()
    given = os.environ.get(VISIBLE_DEVICES)
    names = map(str, range(count)) if given is None else given.split(",")
    return tuple(name.strip() for name in names)[:count]
