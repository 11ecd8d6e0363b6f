"""A quick look at encoded pictures: sizes and modes from their headers, without decoding."""

from collections.abc import Callable
from itertools import islice

from ssgan.data.base import HeaderStats
from ssgan.data.preprocessing import header, quiet_pillow, reason
from ssgan.types import UserError

MAX_HEADERS = 256  # headers to read, evenly spread
_TRIED = 1024  # before giving up on a collection of broken files


def read_header_stats(
    name: str, count: int, encoded: Callable[[int], bytes], item: Callable[[int], str]
) -> HeaderStats:
    """From `encoded(number)` for up to 256 of `count` items; UserError when none can be read.

    `name` is the source's and `item(number)` the item's, for the error.
    """
    looked: list[tuple[int, int, bool]] = []
    first_error = ""
    with quiet_pillow():
        for number in islice(_spread(count), _TRIED):
            try:
                looked.append(header(encoded(number)))
            except Exception as error:
                first_error = first_error or f"{item(number)}: {reason(error)}"
            if len(looked) == MAX_HEADERS:
                break
    if not looked:
        raise UserError(f"{name}: no image can be read; the first: {first_error}")
    sides = sorted(min(width, height) for width, height, _ in looked)
    return HeaderStats(count, sides[len(sides) // 2], all(grey for _, _, grey in looked))


def _spread(count: int) -> list[int]:
    """Numbers below `count`: 256 evenly spread ones first, then the others."""
    step = max(1.0, count / MAX_HEADERS)
    first = [int(k * step) for k in range(min(MAX_HEADERS, count))]
    chosen = set(first)
    return first + [number for number in range(min(count, 4 * _TRIED)) if number not in chosen]
