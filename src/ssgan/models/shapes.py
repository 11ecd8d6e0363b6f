"""Checks of sizes and widths that the network families share."""

from collections.abc import Iterable

from ssgan.types import ImageShape, UserError


def check_shape(family: str, shape: ImageShape, sizes: Iterable[int]) -> None:
    """Raises UserError, naming what would do, unless the family has networks for the shape."""
    if shape.channels not in (1, 3):
        raise UserError(
            f"{family} networks are for images of 1 or 3 channels, not {shape.channels}"
        )
    sizes = sorted(sizes)
    if shape.size not in sizes:
        known = ", ".join(str(size) for size in sizes)
        raise UserError(f"{family} networks are for sizes {known}, not {shape.size}")


def check_width(width: float) -> None:
    """Raises UserError unless the width is a usable multiplier of channels."""
    if not 0 < width < float("inf"):
        raise UserError(f"width must be above 0, not {width}")


def scaled(channels: int, width: float) -> int:
    """The channels times the width, rounded, and at least 1."""
    return max(1, round(channels * width))
