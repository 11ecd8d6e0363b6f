"""Reads the words of a command into the frozen dataclass that declares its options.

A field of the dataclass is an option, an argument, or both settings and words that pass through.
Its type says how a word is read: `int`, `float`, `str`, `Path`, `bool` (a flag), a `Literal`, or a
tuple of these, separated by commas. argparse does not read the words: it cannot keep unknown
settings in their order, and its errors name no nearest option. `help` writes the help from the same
fields.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import NoneType
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints

from ssgan.config.comments import field_comment
from ssgan.config.nearest import nearest

T = TypeVar("T")
_MAX_DIGITS = 1000  # Python reads numbers of some thousands
_MAX_INT = 2**63 - 1  # tensors and arrays count in 64 bits
_MAX_CHARACTERS = 60  # of a value in a message


class UsageError(Exception):
    """Words that are no command: one line that says what is wrong. The exit code is 2."""


@dataclass(frozen=True)
class OptionField:
    """An option or argument: `option` declares it, `list_fields` adds what the dataclass says."""

    metavar: str = ""  # in help; empty: made from the type
    positional: bool = False
    required: bool = False
    at_least: int | None = None  # of a whole number
    at_most: int = _MAX_INT
    words: tuple[str, ...] = ()  # that may stand for a whole number; added by `list_fields`
    default_text: str = ""  # the default in words, where it depends on other options
    # the value may be left out, and is then "-": the next word is one only with this ending
    optional_ending: str = ""
    name: str = ""  # with -- for an option, the metavar for an argument; empty: from the key

    key: str = ""  # the field of the dataclass
    hint: Any = str  # the type of a value; of one item where it is a tuple
    many: bool = False
    default: object = None
    help: str = ""

    @property
    def value_name(self) -> str:
        """What stands for the value in help."""
        if self.metavar:
            return self.metavar
        choices = self.choices or (("N", *self.words) if self.hint is int else ("X",))
        return "|".join(map(str, choices))

    @property
    def usage(self) -> str:
        """How it is typed."""
        return self.name if self.positional or self.flag else f"{self.name} {self.value_name}"

    @property
    def flag(self) -> bool:
        """Whether it takes no value."""
        return self.hint is bool

    @property
    def choices(self) -> tuple[Any, ...]:
        """The words that it may be; empty: any."""
        return get_args(self.hint) if get_origin(self.hint) is Literal else ()


def option(default: T, metavar: str = "", **more: Any) -> T:
    """An option `--name VALUE` with what its type does not say; `more` is as in OptionField."""
    declared: T = field(default=default, metadata={"option": OptionField(metavar, **more)})
    return declared


def argument(default: T, metavar: str, required: bool = False) -> T:
    """An argument without a name; where its type is a tuple, all that are left."""
    return option(default, metavar, positional=True, required=required, name=metavar)


@dataclass(frozen=True, kw_only=True)
class VerbOptions:
    """The options that every verb has.

    A subclass is one verb: its docstring describes it, and the comment above a field is its help.
    """

    # show this help and exit
    help: bool = False
    words: tuple[str, ...] = ()  # the command as it was typed, after the verb

    phrases: ClassVar[Mapping[str, str]] = {}  # what {NAME} in a comment stands for
    synonyms: ClassVar[Mapping[str, str]] = {}  # other names: an option or setting, or a hint
    usage: ClassVar[tuple[str, ...]] = ()  # after `ssgan VERB`; empty: made from the fields
    notes: ClassVar[str] = ""  # below the options in help; blank lines part paragraphs
    setting_words: ClassVar[str] = ""  # the field for settings that are read later; empty: none
    settings_follow_dashes: ClassVar[bool] = False  # those settings stand after a lone --

    def has_more_help(self) -> bool:
        """Whether the verb itself prints more help for these words, such as a recipe's settings."""
        return False


def list_fields(owner: type[VerbOptions]) -> tuple[OptionField, ...]:
    """The options and arguments that a verb declares, in order; --help comes last."""
    hints, found = get_type_hints(owner), []
    for one in dataclasses.fields(owner):
        if one.name in ("words", owner.setting_words):
            continue
        declared: OptionField = one.metadata.get("option", OptionField())
        hint = hints[one.name]
        if NoneType in get_args(hint):
            hint = next(variant for variant in get_args(hint) if variant is not NoneType)
        kinds = get_args(hint)  # of int | Literal[WORD]
        words = tuple(word for kind in kinds if int in kinds for word in get_args(kind))
        hint = int if words else hint
        many = get_origin(hint) is tuple
        text = field_comment(owner, one.name) or owner.phrases.get(one.name.upper(), "")
        completed = replace(
            declared,
            name=declared.name or f"--{one.name.replace('_', '-')}",
            key=one.name,
            words=words,
            hint=get_args(hint)[0] if many else hint,
            many=many,
            default=one.default,
            help=re.sub(r"{(\w+)}", lambda word: owner.phrases[word[1]], text),
        )
        found.append(completed)
    return tuple(sorted(found, key=lambda one: one.key == "help"))


