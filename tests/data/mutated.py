"""Seeded damage of a file's bytes, and the memory and time that a reader takes for it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

MUTANTS = 300
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def mutate(rng: np.random.Generator, data: bytes) -> bytes:
    """One to three changes: a bit, a boundary byte, bytes less or more, a block copied, an end."""
    for _ in range(int(rng.integers(1, 4))):
        data = _change(rng, data) if data else data
    return data


def _change(rng: np.random.Generator, data: bytes) -> bytes:
    array = bytearray(data)
    place = int(rng.integers(len(array)))
    match rng.integers(6):
        case 0:
            array[place] ^= 1 << int(rng.integers(8))
        case 1:
            array[place] = int(rng.choice([0, 1, 127, 128, 254, 255]))
        case 2:
            del array[place : place + int(rng.integers(1, 64))]
        case 3:
            array[place:place] = rng.bytes(int(rng.integers(1, 64)))
        case 4:
            block = array[place : place + int(rng.integers(1, 256))]
            other = int(rng.integers(len(array)))
            array[other : other + len(block)] = block
        case _:
            del array[place:]
    return bytes(array)


@contextmanager
def little_memory(kilobytes: int) -> Iterator[None]:
    """Within the block the process's memory rises by no more, where the system can tell it."""
    if not _RESET.exists():
        yield
        return
    _RESET.write_text("5")  # the peak starts again at what is used now
    before = _peak()
    yield
    assert _peak() - before < kilobytes


def _peak() -> int:
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def count_outcomes(
    data: bytes, seed: int, read: Callable[[bytes], str], *, seconds: float = 0.5
) -> Counter[str]:
    """What `read` says of 300 mutants, each within the seconds, all within 100 MB."""
    rng, outcomes = np.random.default_rng(seed), Counter[str]()
    with little_memory(100_000):
        for _ in range(MUTANTS):
            some = mutate(rng, data)
            started = time.process_time()
            outcomes[read(some)] += 1
            assert time.process_time() - started < seconds, f"seed {seed}"
    return outcomes
