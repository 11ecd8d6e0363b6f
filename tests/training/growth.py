"""The bytes that a run holds at every tenth step: `python -m tests.training.growth FOLDER`.

PYTHONMALLOC=malloc has Python's own objects counted by the C library, which counts PyTorch's too.
What is resident in memory would need four times the steps: it rises and falls by megabytes.
"""

import ctypes
import gc
import json
import os
import sys
from pathlib import Path

import torch

from ssgan.training.run import run
from tests.training.tiny import evaluating, images, tiny, with_output

WARM_UP, MEASURED, EVERY = 100, 100, 10  # steps; every so many are measured
PLANTED = 2048  # bytes a step, after the measured steps, for as many more
_FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd")
_MORE = ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class _Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (*_FIELDS, *_MORE)]


def can_count() -> bool:
    """Whether the C library counts what it has given out: glibc from 2.33 on."""
    return hasattr(ctypes.CDLL(None), "mallinfo2") if os.name == "posix" else False


def held_bytes() -> int:
    """What was allocated and not freed, in this process."""
    count = ctypes.CDLL(None).mallinfo2
    count.restype = _Counts
    gc.collect()
    found = count()
    return int(found.uordblks + found.hblkhd)


def main(folder: Path) -> None:
    """Print a list of bytes without a leak, and one with."""
    config = tiny("ssgan", total_steps=WARM_UP + 2 * MEASURED)
    config = evaluating(
        with_output(config, log_every=10, checkpoint_every=20, sample_every=50), every=50
    )
    kept, sizes = [], []
    for report in run(config, folder / "run", images()):
        if report.step > WARM_UP + MEASURED:
            kept.append(os.urandom(PLANTED))
        if report.step > WARM_UP and report.step % EVERY == EVERY // 2:
            sizes.append(held_bytes())
    half = len(sizes) // 2
    print(json.dumps([sizes[:half], sizes[half:]]))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
