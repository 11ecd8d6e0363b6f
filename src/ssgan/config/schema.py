"""What a settings class declares, whether a value fits, and errors that name the full path.

A *spec* is a frozen dataclass, or an abstract class whose concrete subclasses are frozen
dataclasses. A setting is a field of a spec or of a NamedTuple inside one.
"""

import dataclasses
import inspect
import json
import math
import re
import types
from abc import ABC, ABCMeta
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from pathlib import Path, PurePath
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ssgan.config.nearest import MAX_NEAREST, did_you_mean, nearest
from ssgan.config.text import is_storable
from ssgan.types import UserError

T = TypeVar("T")
MAX_COUNT = 2**31 - 1  # of anything that is counted: no machine holds more images, or steps further
_MAX_CHARACTERS = 60  # of a value in a message
_MAX_NAMES = 12


class Form(NamedTuple):
    """What a declared type may hold. At most one of specs, named and items is set."""

    members: tuple[Any, ...]  # the alternatives of a union, without None
    optional: bool  # whether None is allowed
    specs: tuple[type, ...] = ()  # spec classes, abstract or not
    named: type | None = None  # a NamedTuple class
    items: tuple[Any, ...] | None = None  # arguments of a tuple of specs or NamedTuples


def form_of(hint: Any) -> Form:
    """The form of a declared type."""
    is_union = get_origin(hint) in (Union, types.UnionType)
    given = get_args(hint) if is_union else (hint,)
    members = tuple(member for member in given if member not in (None, type(None)))
    form = Form(members, len(members) < len(given))
    if all(_is_spec(member) for member in members):
        return form._replace(specs=members)
    if len(members) == 1 and is_named_tuple(members[0]):
        return form._replace(named=members[0])
    if len(members) == 1 and get_origin(members[0]) is tuple:
        items = get_args(members[0])
        if any(form_of(item).specs or form_of(item).named for item in items):
            return form._replace(items=items)
    return form


def _is_spec(hint: Any) -> bool:
    return isinstance(hint, type) and (
        dataclasses.is_dataclass(hint) or (isinstance(hint, ABCMeta) and not is_named_tuple(hint))
    )


def is_named_tuple(hint: Any) -> bool:
    """Whether a declared type is a NamedTuple class."""
    return isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields")


def is_settings(value: object) -> bool:
    """Whether a value is an instance of a dataclass."""
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


@lru_cache(maxsize=1024)
def field_hints(owner: Any) -> dict[str, Any]:
    """The settable fields of a dataclass or NamedTuple class, with their declared types."""
    if is_named_tuple(owner):
        names = list(owner._fields)
    elif dataclasses.is_dataclass(owner):
        names = [field.name for field in dataclasses.fields(owner) if field.init]
    else:
        return {}
    hints = get_type_hints(owner, include_extras=True)
    return {name: hints[name] for name in names}


def field_values(value: object) -> dict[str, Any]:
    """The values of a spec's or NamedTuple's settable fields; empty for any other value."""
    return {name: getattr(value, name) for name in field_hints(cast(Any, type(value)))}


def kind_of(owner: type) -> str:
    """The full name of a class: `module:QualName`."""
    return f"{owner.__module__}:{owner.__qualname__}"


def is_concrete(owner: type) -> bool:
    """Whether a class is a frozen dataclass that can be built."""
    parameters = vars(owner).get("__dataclass_params__")
    frozen = parameters is not None and parameters.frozen
    return frozen and not inspect.isabstract(owner) and ABC not in owner.__bases__


def concrete_classes(declared: Sequence[type]) -> list[type]:
    """Every imported class that a field of these types may hold, in order of import."""
    found: dict[str, type] = {}
    for owner in declared:
        if is_concrete(owner):
            found[kind_of(owner)] = owner
        found |= {kind_of(one): one for one in concrete_classes(owner.__subclasses__())}
    return list(found.values())


