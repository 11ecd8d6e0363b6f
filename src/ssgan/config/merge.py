"""Flags, TOML and JSON as nested tables, and a table merged into a frozen config, strictly.

A table changes fields. Where a field holds a spec, the name of a class (`GAN`, or in full
`my_pkg.my_file:Mine`) changes its type; the new spec keeps the fields that both classes have, but
not those at the old class's default, which nobody chose. Only classes that are already imported,
and that the field's declared type allows, can be named.
"""

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from ssgan.config.nearest import did_you_mean, nearest
from ssgan.config.schema import (
    Place,
    concrete_classes,
    field_hints,
    field_values,
    form_of,
    is_settings,
    kind_of,
    quote,
)
from ssgan.config.serialize import NO_ALIASES, Aliases, Reader, defaults
from ssgan.types import UserError

T = TypeVar("T")
_MAX_INT = 2**64  # nothing counts in more bits
_MAX_BYTES = 64 * 2**20  # of a file of settings; a real one has some thousands


def merge(config: T, changes: Mapping[str, object], where: str, aliases: Aliases = NO_ALIASES) -> T:
    """A copy of `config` with `changes`; `config` itself if there are none.

    `where` ends the messages: the name of the file that holds the changes, or `--` for flags,
    which are then named one by one. Raises UserError for an unknown name, a wrong type, a class
    that does not fit, and whatever a class refuses about its own fields.
    """
    merged = _Merger(aliases).spec((type(config),), changes, Place("", where, config), config)
    return cast(T, merged)


class _Merger(Reader):
    """Reads tables of changes: whatever they lack stays at its present value or default."""

    def value(self, hint: Any, value: object, place: Place, current: object = None) -> Any:
        form = form_of(hint)
        if isinstance(value, str) and value == "none" and form.optional:
            value = None
        elif value is None and place.is_flag and not form.optional:
            value = "none"  # the word itself, where None is no choice
        if form.named and not isinstance(value, Mapping) and value is not None:
            names = field_hints(form.named)
            if not isinstance(value, list | tuple) or len(value) != len(names):
                raise place.error(f"must be [{', '.join(names)}], not {quote(value)}")
            value = dict(zip(names, value, strict=True))
        found = super().value(hint, value, place, current)
        if isinstance(found, int) and not -_MAX_INT <= found < _MAX_INT:
            raise place.error(f"must be a whole number below 2^64, not {quote(found)}")
        return found

    def spec(
        self, declared: tuple[type, ...], value: object, place: Place, current: object
    ) -> object:
        if is_settings(value) and isinstance(value, declared):
            return value
        table = {"kind": value} if isinstance(value, str) else value
        if not isinstance(table, Mapping):
            wanted = _names(concrete_classes(declared))
            raise place.error(f"must be one of {wanted}, or a table, not {quote(value)}")
        owner = type(current)
        if "kind" in table:
            owner = self.owner(declared, table["kind"], place)
        elif not is_settings(current):
            raise place.error(f'needs a "kind", one of {_names(concrete_classes(declared))}')
        changes = {str(name): change for name, change in table.items() if name != "kind"}
        if owner is type(current) and not changes:
            return current
        return self.fields(owner, changes, place, current)

    def present(self, owner: type, current: object) -> dict[str, object]:
        """The fields of a new `owner` before any change: its defaults, and those it keeps."""
        if type(current) is owner:
            return field_values(current)
        hints, present, old = field_hints(owner), defaults(owner), defaults(type(current))
        shared = {n: value for n, value in field_values(current).items() if n in hints}
        for name, value in shared.items():
            if name in present and name in old and value == old[name]:
                continue  # nobody chose it, and the new class may know better
            with suppress(UserError):  # the new class may mean something else by this name
                present[name] = self.value(hints[name], value, Place("", "", None))
        return present

    def owner(self, declared: tuple[type, ...], kind: object, place: Place) -> type:
        """The class that `kind` names, in short or in full, among those the field may hold."""
        choices = concrete_classes(declared)
        if isinstance(kind, str):
            renamed = {new for old, new in self.aliases.kinds.items() if old.endswith(f":{kind}")}
            renamed.add(self.aliases.kind(kind))
            matches = [owner for owner in choices if kind in (owner.__name__, kind_of(owner))]
            matches = matches or [owner for owner in choices if kind_of(owner) in renamed]
            if len(matches) == 1:
                return matches[0]
            if matches:
                full = ", ".join(kind_of(owner) for owner in matches)
                raise place.error(f"{kind!r} is the name of several classes: {full}")
        name = kind.rpartition(":")[2] if isinstance(kind, str) else ""
        near = nearest(name, [owner.__name__ for owner in choices])
        choices.sort(key=lambda owner: owner.__name__ not in near)
        hint = f"; {did_you_mean(near)}" if near else ""
        raise place.error(f"must be one of {_names(choices)}, not {quote(kind)}{hint}")


