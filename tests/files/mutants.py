"""Seeded faults in bytes and in JSON, and what a reader may cost on them."""

import contextlib
import copy
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

MUTANTS = 300 if os.environ.get("SSGAN_LONG") == "1" else 50  # of each kind of file
MEMORY = 200 * 2**20  # bytes that reading one may take beyond what was there
SECONDS = 5.0  # of the processor; a file that costs without bound would take minutes
_PAGE = 4096
_VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 7, 2**31, 2**63, 10**30, 0.5, -0.5, 1e300, 1e-300),
    *(float("nan"), float("inf"), "", "a", "NaN", "1", "\0", "\u202e\x1b[2J", "x" * 5000, "../.."),
    *([], [1], ["a"], [[]], {}, {"kind": "os:system"}, {"a": 1}, [{}] * 50),
]


def _flip(data: bytearray, draw: random.Random) -> None:
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _cut(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(len(data)) :]


def _insert(data: bytearray, draw: random.Random) -> None:
    place = draw.randrange(len(data))
    data[place:place] = draw.randbytes(draw.choice([1, 7, 64, _PAGE]))


def _delete(data: bytearray, draw: random.Random) -> None:
    place = draw.randrange(len(data))
    del data[place : place + draw.choice([1, 7, 64, _PAGE])]


def _copy(data: bytearray, draw: random.Random) -> None:
    size = draw.choice([1, 16, 512, _PAGE])
    there, here = draw.randrange(len(data)), draw.randrange(len(data))
    block = data[there : there + size]
    data[here : here + len(block)] = block


def _zero(data: bytearray, draw: random.Random) -> None:
    start = draw.randrange(len(data)) // _PAGE * _PAGE
    size = len(data[start : start + _PAGE])
    data[start : start + size] = bytes(size)


def _boundary(data: bytearray, draw: random.Random) -> None:
    data[draw.randrange(len(data))] = draw.choice([0, 1, 0x7F, 0x80, 0xFF])


FAULTS: dict[str, Callable[[bytearray, random.Random], None]] = {
    function.__name__.strip("_"): function
    for function in (_flip, _cut, _insert, _delete, _copy, _zero, _boundary)
}


def byte_mutants(data: bytes, count: int = MUTANTS) -> Iterator[tuple[str, bytes]]:
    """Copies of `data` with one to three faults each, as often of every kind; never `data`."""
    kinds = list(FAULTS)
    number = made = 0
    while made < count:
        draw, kind = random.Random(number), kinds[number % len(kinds)]
        changed = bytearray(data)
        for _ in range(draw.choice([1, 1, 2, 3])):
            if changed:
                FAULTS[kind](changed, draw)
        number += 1
        if changed != data:
            made += 1
            yield f"seed {number - 1}: {kind}", bytes(changed)


def json_mutants(value: Any, count: int = MUTANTS) -> Iterator[tuple[str, Any]]:
    """Copies of a JSON value in which one place has another value, is gone, renamed or doubled."""
    number = made = 0
    while made < count:
        draw = random.Random(number)
        changed = copy.deepcopy(value)
        words = _change(changed, draw)
        number += 1
        if json.dumps(changed) != json.dumps(value):
            made += 1
            yield f"seed {number - 1}: {words}", changed


def _change(value: Any, draw: random.Random) -> str:
    places = list(_places(value))
    table, key = draw.choice(places)
    way = draw.choice(["set", "set", "set", "remove", "rename", "deepen"])
    if way == "remove":
        del table[key]
    elif way == "rename" and isinstance(table, dict):
        table[f"{key}_"] = table.pop(key)
    elif way == "deepen":
        for _ in range(draw.choice([1, 100])):
            table[key] = [table[key]]
    else:
        table[key] = copy.deepcopy(draw.choice(_VALUES))
    return f"{way} {key!r}"


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


class Bill:
    """What reading mutants took at most: seconds of the processor, bytes of memory."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.outcomes: dict[str, int] = {}
        _reset_peak()
        self.before = _memory("VmRSS")

    def read(self, read: Callable[[], object]) -> object:
        """What `read` returns; its cost is added."""
        started = time.process_time()
        try:
            return read()
        finally:
            self.seconds = max(self.seconds, time.process_time() - started)

    def count(self, outcome: str) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def check(self, record: Callable[[str, object], None], what: str) -> None:
        """Assert that the cost is small, and record what came out."""
        record(what, ", ".join(f"{count} {name}" for name, count in self.outcomes.items()))
        assert self.seconds < SECONDS, self.seconds
        assert _memory("VmHWM") - self.before < MEMORY


def _memory(name: str) -> int:
    """Bytes of this process in memory: now ("VmRSS"), or at most since the last reset ("VmHWM")."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0  # not on this system
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def require_one_line(error: BaseException) -> None:
    """A refusal is a line that can be printed."""
    said = str(error)
    assert said.strip(), "it says nothing"
    assert said.isprintable(), repr(said)
