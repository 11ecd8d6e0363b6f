"""Mean and covariance of a stream of features, in float64, mergeable over processes.

Chan, Golub and LeVeque (1979): two parts with counts m and n, means a and b and scatter matrices
A and B merge to the mean a + (b - a) n / (m + n) and the scatter A + B + d d^T m n / (m + n),
d = b - a. Nothing is subtracted from a large sum, so an offset costs no digits.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.metrics.features import require_finite
from ssgan.types import UserError


class Moments:
    """Count, mean and covariance of all rows so far."""

    def __init__(self, size: int, device: torch.device | str = "cpu") -> None:
        self.count = 0
        self.mean: Float[Tensor, " F"] = torch.zeros(size, dtype=torch.float64, device=device)
        # sum over rows of (x - mean)(x - mean)^T; the covariance is this over count - 1
        self.scatter: Float[Tensor, "F F"] = torch.zeros(
            size, size, dtype=torch.float64, device=device
        )

    @property
    def size(self) -> int:
        """Number of features a row."""
        return len(self.mean)

    @property
    def covariance(self) -> Float[Tensor, "F F"]:
        """Unbiased (over count - 1), as numpy.cov; raises UserError below two rows."""
        if self.count < 2:
            raise UserError(f"a covariance needs at least 2 images, not {self.count}")
        return self.scatter / (self.count - 1)

    @staticmethod
    def of(features: Float[Tensor, "N F"]) -> "Moments":
        """The moments of these rows alone, on their device."""
        moments = Moments(features.shape[1], features.device)
        moments.update(features)
        return moments

    def update(self, features: Float[Tensor, "N F"], what: str = "given") -> None:
        """Add rows of any float type, also none; `what` names them in errors.

        Raises UserError for NaN, infinity or another row length; the moments stay as they were.
        """
        if len(features) == 0:
            return
        if features.shape[1] != self.size:
            raise UserError(f"{what} features have {features.shape[1]} numbers, not {self.size}")
        require_finite(features, what)
        rows = features.detach().to(self.mean)
        mean = rows.mean(dim=0)
        centred = rows - mean
        self._add(len(rows), mean, centred.T @ centred)

    def merge(self, more: "Moments") -> None:
        """Add the rows of `more`, which stays as it is."""
        if more.size != self.size:
            raise UserError(f"moments of {more.size} features cannot join those of {self.size}")
        if more.count:
            self._add(more.count, more.mean.to(self.mean), more.scatter.to(self.scatter))

    def _add(self, count: int, mean: Float[Tensor, " F"], scatter: Float[Tensor, "F F"]) -> None:
        total = self.count + count
        shift = mean - self.mean
        self.scatter = self.scatter + scatter
        if self.count:
            self.scatter.addr_(shift, shift, alpha=self.count * count / total)
        self.mean = self.mean + shift * (count / total)
        self.count = total
