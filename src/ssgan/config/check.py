"""Checks of a single value, and errors that name its path, its origin and what would be right."""

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ssgan.config.fields import alternatives, field_hints, type_text, walk
from ssgan.types import UserError

T = TypeVar("T")
MOST = 2**31 - 1  # of anything that is counted: no machine holds more images, or takes more steps
_SHOWN_CHARACTERS = 60
_SHOWN_NAMES = 12
_SHOWN_NEAREST = 5


class Place(NamedTuple):
    """Where in a config a value belongs, and where it came from."""

    path: str  # dotted; empty for the config itself
    where: str  # for messages: a file's name, "--" for flags, or empty
    root: object  # the whole config, for suggestions; None when there is none yet

    def child(self, name: str) -> "Place":
        """The place of a field."""
        return self._replace(path=f"{self.path}.{name}" if self.path else name)

    def error(self, complaint: str) -> UserError:
        """An error at this place: `batch_size must be int, not 1.5 (from --batch_size)`."""
        return UserError(f"{self.path or 'config'} {complaint}{self.origin()}")

    def origin(self) -> str:
        """The end of a message: where the value came from."""
        source = f"--{self.path}" if self.where == "--" else self.where
        return f" (from {source})" if source else ""

    def unknown(self, name: str, siblings: Iterable[str]) -> UserError:
        """The error for a name that is no field here, with the nearest that are."""
        siblings = list(siblings)
        near = [self.child(other).path for other in nearest(name, siblings)]
        if not near and self.root is not None:
            here = f"{self.path}."  # what is there now may be about to be replaced
            settings = (found for found in walk(self.root) if not found.path.startswith(here))
            elsewhere = {found.path: found.name for found in settings}
            close = nearest(name, elsewhere.values())
            near = [path for path, last in elsewhere.items() if last in close][:_SHOWN_NEAREST]
        if near:
            hint = f"did you mean {' or '.join(near)}?"
        else:
            named = ", ".join(siblings[:_SHOWN_NAMES]) or "none"
            more = ", ..." if len(siblings) > _SHOWN_NAMES else ""
            hint = f"the settings of {self.path or 'the config'} are: {named}{more}"
        origin = "" if self.where == "--" else self.origin()
        return UserError(f"no setting {shown(self.child(name).path)}; {hint}{origin}")

    def missing(self, owner: type, names: Sequence[str]) -> UserError:
        """The error for fields of a class that have no value."""
        paths = ", ".join(self.child(name).path for name in names)
        return UserError(f"{owner.__name__} needs a value for {paths}{self.origin()}")


