"""Feature rows as a metric wants them: float64, finite, enough of them."""

import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.types import UserError


def check_rows(
    features: Float[Tensor, "N F"], what: str, *, at_least: int = 2
) -> Float[Tensor, "N F"]:
    """The same rows in float64; `what` ("real", "fake") names them in errors.

    Raises UserError when there are fewer than `at_least` rows, or any value is NaN or infinite.
    """
    if len(features) < at_least:
        raise UserError(
            f"{len(features)} {what} images are too few for this metric; it needs {at_least}"
        )
    require_finite(features, what)
    return features.detach().to(torch.float64)


def require_finite(values: Float[Tensor, "N F"], what: str) -> None:
    """Raise UserError that names the first row with a NaN or an infinity."""
    bad = ~values.isfinite().all(dim=1)
    if bad.any():
        first = int(bad.nonzero()[0, 0])
        raise UserError(
            f"features of {int(bad.sum())} of {len(values)} {what} images are NaN or infinite, "
            f"the first in row {first}; a metric of them would mean nothing"
        )


def require_same_size(real: Tensor, fake: Tensor) -> None:
    """Raise UserError unless both have the same number of features a row."""
    if real.shape[-1] != fake.shape[-1]:
        raise UserError(
            f"real features have {real.shape[-1]} numbers an image, fake ones {fake.shape[-1]}; "
            "take both from the same extractor"
        )
