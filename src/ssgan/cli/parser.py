"""Reads the words of a command into the frozen dataclass that declares its options.

A field of the dataclass is an option, an argument, or both settings and words that pass through.
Its type says how a word is read: `int`, `float`, `str`, `Path`, `bool` (a flag), a `Literal`, or a
tuple of these, separated by commas. argparse does not read the words: it cannot keep unknown
settings in their order, and its errors name no nearest option. `help` writes the help from the same
fields.
"""

import dataclasses
import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints

from ssgan.cli.synonyms import find_synonym
from ssgan.config.nearest import nearest

T = TypeVar("T")
_DIGITS = 1000  # of a number, at most: Python reads no more than some thousands
_MOST = 2**63 - 1  # tensors and arrays count in 64 bits
_SHOWN_CHARACTERS = 60


class UsageError(Exception):
    """Words that are no command: one line that says what is wrong. The exit code is 2."""


@dataclass(frozen=True)
class Declared:
    """What a field's metadata holds."""

    metavar: str = ""  # in help; empty: made from the type
    positional: bool = False
    required: bool = False
    at_least: int | None = None  # of a whole number
    at_most: int = _MOST
    name: str | None = None  # without --; None: made from the field's name
    default_text: str = ""  # the default in words, where it depends on other options


def option(default: T, metavar: str = "", **more: Any) -> T:
    """An option `--name VALUE` with what its type does not say; `more` is as in Declared."""
    declared: T = field(default=default, metadata={"declared": Declared(metavar, **more)})
    return declared


def argument(default: T, metavar: str, required: bool = False) -> T:
    """An argument without a name; where its type is a tuple, all that are left."""
    return option(default, metavar, positional=True, required=required)


@dataclass(frozen=True, kw_only=True)
class VerbOptions:
    """The options that every verb has.

    A subclass is one verb: its docstring describes it, and the comment above a field is its help.
    """

    # show this help and exit
    help: bool = False
    words: tuple[str, ...] = ()  # the command as it was typed, after the verb

    phrases: ClassVar[Mapping[str, str]] = {}  # what {NAME} in a comment stands for
    usage: ClassVar[tuple[str, ...]] = ()  # after `ssgan VERB`; empty: made from the fields
    notes: ClassVar[str] = ""  # below the options in help; blank lines part paragraphs
    setting_words: ClassVar[str] = ""  # the field for settings that are read later; empty: none
    settings_follow_dashes: ClassVar[bool] = False  # those settings stand after a lone --

    def has_more_help(self) -> bool:
        """Whether the verb itself prints more help for these words, such as a recipe's settings."""
        return False


@dataclass(frozen=True)
class OptionField:
    """A field of a verb's dataclass as the parser needs it."""

    key: str  # of the dataclass
    name: str  # with -- for an option, the metavar for an argument
    hint: Any  # the type of a value; of one item where it is a tuple
    many: bool
    default: object
    help: str
    declared: Declared

    @property
    def metavar(self) -> str:
        """What stands for the value in help."""
        if self.declared.metavar:
            return self.declared.metavar
        return "|".join(map(str, self.choices)) or ("N" if self.hint is int else "X")

    @property
    def flag(self) -> bool:
        """Whether it takes no value."""
        return self.hint is bool

    @property
    def choices(self) -> tuple[Any, ...]:
        """The words that it may be; empty: any."""
        return get_args(self.hint) if get_origin(self.hint) is Literal else ()


def fields_of(owner: type[VerbOptions]) -> tuple[OptionField, ...]:
    """The options and arguments that a verb declares, in order; --help comes last."""
    hints, found = get_type_hints(owner), []
    texts = {name: text for base in owner.__mro__ for name, text in _comments(base).items()}
    for one in dataclasses.fields(owner):
        if one.name in ("words", owner.setting_words):
            continue
        declared = one.metadata.get("declared", Declared())
        hint = hints[one.name]
        if NoneType in get_args(hint):
            hint = next(variant for variant in get_args(hint) if variant is not NoneType)
        many = get_origin(hint) is tuple
        name = declared.metavar
        if not declared.positional:
            name = f"--{declared.name or one.name.replace('_', '-')}"
        item = get_args(hint)[0] if many else hint
        text = re.sub(r"{(\w+)}", lambda word: owner.phrases[word[1]], texts.get(one.name, ""))
        found.append(OptionField(one.name, name, item, many, one.default, text, declared))
    return tuple(sorted(found, key=lambda one: one.key == "help"))


def _comments(owner: type) -> dict[str, str]:
    """The comment lines above each field of a class; empty where the source is not at hand."""
    found: dict[str, str] = {}
    above: list[str] = []
    try:
        lines = inspect.getsource(owner).splitlines()
    except (OSError, TypeError):
        return found
    for line in map(str.strip, lines):
        if line.startswith("# "):
            above.append(line.removeprefix("# "))
            continue
        if above and (named := re.match(r"(\w+): ", line)):
            found[named[1]] = " ".join(above)
        above = []
    return found


