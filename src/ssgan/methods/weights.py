"""The range that every weight of a loss has."""

import math

from ssgan.types import UserError


def require_weight(name: str, value: float) -> None:
    """Raise UserError unless value is finite and at least 0."""
    if not (math.isfinite(value) and value >= 0):
        raise UserError(f"{name} must be a number, at least 0, not {value}")
