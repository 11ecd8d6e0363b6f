"""Config to plain tables for JSON, each with the name of its class, and back.

Reading imports nothing: a class is looked up among the modules that are already loaded, only in
packages that are trusted, and only if it is a frozen dataclass that fits the field.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any, NamedTuple

from ssgan.config.schema import (
    Place,
    check_value,
    construct,
    field_hints,
    field_values,
    form_of,
    is_concrete,
    is_named_tuple,
    is_settings,
    kind_of,
    quote,
    value_text,
)
from ssgan.types import UserError

_ADDED = "added"


@dataclass(frozen=True, kw_only=True)
class Aliases:
    """Old names of classes, fields and values, which stored files and flags may still use.

    Fields and values are listed by the full name of today's class, and count for its subclasses
    too. A table with a field under two names is an error.
    """

    # old to new: {"pkg.a:Old": "pkg.b:New", "pkg.old": "pkg.new"}. The name of a module also
    # renames the modules below it; the most specific entry counts
    kinds: Mapping[str, str] = field(default_factory=dict)
    # {"pkg.b:New": {"old_name": "name"}}
    fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # {"pkg.b:New": {"name": {"old word": "word"}}}, by today's name of the field
    values: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)

    def kind(self, kind: str) -> str:
        """The full name of a class today."""
        module, colon, name = kind.partition(":")
        parts = module.split(".")
        for count in range(len(parts), 0, -1):
            if new := self.kinds.get(".".join(parts[:count])):
                module = ".".join([new, *parts[count:]])
                break
        return self.kinds.get(kind, f"{module}{colon}{name}")

    def settings(
        self, owner: type, table: Mapping[str, Any], place: Place
    ) -> dict[str, tuple[Any, Place]]:
        """The entries of a table for an `owner`, under today's names, each with its place.

        Raises UserError for an unknown name.
        """
        hints = field_hints(owner)
        names, words = _of_class(owner, self.fields), _of_class(owner, self.values)
        entries: dict[str, tuple[Any, Place]] = {}
        used: dict[str, str] = {}  # the names that the table uses
        for old, value in table.items():
            name = old if old in hints else names.get(old, old)
            if name not in hints:
                raise place.unknown(str(name), hints)
            if name in entries:
                both = f"{place.child(used[name]).path} and {place.child(old).path}"
                raise place.complaint(f"{both} are names of one setting: give it once")
            if isinstance(value, str):
                value = words.get(name, {}).get(value, value)
            entries[name], used[name] = (value, place.child(name, old)), old
        return entries


NO_ALIASES = Aliases()


def _of_class(owner: type, tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The entries of a class and of those that it inherits from."""
    bases = [tables.get(kind_of(base), {}) for base in reversed(owner.__mro__)]
    return {name: entry for table in bases for name, entry in table.items()}


def added_setting(default: Any, *, in_repr: bool = True) -> Any:
    """A setting that came later. Files from before it lack it, and mean the default.

    So the default must be what was done before. Every other setting must be in a stored file.
    """
    return field(default=default, metadata={_ADDED: True}, repr=in_repr)


def dump(config: object, whole: bool = True) -> dict[str, Any]:
    """The config as nested tables, lists and plain values; `load` gives an equal one back.

    Unless `whole`, it lacks each `added_setting` at its default, so that names and digests made of
    it stay the same when settings are added. Raises UserError for infinite numbers, and for classes
    that are defined in a function.
    """
    if not is_settings(config):
        raise TypeError(f"{type(config).__name__} is not a settings class")
    table: dict[str, Any] = _dump(config, "", whole)
    return table


def _dump(value: object, path: str, whole: bool) -> Any:
    if is_settings(value):
        return {"kind": _readable_kind(type(value), path)} | _dump_fields(value, path, whole)
    if is_named_tuple(type(value)):
        return _dump_fields(value, path, whole)
    if isinstance(value, tuple | list):
        return [_dump(item, f"{path}.{number}", whole) for number, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {str(name): _dump(item, f"{path}.{name}", whole) for name, item in value.items()}
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{path} must be a finite number, not {value}")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{path}: a {type(value).__name__} cannot be stored")


def _dump_fields(value: object, path: str, whole: bool) -> dict[str, Any]:
    skipped = {} if whole else defaults(type(value), added_only=True)
    return {
        name: _dump(one, f"{path}.{name}" if path else name, whole)
        for name, one in field_values(value).items()
        if name not in skipped or one != skipped[name]
    }


def defaults(owner: type, added_only: bool = False) -> dict[str, object]:
    """The fields of a class that have a default, with it; none for what is no dataclass."""
    values: dict[str, object] = {}
    for one in fields(owner) if is_dataclass(owner) else ():
        if not one.init or (added_only and _ADDED not in one.metadata):
            continue
        if one.default is not MISSING:
            values[one.name] = one.default
        elif one.default_factory is not MISSING:
            values[one.name] = one.default_factory()
    return values


def _readable_kind(owner: type, path: str) -> str:
    if "<locals>" in owner.__qualname__:
        at = path or "config"
        raise UserError(f"{at}: move {owner.__name__} out of the function that defines it")
    if "kind" in field_hints(owner):
        raise TypeError(f"{owner.__name__}: a field cannot be called 'kind'")
    return kind_of(owner)


