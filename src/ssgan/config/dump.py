"""Config to plain tables for JSON, each tagged with its class, and back.

Reading imports nothing: a class is looked up among the modules that are already loaded, only in
packages that are trusted, and only if it is a frozen dataclass that fits the field.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import PurePath
from typing import Any, NamedTuple

from ssgan.config.check import Place, checked, construct, items_of, shown
from ssgan.config.fields import (
    alternatives,
    as_before,
    field_hints,
    is_concrete,
    is_named_tuple,
    is_settings,
    kind_of,
    named_tuple,
    required,
    spec_types,
    tuple_items,
    value_text,
)
from ssgan.types import UserError


class Difference(NamedTuple):
    """One setting in which two configs differ."""

    path: str
    old: object
    new: object

    def __str__(self) -> str:
        return f"{self.path}: {value_text(self.old)} before, {value_text(self.new)} now"


def dump(config: object) -> dict[str, Any]:
    """The config as nested tables, lists and plain values; `load` gives an equal one back."""
    return _table_of(config, whole=True)


def without_additions(config: object) -> dict[str, Any]:
    """`dump` without settings that came later and have their default.

    For names and digests: they stay the same when settings are added.
    """
    return _table_of(config, whole=False)


def _table_of(config: object, whole: bool) -> dict[str, Any]:
    table = _plain(config, "", whole)
    if not isinstance(table, dict):
        raise TypeError(f"{type(config).__name__} is not a settings class")
    return table


def _plain(value: object, path: str, whole: bool) -> Any:
    if is_settings(value):
        return {"kind": _readable_kind(type(value), path)} | _fields(value, path, whole)
    if is_named_tuple(type(value)):
        return _fields(value, path, whole)
    if isinstance(value, tuple | list):
        return [_plain(item, f"{path}.{number}", whole) for number, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {str(name): _plain(item, f"{path}.{name}", whole) for name, item in value.items()}
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{path} must be a finite number, not {value}")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{path}: a {type(value).__name__} cannot be stored")


def _fields(value: object, path: str, whole: bool) -> dict[str, Any]:
    left_out = set() if whole else as_before(value)
    return {
        name: _plain(getattr(value, name), f"{path}.{name}" if path else name, whole)
        for name in field_hints(type(value))
        if name not in left_out
    }


def _readable_kind(owner: type, path: str) -> str:
    if "<locals>" in owner.__qualname__:
        at = path or "config"
        raise UserError(f"{at}: move {owner.__name__} out of the function that defines it")
    if "kind" in field_hints(owner):
        raise TypeError(f"{owner.__name__}: a field cannot be called 'kind'")
    return kind_of(owner)


def load(
    table: Mapping[str, object], trusted_modules: Sequence[str] = ("ssgan",), where: str = ""
) -> object:
    """The config that `dump` made `table` from.

    Classes are taken from `ssgan` and the `trusted_modules` (packages, or single modules), which
    must be imported before. Every field must be there that is not marked as `added` later, and no
    other. `where` ends the messages.
    """
    return _Reader(("ssgan", *trusted_modules)).spec((), table, Place("", where, None))


class _Reader(NamedTuple):
    trusted: tuple[str, ...]

    def value(self, hint: Any, value: object, place: Place) -> Any:
        if alternatives(hint)[1] and value is None:
            return None
        if declared := spec_types(hint):
            return self.spec(declared, value, place)
        if owner := named_tuple(hint):
            return self.fields(owner, _table(value, place), place)
        if (items := tuple_items(hint)) is not None:
            return tuple(self.value(*item) for item in items_of(items, value, place))
        return checked(hint, value, place)

    def spec(self, declared: tuple[type, ...], value: object, place: Place) -> object:
        table = dict(_table(value, place))
        if "kind" not in table:
            raise place.error('needs a "kind", the full name of its class')
        owner = self.owner(table.pop("kind"), place)
        if declared and not issubclass(owner, declared):
            wanted = " or ".join(one.__name__ for one in declared)
            raise place.error(f"must be a {wanted}, not a {owner.__name__}")
        return self.fields(owner, table, place)

    def fields(self, owner: type, table: Mapping[str, object], place: Place) -> object:
        hints = field_hints(owner)
        for name in table:
            if name not in hints:
                raise place.unknown(str(name), hints)
        if missing := [name for name in required(owner) if name not in table]:
            raise place.missing(owner, missing)
        values = {
            name: self.value(hint, table[name], place.child(name))
            for name, hint in hints.items()
            if name in table
        }
        return construct(owner, lambda: owner(**values), place)

    def owner(self, kind: object, place: Place) -> type:
        """The class that `kind` names, from what is loaded and trusted."""
        module, colon, name = kind.partition(":") if isinstance(kind, str) else ("", "", "")
        if not colon or not module or not name:
            raise place.error(f"has kind {shown(kind)}, which is not of the form module:Class")
        if not any(module == one or module.startswith(f"{one}.") for one in self.trusted):
            trusted = ", ".join(dict.fromkeys(self.trusted))
            raise place.error(
                f"has kind {shown(kind)}, which is in none of: {trusted}; if you trust its code, "
                f"name its module: --trust {module}"
            )
        found: object = sys.modules.get(module)
        if found is None:
            raise place.error(
                f"has kind {shown(kind)}, but {module!r} is not imported: --trust {module}"
            )
        for part in name.split("."):
            found = getattr(found, "__dict__", {}).get(part)  # unlike getattr, this runs no code
        if not isinstance(found, type) or not is_concrete(found) or kind_of(found) != kind:
            raise place.error(f"has kind {shown(kind)}, which is no settings class")
        return found


def _table(value: object, place: Place) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise place.error(f"must be a table, not {shown(value)}")
    return value


def difference(old: object, new: object) -> list[Difference]:
    """The settings in which two configs differ, by path; one entry where the class differs."""
    return _difference(old, new, "")


def _difference(old: object, new: object, path: str) -> list[Difference]:
    parts = _parts(old) if type(old) is type(new) else {}
    others = _parts(new)
    if not parts or parts.keys() != others.keys():
        same = old == new and isinstance(old, bool) == isinstance(new, bool)
        return [] if same else [Difference(path, old, new)]
    return [
        entry
        for name in parts
        for entry in _difference(parts[name], others[name], f"{path}.{name}" if path else name)
    ]


def _parts(value: object) -> dict[str, object]:
    """What is compared one by one: fields, and the specs in a tuple."""
    if isinstance(value, tuple) and any(is_settings(item) for item in value):
        return {str(number): item for number, item in enumerate(value)}
    if is_settings(value) or is_named_tuple(type(value)):
        return {name: getattr(value, name) for name in field_hints(type(value))}
    return {}