def parse(verb: str, owner: type[VerbOptions], argv: Sequence[str]) -> Any:
    """The options of `ssgan VERB ARGV`; raises UsageError for words that are none of them."""
    fields = list_fields(owner)
    known = {one.name: one for one in fields if not one.positional}
    known["-h"] = known["--help"]
    values: dict[str, Any] = {}
    arguments: list[str] = []
    settings: list[str] = []
    waiting = list(argv)
    while waiting:
        word = waiting.pop(0)
        name, equals, value = word.partition("=")
        one = known.get(name)
        if word == "--":
            (settings if owner.settings_follow_dashes else arguments).extend(waiting)
            break
        if not word.startswith("-") or word == "-":
            arguments.append(word)
        elif one is None and owner.setting_words and not owner.settings_follow_dashes:
            settings += _setting(verb, owner, word, waiting, known)
        elif one is None:
            waiting[:0] = [_resolve_name(verb, owner, name, known), *([value] if equals else [])]
        elif one.flag:
            if equals:
                raise UsageError(f"{name} takes no value")
            values[one.key] = True
        else:
            if one.optional_ending and not equals:
                has_value = bool(waiting) and waiting[0].endswith(one.optional_ending)
                waiting[:0] = () if has_value else ("-",)
            if not equals and (not waiting or waiting[0] in known):
                raise UsageError(f"{name} needs a value")
            if one.key in values:
                raise UsageError(f"{name} is given twice")
            values[one.key] = _value(one, value if equals else waiting.pop(0))
    if owner.setting_words:
        values[owner.setting_words] = tuple(settings)
    values |= _arguments(verb, [one for one in fields if one.positional], arguments)
    for one in fields if not values.get("help") else ():
        if one.required and not values.get(one.key):
            raise UsageError(f"{verb} needs {one.usage}: {one.help}")
    return owner(**values, words=tuple(argv))


def _setting(
    verb: str,
    owner: type[VerbOptions],
    word: str,
    waiting: list[str],
    known: Mapping[str, OptionField],
) -> tuple[str, ...]:
    """A setting, taken with its value from the words; the config checks its name and type."""
    name, equals, value = word.partition("=")
    synonym = _find_synonym(verb, owner, name)
    if synonym is None and ("-" in name[2:] or not waiting) and (near := _nearest(name, known)):
        raise UsageError(f"{verb} has no {name}; did you mean {near}?")
    if not equals and (not waiting or waiting[0].startswith("--")):
        raise UsageError(f"{name} needs a value")
    return synonym or name, value if equals else waiting.pop(0)


def _resolve_name(
    verb: str, owner: type[VerbOptions], name: str, known: Mapping[str, OptionField]
) -> str:
    """The option that is meant by a synonym; raises UsageError for any other unknown word."""
    if (synonym := _find_synonym(verb, owner, name)) is not None:
        return synonym
    hint = f"see ssgan {verb} --help"
    if near := _nearest(name, known):
        hint = f"did you mean {near}?"
    elif owner.settings_follow_dashes and ("_" in name or "." in name):
        hint = f"settings follow a lone --, such as: -- {name} VALUE"
    raise UsageError(f"{verb} has no {name}; {hint}")


def _find_synonym(verb: str, owner: type[VerbOptions], name: str) -> str | None:
    """The option or setting that has this other name; raises UsageError where there is a hint."""
    target = owner.synonyms.get(name)
    if target is not None and " " in target:
        raise UsageError(f"{verb} has no {name}; {target}")
    return target


def _nearest(name: str, known: Iterable[str]) -> str | None:
    near = nearest(name.lstrip("-"), [other[2:] for other in known if other.startswith("--")])
    return f"--{near[0]}" if near else None


def _arguments(verb: str, declared: Sequence[OptionField], words: Sequence[str]) -> dict[str, Any]:
    """The values of the arguments, in the order of the fields."""
    left, values = list(words), dict[str, Any]()
    for one in declared:
        if one.many:
            values[one.key], left = tuple(map(one.hint, left)), []
        elif left and one.choices and left[0] not in one.choices:
            break
        elif left:
            values[one.key] = _value(one, left.pop(0))
    if left and not declared:
        raise UsageError(f"{verb} takes no {left[0]!r}; see ssgan {verb} --help")
    if left:
        names = " ".join(one.name for one in declared)
        one_of = "one " if len(declared) == 1 else ""
        raise UsageError(f"{verb} takes {one_of}{names}, not {' '.join(words)}")
    return values


def _value(one: OptionField, text: str) -> Any:
    """A word as the field's type; raises UsageError for what it cannot be."""
    if one.hint is Path and not text:
        return one.default  # as if it were not given: "$CACHE" of a script may be empty
    if one.many:
        parts = (part.strip() for part in text.split(","))
        return tuple(_item(one, part) for part in parts if part)
    return _item(one, text)


def _item(one: OptionField, text: str) -> Any:
    if one.hint is int:
        return text if text in one.words else _whole_number(one, text)
    if one.hint is float:
        try:
            return float(text)
        except ValueError:
            kind = "numbers" if one.many else "a number"
            raise UsageError(f"{one.name} must be {kind}, not {_quote(text)}") from None
    if one.choices:
        for choice in one.choices:
            if str(choice) == text:
                return choice
        words = list(map(str, one.choices))
        wanted = " or ".join(words) if len(words) < 3 else f"one of {', '.join(words)}"
        raise UsageError(f"{one.name} must be {wanted}, not {_quote(text)}")
    return one.hint(text)


def _whole_number(one: OptionField, text: str) -> int:
    digits = text.removeprefix("-")
    small = len(digits) <= _MAX_DIGITS and re.fullmatch("[0-9]+", digits)
    if not small or (one.at_least is not None and int(text) < one.at_least):
        kind = "whole numbers" if one.many else "a whole number"
        if one.many and isinstance(one.default, tuple) and one.default:
            kind += f" such as {','.join(map(str, one.default))}"
        bound = "" if one.at_least is None else f", {one.at_least} or more"
        instead = "".join(f"{word} or " for word in one.words)
        raise UsageError(f"{one.name} must be {instead}{kind}{bound}, not {_quote(text)}")
    if int(text) > one.at_most:
        raise UsageError(f"{one.name} must be at most {one.at_most:,}, not {_quote(int(text))}")
    return int(text)


def _quote(value: str | int) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 3]}..."
