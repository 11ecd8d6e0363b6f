"""What can be a word of a command or the text of a setting."""


def is_storable(text: str) -> bool:
    """Whether a file can be named so: no zero byte, and every character can be written.

    Bytes of a name that are no UTF-8 are surrogates (U+DC80 to U+DCFF), which can be written.
    """
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a pair, as JSON may spell it
        return False
