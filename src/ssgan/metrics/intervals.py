"""A share that was counted, with the interval in which the true one may lie."""

import math
from typing import NamedTuple

NORMAL_95 = 1.959963984540054  # the normal law has 95 % of its weight within this


class Proportion(NamedTuple):
    """`right` of `total`, with Wilson's 95 % interval."""

    right: int
    total: int

    @property
    def share(self) -> float:
        """right / total, in [0, 1]."""
        return self.right / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies with 95 % confidence, if the trials are independent.

        Wilson's score interval (1927): within [0, 1], and of use even at 0 and at `total`. It
        covers the choice of test images alone, not the choice of training images or of a seed.
        """
        z2 = NORMAL_95**2
        centre = (self.right + z2 / 2) / (self.total + z2)
        spread = self.right * (self.total - self.right) / self.total + z2 / 4
        half = NORMAL_95 * math.sqrt(spread) / (self.total + z2)
        low = 0.0 if self.right == 0 else centre - half  # exactly, whatever rounding does
        return low, 1.0 if self.right == self.total else centre + half
