"""Names from files and data as one printable line; nothing in them moves a cursor."""

import os


def printable(text: str) -> str:
    """The text in one line, with unprintable characters escaped; what is printable stays.

    So it leaves alone what `readable` returned.
    """
    return "".join(c if c.isprintable() else _printable(c) for c in text)


def readable(name: str | bytes | os.PathLike[str]) -> str:
    """A file name as one printable line, with `\\` and unprintable characters escaped."""
    text = os.fsencode(name).decode("utf-8", "surrogateescape")
    return "".join(_printable(c) for c in text)


def _printable(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
