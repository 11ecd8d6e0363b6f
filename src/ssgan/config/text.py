"""What can be a word of a command or the text of a setting; durations in words."""

import math


def is_storable(text: str) -> bool:
    """Whether a file can be named so: no zero byte, and every character can be written.

    Bytes of a name that are no UTF-8 are surrogates (U+DC80 to U+DCFF), which can be written.
    """
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a pair, as JSON may spell it
        return False


_UNITS = (  # name, seconds, decimals, and the number from which on the next unit is used
    ("second", 1, 0, 60),
    ("minute", 60, 0, 60),
    ("hour", 3600, 1, 48),
    ("day", 86400, 1, math.inf),
)


def spell_duration(seconds: float) -> str:
    """A duration in words: 40 seconds, 6 minutes, 2.5 hours or 3 days.

    Hours begin at one hour and days at two; below one second it is "less than a second".
    """
    if seconds < 1:
        return "less than a second"
    counts = ((name, round(seconds / size, digits), end) for name, size, digits, end in _UNITS)
    name, count = next((name, count) for name, count, end in counts if count < end)
    return f"{count:,g} {name}{'' if count == 1 else 's'}"