def _names(choices: list[type]) -> str:
    return ", ".join(owner.__name__ for owner in choices) or "none (no class is imported)"


def from_flags(argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The settings among the arguments, as a nested table, and the arguments that are none.

    A setting is `--a.b value` or `--a.b=value`; what follows a lone `--` is none. A value is read
    as TOML (`1e-4`, `true`, `[1, 2]`, `"5"`), `none` as None, and anything else as text.
    `--method GAN --method.alpha 1` is one table with a kind.
    """
    changes: dict[str, Any] = {}
    rest: list[str] = []
    waiting = list(reversed(argv))
    while waiting:
        word = waiting.pop()
        if word == "--":
            rest.extend(reversed(waiting))
            break
        if not word.startswith("--"):
            rest.append(word)
            continue
        flag, equals, text = word.partition("=")
        if not equals:
            if not waiting or waiting[-1].startswith("--"):
                raise UserError(f"{flag} needs a value")
            text = waiting.pop()
        _enter(changes, flag, _parse_value(text))
    return changes, rest


def _enter(changes: dict[str, Any], flag: str, value: object) -> None:
    """Enter a flag's value into the nested table."""
    *names, last = flag.removeprefix("--").split(".")
    if not all((*names, last)):
        raise UserError(f"{flag} is not the path of a setting, such as --method.alpha")
    table = changes
    for name in names:
        inner = table.setdefault(name, {})
        if isinstance(inner, str):  # the name of a class, then settings of it
            inner = table[name] = {"kind": inner}
        if not isinstance(inner, dict):
            raise UserError(f"{flag}: a value for the whole of {name!r} is given as well")
        table = inner
    if isinstance(table.get(last), dict) and isinstance(value, str):
        table, last = table[last], "kind"
    if last in table:
        raise UserError(f"{flag} is given twice")
    table[last] = value


def _parse_value(text: str) -> object:
    if text == "none":
        return None
    number = re.sub(r"^([+-]?)\.(?=\d)", r"\g<1>0.", text)  # .5 is no TOML
    try:
        table = tomllib.loads(f"x = {number}")
    except (ValueError, RecursionError):
        return text
    plain = isinstance(table["x"], str | bool | int | float | list | dict)
    return table["x"] if plain and table.keys() == {"x"} else text


def read_toml(path: Path | str) -> dict[str, Any]:
    """The table in a TOML file; UserError, with the line, when there is none to be read."""
    table: dict[str, Any] = _read(path, "TOML", tomllib.loads)
    return table


def read_json(path: Path | str) -> dict[str, Any]:
    """The table in a JSON file; a name given twice and NaN are refused, as broken syntax is."""
    table = _read(path, "JSON", _parse_json)
    if not isinstance(table, dict):
        raise UserError(f"{path} must hold a table of settings")
    return table


def _read(path: Path | str, form: str, parse: Callable[[str], Any]) -> Any:
    """What `parse` finds in a file, each of its complaints in one line."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)  # a pipe has no size to check before
        if len(content) > _MAX_BYTES:
            raise UserError(f"{path} is larger than 64 MiB: that is no file of settings")
        if b"\0" in content:  # no text in UTF-8 has one
            raise UserError(f"{path} is no text in UTF-8, perhaps in UTF-16: save it as UTF-8")
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text in UTF-8: byte {error.start} is wrong") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{str(path)!r} is not the name of a file: {error}") from error
    try:
        return parse(text)
    except RecursionError:
        problem = "too deeply nested"
    except ValueError as error:
        end = f"end of document, line {text.count(chr(10)) + 1}"
        problem = " ".join(str(error).split()).replace("end of document", end)
    raise UserError(f"{path} is not valid {form}: {problem}")


def _parse_json(text: str) -> object:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{twice[0]!r} is given twice")
        return dict(pairs)

    def refuse(name: str) -> object:
        raise ValueError(f"{name} is no number")

    return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
