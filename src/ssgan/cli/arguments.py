"""The few fixed options of a verb, taken out before settings are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from ssgan.config.schema import quote
from ssgan.types import UserError

Word = TypeVar("Word", bound=str)
_DIGITS = 1000  # of a number, at most: Python reads no more than some thousands
_MOST = 2**63 - 1  # tensors and arrays count in 64 bits


@dataclass(frozen=True)
class Options:
    """What was given of a verb's fixed options."""

    values: dict[str, str]
    flags: frozenset[str]

    def get(self, name: str) -> str | None:
        """The value of `--name VALUE`, or None."""
        return self.values.get(name)

    def on(self, name: str) -> bool:
        """Whether `--name` was given."""
        return name in self.flags


def take_options(
    argv: Sequence[str], valued: Sequence[str], flags: Sequence[str]
) -> tuple[Options, list[str]]:
    """Split argv into these options and everything else, in order; -h is --help."""
    values: dict[str, str] = {}
    on: set[str] = set()
    rest: list[str] = []
    options = {f"--{name}" for name in (*valued, *flags)}
    waiting = list(argv)
    while waiting:
        word = waiting.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if word == "-h":
            on.add("help")
        elif word.startswith("--") and name in flags and not equals:
            on.add(name)
        elif word.startswith("--") and name in valued:
            if not equals and (not waiting or waiting[0] in options):
                raise UserError(f"--{name} needs a value")
            if name in values:
                raise UserError(f"--{name} is given twice")
            values[name] = value if equals else waiting.pop(0)
        else:
            rest.append(word)
    return Options(values, frozenset(on)), rest


def whole_number(
    options: Options, name: str, default: int, smallest: int, largest: int = _MOST
) -> int:
    """The value of `--name`, `smallest` to `largest`; raises UserError for anything else."""
    text = options.get(name)
    if text is None:
        return default
    digits = text.removeprefix("-")
    if not digits.isdecimal() or len(digits) > _DIGITS or int(text) < smallest:
        wanted = f"a whole number, {smallest} or more"
        raise UserError(f"--{name} must be {wanted}, not {quote(text)}")
    if int(text) > largest:
        raise UserError(f"--{name} must be at most {largest:,}, not {quote(int(text))}")
    return int(text)


def decimal_number(name: str, text: str) -> float:
    """The number that was given for `--name`; raises UserError for anything else."""
    try:
        return float(text)
    except ValueError:
        raise UserError(f"--{name} must be a number, not {text!r}") from None


def one_of(options: Options, name: str, words: Sequence[Word], default: Word) -> Word:
    """The value of `--name`, which is one of these words; raises UserError for any other."""
    given = options.values.get(name, default)
    for word in words:
        if word == given:
            return word
    wanted = " or ".join(words) if len(words) < 3 else f"one of {', '.join(words)}"
    raise UserError(f"--{name} must be {wanted}, not {given!r}")
