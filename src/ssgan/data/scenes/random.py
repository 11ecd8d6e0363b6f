"""Keyed random numbers of `scenes`: a fixed sequence for every picture."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ssgan.data.scenes.shapes import Field, Number

Mask: TypeAlias = NDArray[Any]  # bool
Colour: TypeAlias = Field  # [3, N, 1, 1], linear light in [0, 1]


class RandomStream:
    """Random numbers for N pictures, read in order from a table of uniform ones."""

    def __init__(self, uniform: NDArray[np.float64]) -> None:
        self._uniform = uniform  # [N, D], each in [0, 1)
        self._next = 0

    def next(self) -> NDArray[np.float64]:
        """The next uniform number of each picture, [N]."""
        self._next += 1
        return self._uniform[:, self._next - 1]

    def uniform(self, low: Number, high: Number) -> Field:
        """A number in [low, high) for each picture, [N, 1, 1]."""
        share = self.next().astype(np.float32)[:, None, None]
        return np.asarray(low + (high - low) * share)

    def bernoulli(self, probability: float) -> Mask:
        """True with this probability, [N, 1, 1]."""
        return (self.next() < probability)[:, None, None]

    def choice(self, table: Field) -> Field:
        """A row of a table [R, ...] for each picture, [..., N, 1, 1]."""
        rows = table[(self.next() * len(table)).astype(np.int64)]
        return np.moveaxis(rows, 0, -1)[..., None, None]

    def colour(self, palette: str) -> Colour:
        """A colour of the palette with a random brightness of 0.85 to 1.1."""
        return self.choice(colours(palette)) * self.uniform(0.85, 1.1)


def colours(palette: str) -> Field:
    """Linear light of colours written as `rrggbb rrggbb ...`, [R, 3]."""
    bytes_ = [[int(word[k : k + 2], 16) for k in (0, 2, 4)] for word in palette.split()]
    return (np.array(bytes_, np.float32) / 255.0) ** 2
