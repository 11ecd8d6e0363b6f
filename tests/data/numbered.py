"""A source whose every item is known, for the tests of preparation."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssgan.data.base import (
    AbstractCollection,
    AbstractSource,
    DecodedWithWarning,
    HeaderStats,
    Pixels,
    Preprocessing,
    Rejected,
)


@dataclass(frozen=True)
class Numbers(AbstractSource, AbstractCollection):
    """Item i is a 4 x 4 square of grey i; multiples of seven are broken, of five warned of."""

    count: int = 300
    log: str | None = None  # a file that gets a line for every item read

    def open(self) -> "Numbers":
        return self

    def name(self) -> str:
        return "numbers"

    def __len__(self) -> int:
        return self.count

    def fingerprint(self) -> str:
        return f"{self.count:x}"

    def read(
        self, numbers: range, preprocessing: Preprocessing
    ) -> Iterator[Pixels | DecodedWithWarning | Rejected]:
        for number in numbers:
            if self.log:
                with open(self.log, "a") as file:
                    file.write(f"{number}\n")
            pixels = np.full((4, 4, 3), number % 256, np.uint8)
            if number % 7 == 0:
                yield Rejected(f"item {number}", "a multiple of seven")
            elif number % 5 == 0:
                yield DecodedWithWarning(pixels, ("divisible by five",))
            else:
                yield pixels

    def header_stats(self) -> HeaderStats:
        return HeaderStats(self.count, 4, False)

    def labels(self) -> Sequence[int]:
        return [number % 3 for number in range(self.count)]

    def classes(self) -> tuple[str, ...]:
        return ("zero", "one", "two")


KEPT = [number for number in range(300) if number % 7]


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".locks" not in path.parts
    }