def parse(verb: str, owner: type[VerbOptions], argv: Sequence[str]) -> Any:
    """The options of `ssgan VERB ARGV`; raises UsageError for words that are none of them."""
    fields = fields_of(owner)
    known = {one.name: one for one in fields if not one.declared.positional}
    known["-h"] = known["--help"]
    values: dict[str, Any] = {}
    arguments: list[str] = []
    settings: list[str] = []
    waiting = list(argv)
    while waiting:
        word = waiting.pop(0)
        name, equals, value = word.partition("=")
        if word == "--":
            (settings if owner.settings_follow_dashes else arguments).extend(waiting)
            break
        if not word.startswith("-") or word == "-":
            arguments.append(word)
        elif name in known and known[name].flag and not equals:
            values[known[name].key] = True
        elif name in known and not known[name].flag:
            if not equals and (not waiting or waiting[0] in known):
                raise UsageError(f"{name} needs a value")
            if known[name].key in values:
                raise UsageError(f"{name} is given twice")
            text = value if equals else waiting.pop(0)
            values[known[name].key] = _value(known[name], name, text)
        elif owner.setting_words and not owner.settings_follow_dashes and name not in known:
            settings += _setting(verb, word, waiting, known)
        else:
            waiting[:0] = [_resolve_name(verb, owner, name, known), *([value] if equals else [])]
    if owner.setting_words:
        values[owner.setting_words] = tuple(settings)
    if not values.get("help"):
        _check_required(verb, known.values(), values)
    values |= _arguments(verb, fields, arguments, bool(values.get("help")))
    return owner(**values, words=tuple(argv))


def _setting(
    verb: str, word: str, waiting: list[str], known: Mapping[str, OptionField]
) -> tuple[str, ...]:
    """A setting, taken with its value from the words; the config checks its name and type."""
    name, equals, value = word.partition("=")
    synonym, hint = find_synonym(verb, name)
    if hint is not None:
        raise UsageError(f"{verb} has no {name}; {hint}")
    if synonym is None and ("-" in name[2:] or not waiting) and (near := _nearest(name, known)):
        raise UsageError(f"{verb} has no {name}; did you mean {near}?")
    if not equals and (not waiting or waiting[0].startswith("--")):
        raise UsageError(f"{name} needs a value")
    return synonym or name, value if equals else waiting.pop(0)


def _resolve_name(
    verb: str, owner: type[VerbOptions], name: str, known: Mapping[str, OptionField]
) -> str:
    """The option that is meant by a synonym; raises UsageError for any other unknown word."""
    if name in known:
        raise UsageError(f"{name} takes no value")
    synonym, hint = find_synonym(verb, name)
    if synonym is not None:
        return synonym
    if hint is None and (near := _nearest(name, known)):
        hint = f"did you mean {near}?"
    elif hint is None and owner.settings_follow_dashes and ("_" in name or "." in name):
        hint = f"settings follow a lone --, such as: -- {name} VALUE"
    raise UsageError(f"{verb} has no {name}; {hint or f'see ssgan {verb} --help'}")


def _nearest(name: str, known: Iterable[str]) -> str | None:
    near = nearest(name.lstrip("-"), [other[2:] for other in known if other.startswith("--")])
    return f"--{near[0]}" if near else None


def _check_required(verb: str, fields: Iterable[OptionField], values: Mapping[str, Any]) -> None:
    for one in fields:
        if one.declared.required and one.key not in values:
            raise UsageError(f"{verb} needs {one.name} {one.metavar}: {one.help}")


def _arguments(
    verb: str, fields: Sequence[OptionField], words: Sequence[str], help_only: bool
) -> dict[str, Any]:
    """The values of the arguments, in the order of the fields."""
    declared = [one for one in fields if one.declared.positional]
    left, values = list(words), dict[str, Any]()
    for one in declared:
        if one.many:
            values[one.key], left = tuple(map(one.hint, left)), []
        elif left and one.choices and left[0] not in one.choices:
            break
        elif left:
            values[one.key] = _value(one, one.name, left.pop(0))
        if one.declared.required and not values.get(one.key) and not help_only:
            raise UsageError(f"{verb} needs {one.name}: {one.help}")
    if left and not declared:
        raise UsageError(f"{verb} takes no {left[0]!r}; see ssgan {verb} --help")
    if left:
        names = " ".join(one.name for one in declared)
        one_of = "one " if len(declared) == 1 else ""
        raise UsageError(f"{verb} takes {one_of}{names}, not {' '.join(words)}")
    return values


def _value(one: OptionField, name: str, text: str) -> Any:
    """A word as the field's type; raises UsageError for what it cannot be."""
    if one.hint is Path and not text:
        return one.default  # as if it were not given: "$CACHE" of a script may be empty
    if one.many:
        parts = (part.strip() for part in text.split(","))
        return tuple(_item(one, name, part) for part in parts if part)
    return _item(one, name, text)


def _item(one: OptionField, name: str, text: str) -> Any:
    if one.hint is int:
        return _whole_number(one, name, text)
    if one.hint is float:
        try:
            return float(text)
        except ValueError:
            kind = "numbers" if one.many else "a number"
            raise UsageError(f"{name} must be {kind}, not {_shown(text)}") from None
    if one.choices:
        for choice in one.choices:
            if str(choice) == text:
                return choice
        words = list(map(str, one.choices))
        wanted = " or ".join(words) if len(words) < 3 else f"one of {', '.join(words)}"
        raise UsageError(f"{name} must be {wanted}, not {_shown(text)}")
    return one.hint(text)


def _whole_number(one: OptionField, name: str, text: str) -> int:
    smallest, largest = one.declared.at_least, one.declared.at_most
    digits = text.removeprefix("-")
    small = len(digits) <= _DIGITS and re.fullmatch("[0-9]+", digits)
    if not small or (smallest is not None and int(text) < smallest):
        kind = "whole numbers" if one.many else "a whole number"
        if one.many and isinstance(one.default, tuple) and one.default:
            kind += f" such as {','.join(map(str, one.default))}"
        bound = "" if smallest is None else f", {smallest} or more"
        raise UsageError(f"{name} must be {kind}{bound}, not {_shown(text)}")
    if int(text) > largest:
        raise UsageError(f"{name} must be at most {largest:,}, not {_shown(int(text))}")
    return int(text)


def _shown(value: str | int) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 3]}..."
