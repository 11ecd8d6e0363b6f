"""An accuracy with its confidence interval."""

import math
from typing import NamedTuple

NORMAL_95 = 1.959963984540054  # 95 % of a normal distribution is within this


class Proportion(NamedTuple):
    """`correct` of `total`, with Wilson's 95 % interval."""

    correct: int
    total: int

    @property
    def share(self) -> float:
        """correct / total, in [0, 1]."""
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval (1927) of independent trials: within [0, 1], even at 0 and 1.

        It covers the choice of test images alone, not that of training images or of a seed.
        """
        z2 = NORMAL_95**2
        centre = (self.correct + z2 / 2) / (self.total + z2)
        square = self.correct * (self.total - self.correct) / self.total + z2 / 4
        half = NORMAL_95 * math.sqrt(square) / (self.total + z2)
        low = 0.0 if self.correct == 0 else centre - half  # exactly, whatever rounding does
        return low, 1.0 if self.correct == self.total else centre + half