def load(
    table: Mapping[str, object],
    trusted_modules: Sequence[str] = ("ssgan",),
    where: str = "",
    aliases: Aliases = NO_ALIASES,
) -> object:
    """The config that `dump` made `table` from, under today's names or those in `aliases`.

    Classes are taken from `ssgan` and the `trusted_modules` (packages, or single modules), which
    must be imported before. Raises UserError, ending with `where`, for a class from elsewhere, a
    wrong value, an unknown name, and a missing setting that is no `added_setting`.
    """
    reader = Reader(aliases, ("ssgan", *trusted_modules))
    return reader.spec((), table, Place("", where, None), None)


@dataclass(frozen=True)
class Reader:
    """Builds settings from tables, strictly: with full names of classes, and every setting.

    `current` is the present value of a setting; a reader of whole configs has no use for it.
    """

    aliases: Aliases
    trusted: tuple[str, ...] = ()

    def value(self, hint: Any, value: object, place: Place, current: object = None) -> Any:
        """The value of a field of type `hint`."""
        form = form_of(hint)
        if value is None and form.optional:
            return None
        if form.specs:
            return self.spec(form.specs, value, place, current)
        if form.named is not None:
            return self.fields(form.named, _check_table(value, place), place, current)
        if form.items is not None:
            return self.items(form.items, value, place)
        return check_value(hint, value, place)

    def items(self, hints: tuple[Any, ...], value: object, place: Place) -> tuple[Any, ...]:
        """The items of a tuple with these type arguments."""
        if not isinstance(value, list | tuple):
            raise place.error(f"must be a list, not {quote(value)}")
        each = hints[:1] * len(value) if hints[-1] is ... else hints
        if len(each) != len(value):
            raise place.error(f"must be a list of {len(each)}, not of {len(value)}")
        pairs = enumerate(zip(each, value, strict=True))
        return tuple(self.value(one, item, place.child(str(i))) for i, (one, item) in pairs)

    def spec(
        self, declared: tuple[type, ...], value: object, place: Place, current: object
    ) -> object:
        """A spec of one of these classes, or of any class when there are none."""
        table = dict(_check_table(value, place))
        if "kind" not in table:
            raise place.error('needs a "kind", the full name of its class')
        owner = self.owner(declared, table.pop("kind"), place)
        return self.fields(owner, table, place, current)

    def fields(
        self, owner: type, table: Mapping[str, object], place: Place, current: object
    ) -> object:
        """An `owner` with the values in a table."""
        hints = field_hints(owner)
        entries, values = self.aliases.settings(owner, table, place), self.present(owner, current)
        if missing := [name for name in hints if name not in entries.keys() | values.keys()]:
            raise place.missing(owner, missing)
        for name, (value, at) in entries.items():
            values[name] = self.value(hints[name], value, at, values.get(name))
        return construct(owner, values, place)

    def present(self, owner: type, current: object) -> dict[str, object]:
        """The fields that a table may lack, with their values."""
        return defaults(owner, added_only=True)

    def owner(self, declared: tuple[type, ...], kind: object, place: Place) -> type:
        """The class that `kind` names, from the loaded and trusted modules."""
        today = self.aliases.kind(kind) if isinstance(kind, str) else ""
        module, _, name = today.partition(":")
        problem = f"has kind {quote(kind)}, "
        if not module or not name:
            raise place.error(f"{problem}which is not of the form module:Class")
        if not any(module == one or module.startswith(f"{one}.") for one in self.trusted):
            trusted = ", ".join(dict.fromkeys(self.trusted))
            advice = f"if you trust its code, name its module: --trust {module}"
            raise place.error(f"{problem}which is in none of: {trusted}; {advice}")
        found: object = sys.modules.get(module)
        if found is None:
            raise place.error(f"{problem}but {module!r} is not imported: --trust {module}")
        for part in name.split("."):
            found = getattr(found, "__dict__", {}).get(part)  # unlike getattr, this runs no code
        if not isinstance(found, type) or not is_concrete(found) or kind_of(found) != today:
            raise place.error(f"{problem}which is no settings class")
        if declared and not issubclass(found, declared):
            wanted = " or ".join(one.__name__ for one in declared)
            raise place.error(f"must be a {wanted}, not a {found.__name__}")
        return found


def _check_table(value: object, place: Place) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise place.error(f"must be a table, not {quote(value)}")
    return value


class Difference(NamedTuple):
    """One setting in which two configs differ."""

    path: str
    old: object
    new: object

    def __str__(self) -> str:
        return f"{self.path}: {value_text(self.old)} before, {value_text(self.new)} now"


def difference(old: object, new: object, path: str = "") -> list[Difference]:
    """The settings in which two configs differ, by path; one entry where the class differs."""
    parts, others = _parts(old), _parts(new)
    if type(old) is not type(new) or not parts or parts.keys() != others.keys():
        same = old == new and isinstance(old, bool) == isinstance(new, bool)
        return [] if same else [Difference(path, old, new)]
    below = f"{path}." if path else ""
    pairs = [difference(parts[name], others[name], f"{below}{name}") for name in parts]
    return [entry for entries in pairs for entry in entries]


def _parts(value: object) -> dict[str, object]:
    """The parts that are compared one by one: fields, and the specs in a tuple."""
    if isinstance(value, tuple) and any(is_settings(item) for item in value):
        return {str(number): item for number, item in enumerate(value)}
    return field_values(value)


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every value of nested tables by its full name, such as `network.width`."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        inner = isinstance(value, dict)
        flat |= flatten(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value}
    return flat
