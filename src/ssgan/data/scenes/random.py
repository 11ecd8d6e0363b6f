"""What is drawn by lot in `scenes`: numbers and colours, a fixed sequence for every picture."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ssgan.data.scenes.shapes import Field, Number

Mask: TypeAlias = NDArray[Any]  # bool
Colour: TypeAlias = Field  # [3, N, 1, 1], linear light in [0, 1]


class Dice:
    """Uniform numbers for N pictures, handed out in order: the same call, the same numbers."""

    def __init__(self, uniform: NDArray[np.float64]) -> None:
        self._uniform = uniform  # [N, D], each in [0, 1)
        self._next = 0

    def roll(self) -> NDArray[np.float64]:
        """The next number of each picture, [N]."""
        self._next += 1
        return self._uniform[:, self._next - 1]

    def between(self, low: Number, high: Number) -> Field:
        """A number in [low, high) a picture, [N, 1, 1]."""
        share = self.roll().astype(np.float32)[:, None, None]
        return np.asarray(low + (high - low) * share)

    def chance(self, share: float) -> Mask:
        """True for about this share of the pictures, [N, 1, 1]."""
        return (self.roll() < share)[:, None, None]

    def row(self, table: Field) -> Field:
        """A row of a table [R, ...] a picture, [..., N, 1, 1]."""
        rows = table[(self.roll() * len(table)).astype(np.int64)]
        return np.moveaxis(rows, 0, -1)[..., None, None]

    def colour(self, palette: str) -> Colour:
        """One of the palette's colours, a little lighter or darker."""
        return self.row(colours(palette)) * self.between(0.85, 1.1)


def colours(palette: str) -> Field:
    """Linear light of colours written as `rrggbb rrggbb ...`, [R, 3]."""
    bytes_ = [[int(word[k : k + 2], 16) for k in (0, 2, 4)] for word in palette.split()]
    return (np.array(bytes_, np.float32) / 255.0) ** 2