class SettingEntry(NamedTuple):
    """One setting of a config, met on a walk."""

    path: str  # dotted, from the root
    owner: type  # the spec or NamedTuple it is a field of
    name: str  # the last part of the path
    hint: Any  # the declared type
    value: object


def walk(config: object, prefix: str = "") -> Iterator[SettingEntry]:
    """Every setting of a config, depth first, each table before its content."""
    owner: Any = type(config)
    for name, value in field_values(config).items():
        yield SettingEntry(f"{prefix}{name}", owner, name, field_hints(owner)[name], value)
        yield from walk(value, f"{prefix}{name}.")


def type_text(hint: Any) -> str:
    """A declared type in words: `int`, `tuple[int, int]`, `float or none`, `crop | pad`."""
    members, optional = form_of(hint)[:2]
    if optional or len(members) > 1:
        return " or ".join([type_text(member) for member in members] + ["none"] * optional)
    if get_origin(hint) is Annotated:
        return type_text(get_args(hint)[0])
    if get_origin(hint) is Literal:
        return " | ".join(str(choice) for choice in get_args(hint))
    if get_origin(hint) is not None:
        items = ("..." if item is ... else type_text(item) for item in get_args(hint))
        return f"{getattr(get_origin(hint), '__name__', hint)}[{', '.join(items)}]"
    if isinstance(hint, type):
        return "path" if issubclass(hint, Path) else hint.__name__
    return str(hint).removeprefix("typing.")


def value_text(value: object) -> str:
    """A setting's value as a user types it; a spec by the name of its class."""
    if is_settings(value):
        return type(value).__name__
    if isinstance(value, tuple | list):
        return f"[{', '.join(value_text(item) for item in value)}]"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def quote(value: object) -> str:
    """A value for a message: on one line, cut when long."""
    if isinstance(value, Mapping):
        return "a table"
    if value is None or isinstance(value, bool) or is_settings(value):
        return value_text(value)
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int of more digits than Python prints
        return f"a very large {type(value).__name__}"
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 3]}..."


class Place(NamedTuple):
    """Where in a config a value belongs, and where it came from."""

    path: str  # dotted; empty for the config itself
    where: str  # for messages: a file's name, a flag ("--" for the config itself), or empty
    root: object  # the whole config, for suggestions; None when there is none yet

    @property
    def is_flag(self) -> bool:
        """Whether the value came from the command line."""
        return self.where.startswith("--")

    def child(self, name: str, old: str | None = None) -> "Place":
        """The place of a field, which may have been given by an old name."""
        above = f"{self.path}." if self.path else ""
        flag = f"{self.where}{'.' if self.where != '--' else ''}{old or name}"
        return Place(f"{above}{name}", flag if self.is_flag else self.where, self.root)

    def origin(self) -> str:
        """The end of a message: where the value came from."""
        return f" (from {self.where})" if self.where else ""

    def error(self, complaint: str) -> UserError:
        """An error at this place: `batch_size must be int, not 1.5 (from --batch_size)`."""
        return UserError(f"{self.path or 'config'} {complaint}{self.origin()}")

    def complaint(self, message: str) -> UserError:
        """An error about a whole table: it names the file, but no flag, as any may be at fault."""
        return UserError(f"{message}{'' if self.is_flag else self.origin()}")

    def unknown(self, name: str, siblings: Iterable[str]) -> UserError:
        """The error for a name that is no field here, with the nearest fields."""
        names = list(siblings)
        near = [self.child(other).path for other in nearest(name, names)]
        if not near and self.root is not None:
            here = f"{self.path}."  # the spec at this place may be about to be replaced
            others = {f.path: f.name for f in walk(self.root) if not f.path.startswith(here)}
            close = nearest(name, others.values())
            near = [path for path, last in others.items() if last in close][:MAX_NEAREST]
        known = ", ".join(names[:_MAX_NAMES]) or "none"
        more = ", ..." if len(names) > _MAX_NAMES else ""
        hint = (
            did_you_mean(near) or f"the settings of {self.path or 'the config'} are: {known}{more}"
        )
        return self.complaint(f"no setting {quote(self.child(name).path)}; {hint}")

    def missing(self, owner: type, names: Sequence[str]) -> UserError:
        """The error for fields of a class that have no value."""
        paths = ", ".join(self.child(name).path for name in names)
        return UserError(f"{owner.__name__} needs a value for {paths}{self.origin()}")


