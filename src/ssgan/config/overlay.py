"""A file or the command line laid over a frozen config, strictly.

A table changes fields. Where a field holds a spec, the name of a class (`GAN`, or in full
`my_pkg.my_file:Mine`) changes its type; the new spec takes over the fields that both have, but
not those at the old class's default, which nobody chose. Only classes that are already imported,
and that the field's declared type allows, can be named.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from ssgan.config.check import Place, checked, construct, items_of, nearest, shown
from ssgan.config.fields import (
    alternatives,
    concrete_classes,
    field_hints,
    is_settings,
    kind_of,
    named_tuple,
    spec_types,
    tuple_items,
)
from ssgan.config.read import from_flags, read_json, read_toml
from ssgan.types import UserError

__all__ = ["from_flags", "overlay", "read_json", "read_toml"]

T = TypeVar("T")
_NOTHING = object()  # no present value
_BEYOND = 2**64  # whole numbers are below: nothing counts in more bits


def overlay(config: T, changes: Mapping[str, object], where: str) -> T:
    """A copy of `config` with `changes` made; `config` itself if there are none.

    `where` ends the messages: the name of the file the changes are from, or `--` when they are
    flags, which are then named one by one. Raises UserError for an unknown name, a wrong type, a
    class that does not fit, and whatever a class refuses about its own fields.
    """
    return cast(T, _spec((type(config),), config, changes, Place("", where, config)))


def _converted(hint: Any, current: object, value: object, place: Place) -> Any:
    """The new value of a field of type `hint`, now `current`, from what was given for it."""
    _, optional = alternatives(hint)
    if optional and (value is None or value == "none"):
        return None
    if value is None and place.where == "--":
        value = "none"  # the word itself, where there is no such choice as None
    if declared := spec_types(hint):
        return _spec(declared, current, value, place)
    if owner := named_tuple(hint):
        return _named(owner, current, value, place)
    if (items := tuple_items(hint)) is not None:  # given whole, as a tuple has no present item
        return tuple(
            _converted(one, _NOTHING, item, at) for one, item, at in items_of(items, value, place)
        )
    found = checked(hint, value, place)
    if isinstance(found, int) and not -_BEYOND <= found < _BEYOND:
        raise place.error(f"must be a whole number below 2^64, not {shown(found)}")
    return found


def _spec(declared: tuple[type, ...], current: object, value: object, place: Place) -> object:
    if is_settings(value) and isinstance(value, declared):
        return value
    if isinstance(value, str):
        value = {"kind": value}
    if not isinstance(value, Mapping):
        wanted = _names(concrete_classes(declared))
        raise place.error(f"must be one of {wanted}, or a table, not {shown(value)}")
    changes = {str(name): change for name, change in value.items()}
    if "kind" in changes:
        owner = _chosen(declared, changes.pop("kind"), place)
        return _built(owner, current, changes, place)
    if not is_settings(current):
        raise place.error(f'needs a "kind", one of {_names(concrete_classes(declared))}')
    return _built(type(current), current, changes, place)


def _chosen(declared: tuple[type, ...], kind: object, place: Place) -> type:
    """The class that `kind` names, among those the field may hold."""
    choices = concrete_classes(declared)
    if isinstance(kind, str):
        matches = [owner for owner in choices if kind in (owner.__name__, kind_of(owner))]
        if len(matches) == 1:
            return matches[0]
        if matches:
            full = ", ".join(kind_of(owner) for owner in matches)
            raise place.error(f"{kind!r} is the name of several classes: {full}")
    name = kind.rpartition(":")[2] if isinstance(kind, str) else ""
    near = nearest(name, [owner.__name__ for owner in choices])
    choices.sort(key=lambda owner: owner.__name__ not in near)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise place.error(f"must be one of {_names(choices)}, not {shown(kind)}{hint}")


def _names(choices: list[type]) -> str:
    return ", ".join(owner.__name__ for owner in choices) or "none (no class is imported)"


def _built(owner: type, current: object, changes: Mapping[str, object], place: Place) -> object:
    """An `owner` with `changes`, the rest from the present value, else from its defaults."""
    hints = field_hints(owner)
    for name in changes:
        if name not in hints:
            raise place.unknown(name, hints)
    present = _present(owner, current, place)
    made = {
        name: _converted(hints[name], present.get(name, _NOTHING), change, place.child(name))
        for name, change in changes.items()
    }
    if type(current) is owner:
        if not made:
            return current
        return construct(owner, lambda: dataclasses.replace(cast(Any, current), **made), place)
    values = present | made
    if missing := [name for name in hints if name not in values]:
        raise place.missing(owner, missing)
    return construct(owner, lambda: owner(**values), place)


def _present(owner: type, current: object, place: Place) -> dict[str, object]:
    """What the fields of a new `owner` hold before any change."""
    if type(current) is owner:
        return {name: getattr(current, name) for name in field_hints(owner)}
    present, left = _defaults(owner), _defaults(type(current))
    shared = field_hints(owner).keys() & field_hints(type(current)).keys()
    for name in shared:
        old = getattr(current, name)
        if name in present and name in left and old == left[name]:
            continue  # nobody chose it, and the new class may know better
        try:
            present[name] = _converted(field_hints(owner)[name], _NOTHING, old, place)
        except UserError:
            continue  # the new class means something else by this name
    return present


def _defaults(owner: type) -> dict[str, object]:
    """The fields of a class that have a default, with it; none of what is no dataclass."""
    defaults: dict[str, object] = {}
    for field in dataclasses.fields(owner) if dataclasses.is_dataclass(owner) else ():
        if not field.init:
            continue
        if field.default is not dataclasses.MISSING:
            defaults[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = field.default_factory()
    return defaults


def _named(owner: type, current: object, value: object, place: Place) -> object:
    """A NamedTuple from a table of some of its fields, or a list of all of them."""
    hints = field_hints(owner)
    if isinstance(value, list | tuple) and len(value) == len(hints):
        value = dict(zip(hints, value, strict=True))
    if not isinstance(value, Mapping):
        raise place.error(f"must be [{', '.join(hints)}], not {shown(value)}")
    for name in value:
        if name not in hints:
            raise place.unknown(str(name), hints)
    values = cast(Any, current)._asdict() if isinstance(current, owner) else {}
    for name, change in value.items():
        now = values.get(name, _NOTHING)
        values[name] = _converted(hints[name], now, change, place.child(name))
    if missing := [name for name in hints if name not in values]:
        raise place.missing(owner, missing)
    return construct(owner, lambda: owner(**values), place)
