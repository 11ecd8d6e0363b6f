"""What can be a word of a command or the text of a setting; durations and tables as text."""

from collections.abc import Sequence


def is_storable(text: str) -> bool:
    """Whether a file can be named so: no zero byte, and every character can be written.

    Bytes of a name that are no UTF-8 are surrogates (U+DC80 to U+DCFF), which can be written.
    """
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a pair, as JSON may spell it
        return False


_UNITS = (("second", 1.0, 60), ("minute", 60.0, 60), ("hour", 3600.0, 48), ("day", 86400.0, None))


def spell_duration(seconds: float) -> str:
    """A duration in words: 40 seconds, 6 minutes, 2.5 hours or 3 days.

    Hours begin at one hour and days at two; below one second it is "less than a second".
    """
    if seconds < 1:
        return "less than a second"
    for unit, size, limit in _UNITS:
        digits = 1 if size >= 3600 else 0
        number = round(seconds / size, digits)
        if limit is None or number < limit:
            break
    text = f"{number:,.{digits}f}".removesuffix(".0")
    return f"{text} {unit}{'' if text == '1' else 's'}"


def align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows of a table as lines; each column is as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