def construct(owner: type, values: Mapping[str, object], place: Place) -> Any:
    """An `owner` of these values; a complaint of the class about its own fields gets the path."""
    try:
        return owner(**values)
    except (UserError, ValueError, ArithmeticError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        named = re.match(r"[\w.]*", message)
        if named and named[0].split(".")[0] in field_hints(owner):
            message = place.child(message).path
        elif place.path:
            message = f"{place.path}: {message}"
        raise place.complaint(message) from error


def check_value(hint: Any, value: object, place: Place) -> Any:
    """A plain value of the declared type: strictly, so `true` is no int, 1.0 neither.

    Raises UserError for any other value.
    """
    members = form_of(hint).members
    if members == (str,) and isinstance(value, str):
        if not is_storable(value):
            raise place.error(f"must be text that a file name can hold, not {quote(value)}")
        return value  # not by way of JSON: a file's name may hold bytes that are no text
    if members == (Path,) and isinstance(value, str | Path):
        if not str(value) or not is_storable(str(value)):
            raise place.error(f"must be the path of a file or folder, not {quote(value)}")
        return Path(value)
    adapter = _adapter(hint)
    try:
        return adapter.validate_json(json.dumps(value, default=_to_json))
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False)[0]["msg"]
    except (TypeError, ValueError, RecursionError):
        raise place.error(f"must be {_wanted(hint)}, not {quote(value)}") from None
    raise place.error(_complaint(hint, value, detail))


def check_count(name: str, value: int, smallest: int, largest: int = MAX_COUNT) -> None:
    """Raise UserError unless smallest <= value <= largest."""
    if value < smallest:
        raise UserError(f"{name} must be at least {smallest:,}, not {quote(value)}")
    if value > largest:
        raise UserError(f"{name} must be at most {largest:,}, not {quote(value)}")


def check_fields(owner: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a class's fields, each of its declared type; UserError for any other value.

    A name that is no field passes: the class itself refuses it.
    """
    hints = field_hints(owner)
    return {
        name: check_value(hints[name], value, Place(name, "", None)) if name in hints else value
        for name, value in values.items()
    }


def _to_json(value: object) -> object:
    """The JSON form of values that only Python callers can give."""
    if isinstance(value, PurePath | Enum):
        return str(value) if isinstance(value, PurePath) else value.value
    raise TypeError


@lru_cache(maxsize=1024)
def _adapter(hint: Any) -> Any:
    config = ConfigDict(strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)
    return TypeAdapter(hint, config=config)


def _complaint(hint: Any, value: object, detail: str) -> str:
    members = form_of(hint).members
    origins = [get_origin(member) for member in members]
    message = f"must be {_wanted(hint)}, not {quote(value)}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"must be a finite number, not {value}"
    if isinstance(value, str) and Literal in origins:
        choices = [
            str(c) for member in members if get_origin(member) is Literal for c in get_args(member)
        ]
        near = did_you_mean(nearest(value, choices))
        return f"{message}; {near}" if near else message
    if isinstance(value, str) and tuple in origins:
        return f"{message}; write it as [a, b]"
    if isinstance(value, bool | int | float) and members in ((str,), (Path,)):
        return f'{message}; as text it is written "{value}", with its quotes'
    if Annotated in origins:
        return f"{message}: {detail[:1].lower()}{detail[1:]}"
    return message


def _wanted(hint: Any) -> str:
    members, text = form_of(hint).members, type_text(hint)
    if any(get_origin(member) is Literal for member in members):
        return f"one of {text.replace(' | ', ', ')}"
    return f"{text} (true or false)" if bool in members else text