def construct(owner: type, build: Callable[[], T], place: Place) -> T:
    """What `build` makes; the complaint of a class about its own fields gets the full path."""
    try:
        return build()
    except (UserError, ValueError, ArithmeticError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        named = re.match(r"[\w.]*", message)
        if named and named[0].split(".")[0] in field_hints(owner):
            message = place.child(message).path
        elif place.path:
            message = f"{place.path}: {message}"
        origin = "" if place.where == "--" else place.origin()  # no one flag need be at fault
        raise UserError(f"{message}{origin}") from error


def checked(hint: Any, value: object, place: Place) -> Any:
    """A plain value, if it is of the declared type: strictly, so `true` is no int, 1.0 neither."""
    arms, _ = alternatives(hint)
    if arms == (str,) and isinstance(value, str):
        return value  # not by way of JSON: a file's name may hold bytes that are no text
    if arms == (Path,) and isinstance(value, str | Path):
        if not str(value) or "\0" in str(value):
            raise place.error(f"must be the path of a file or folder, not {shown(value)}")
        return Path(value)
    adapter = _adapter(hint)
    try:
        return adapter.validate_json(json.dumps(value, default=_as_written))
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise place.error(_complaint(hint, value, detail)) from None
    except (TypeError, ValueError, RecursionError):
        raise place.error(f"must be {_wanted(hint)}, not {shown(value)}") from None


def check_count(name: str, value: int, smallest: int, largest: int = MOST) -> None:
    """Raise UserError unless smallest <= value <= largest."""
    if value < smallest:
        raise UserError(f"{name} must be at least {smallest:,}, not {shown(value)}")
    if value > largest:
        raise UserError(f"{name} must be at most {largest:,}, not {shown(value)}")


def checked_fields(owner: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a class's fields, each of its declared type; UserError for one that is not.

    A name that is no field stays as it is: the class itself refuses it.
    """
    hints = field_hints(owner)
    return {
        name: checked(hints[name], value, Place(name, "", None)) if name in hints else value
        for name, value in values.items()
    }


def items_of(hints: Sequence[Any], value: object, place: Place) -> list[tuple[Any, object, Place]]:
    """The items of a list with the type and the place of each.

    `hints` are the arguments of a tuple type. Raises UserError for what is no list, or a list of
    another length.
    """
    if not isinstance(value, list | tuple):
        raise place.error(f"must be a list, not {shown(value)}")
    each = [hints[0]] * len(value) if hints[-1] is ... else list(hints)
    if len(each) != len(value):
        raise place.error(f"must be a list of {len(each)}, not of {len(value)}")
    places = (place.child(str(number)) for number in range(len(value)))
    return list(zip(each, value, places, strict=True))


def _as_written(value: object) -> object:
    """The JSON form of values that only Python callers can give."""
    if isinstance(value, PurePath | Enum):
        return str(value) if isinstance(value, PurePath) else value.value
    raise TypeError


@lru_cache(maxsize=1024)
def _adapter(hint: Any) -> Any:
    config = ConfigDict(strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)
    return TypeAdapter(hint, config=config)


def _complaint(hint: Any, value: object, detail: str) -> str:
    arms, _ = alternatives(hint)
    said = f"must be {_wanted(hint)}, not {shown(value)}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"must be a finite number, not {value}"
    if isinstance(value, str) and any(get_origin(arm) is Literal for arm in arms):
        choices = [str(c) for arm in arms if get_origin(arm) is Literal for c in get_args(arm)]
        near = nearest(value, choices)
        return f"{said}; did you mean {' or '.join(near)}?" if near else said
    if isinstance(value, str) and any(get_origin(arm) is tuple for arm in arms):
        return f"{said}; write it as [a, b]"
    if isinstance(value, bool | int | float) and arms in ((str,), (Path,)):
        return f'{said}; as text it is written "{value}", with its quotes'
    if any(get_origin(arm) is Annotated for arm in arms):
        return f"{said}: {detail[:1].lower()}{detail[1:]}"
    return said


def _wanted(hint: Any) -> str:
    arms, _ = alternatives(hint)
    text = type_text(hint)
    if any(get_origin(arm) is Literal for arm in arms):
        return f"one of {text.replace(' | ', ', ')}"
    return f"{text} (true or false)" if bool in arms else text


def shown(value: object) -> str:
    """A value as it appears in a message: on one line, cut when long."""
    if isinstance(value, Mapping):
        return "a table"
    if dataclasses.is_dataclass(value):
        return type(value).__name__
    if value is None or isinstance(value, bool):
        return str(value).lower()
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int of more digits than Python prints
        return f"a very large {type(value).__name__}"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 3]}..."


def nearest(name: str, candidates: Iterable[str]) -> list[str]:
    """The candidates nearest to a misspelt name, all that are equally near; none if all are far."""
    limit = len(name) // 3 + 1
    close = {
        other: distance(name.lower(), other.lower())
        for other in candidates
        if abs(len(other) - len(name)) <= limit
    }
    best = min(close.values(), default=limit + 1)
    return [other for other in close if close[other] == best <= limit][:_SHOWN_NEAREST]


def distance(a: str, b: str) -> int:
    """How many letters to change, add, drop or swap with their neighbour to turn a into b."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        before, last, row = row, before, [i + 1]
        for j, y in enumerate(b):
            row.append(min(before[j + 1] + 1, row[j] + 1, before[j] + (x != y)))
            if i and j and x == b[j - 1] and a[i - 1] == y:
                row[-1] = min(row[-1], last[j - 1] + 1)
    return row[-1]
