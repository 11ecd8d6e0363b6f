"""The threads of a run: all that torch takes, fewer while other processes keep cores busy.

The threads of a step wait for each other many times a step. One that has to wait for a core makes
all of them wait: beside one busy process, two threads on two cores are far slower than one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ssgan.ops.collective import num_ranks
from ssgan.ops.cpu import num_cores
from ssgan.ops.cpu_load import OtherLoad

_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # with which a user sets the threads
_DEFAULT = torch.get_num_threads()  # what torch takes by itself


class Threads:
    """Torch's threads, one number for the whole process, changed between steps.

    On an idle machine they never change, so the same run has the same bits. A number that the user
    set stays: by OMP_NUM_THREADS, MKL_NUM_THREADS, or `torch.set_num_threads` after this module was
    imported. So do those of a run on an accelerator or in several processes, without a word.
    """

    def __init__(self, device: torch.device, others: OtherLoad | None = None) -> None:
        self.sentence = ""  # about a busy machine, for the user; empty: it was not busy
        self._others = others or OtherLoad()
        self._most, self._cores = torch.get_num_threads(), num_cores()
        self._stay = self._most != _DEFAULT or any(map(os.environ.get, _VARIABLES))
        self._alone = device.type == "cpu" and num_ranks() == 1

    def adapt(self) -> str:
        """Fit the threads to the cores that are free; returns a sentence once, else nothing.

        Every few seconds it measures what others did since the last measurement.
        """
        others = self._others.take_busy_cores() if self._alone else None
        if others is None:
            return ""
        free = max(1, int(self._cores - others + 0.5))
        if not self._stay:
            torch.set_num_threads(min(self._most, free))
        if self.sentence or free >= self._most:
            return ""
        advice = (
            f"{self._most} threads wait for them; OMP_NUM_THREADS={free} is faster"
            if self._stay
            else f"steps have {free} of {self._most} threads while they do; the last digits of "
            f"losses depend on it, and OMP_NUM_THREADS={self._most} keeps them"
        )
        busy = f"other processes keep {others:.1f} of the {self._cores} cores busy"
        self.sentence = f"{busy}: {advice}"
        return self.sentence


@contextmanager
def adapting_threads(device: torch.device) -> Iterator[Threads]:
    """Torch's threads, and at the end as many as before."""
    before = torch.get_num_threads()
    try:
        yield Threads(device)
    finally:
        torch.set_num_threads(before)
