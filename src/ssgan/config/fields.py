"""What a settings class declares: its fields, their types, the classes a field may hold.

A *spec* is a frozen dataclass, or an abstract class whose concrete subclasses are frozen
dataclasses. A setting is a field of a spec or of a NamedTuple inside one.
"""

import dataclasses
import inspect
import types
from abc import ABC, ABCMeta
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

_ADDED = "added"


class Found(NamedTuple):
    """One setting of a config, met on a walk."""

    path: str  # dotted, from the root
    owner: type  # the spec or NamedTuple it is a field of
    name: str  # the last part of the path
    hint: Any  # the declared type
    value: object


def field_hints(owner: Any) -> dict[str, Any]:
    """The settable fields of a dataclass or NamedTuple class, with their declared types."""
    return _field_hints(owner)


@lru_cache(maxsize=1024)
def _field_hints(owner: Any) -> dict[str, Any]:
    hints = get_type_hints(owner, include_extras=True)
    if is_named_tuple(owner):
        return {name: hints[name] for name in owner._fields}
    if not dataclasses.is_dataclass(owner):
        return {}
    return {field.name: hints[field.name] for field in dataclasses.fields(owner) if field.init}


def added(default: Any) -> Any:
    """A setting that came later. Files from before it lack it, and mean the default.

    So the default must be what was done before. Every other setting must be in a stored file.
    """
    return dataclasses.field(default=default, metadata={_ADDED: True})


def as_before(value: object) -> set[str]:
    """The settings of a spec that came later and have their default: what a file may lack."""
    fields = dataclasses.fields(value) if is_settings(value) else ()  # type: ignore[arg-type]
    return {
        field.name
        for field in fields
        if _ADDED in field.metadata and getattr(value, field.name) == field.default
    }


def required(owner: Any) -> list[str]:
    """The settings that a stored file must have a value for."""
    fields = dataclasses.fields(owner) if dataclasses.is_dataclass(owner) else ()
    later = {field.name for field in fields if _ADDED in field.metadata}
    return [name for name in field_hints(owner) if name not in later]


def alternatives(hint: Any) -> tuple[tuple[Any, ...], bool]:
    """The types a union offers besides None, and whether it offers None."""
    if get_origin(hint) not in (Union, types.UnionType):
        return ((), True) if hint in (None, type(None)) else ((hint,), False)
    arms = get_args(hint)
    return tuple(arm for arm in arms if arm is not type(None)), type(None) in arms


def spec_types(hint: Any) -> tuple[type, ...]:
    """The declared spec classes of a field; empty when it holds anything else."""
    arms, _ = alternatives(hint)
    return arms if all(is_spec(arm) for arm in arms) else ()


def is_spec(hint: Any) -> bool:
    """Whether a declared type is a class of settings, abstract or not."""
    return isinstance(hint, type) and (
        dataclasses.is_dataclass(hint) or (isinstance(hint, ABCMeta) and not is_named_tuple(hint))
    )


def is_named_tuple(hint: Any) -> bool:
    """Whether a declared type is a NamedTuple class."""
    return isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields")


def named_tuple(hint: Any) -> type | None:
    """The NamedTuple class of a field; None when it holds anything else."""
    arms, _ = alternatives(hint)
    return arms[0] if len(arms) == 1 and is_named_tuple(arms[0]) else None


def tuple_items(hint: Any) -> tuple[Any, ...] | None:
    """The arguments of a tuple type that holds specs or NamedTuples; None for any other type."""
    arms, _ = alternatives(hint)
    if len(arms) != 1 or get_origin(arms[0]) is not tuple:
        return None
    items = get_args(arms[0])
    return items if any(spec_types(item) or named_tuple(item) for item in items) else None


def is_settings(value: object) -> bool:
    """Whether a value is an instance of a dataclass."""
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def kind_of(owner: type) -> str:
    """The full name of a class: `module:QualName`."""
    return f"{owner.__module__}:{owner.__qualname__}"


def is_concrete(owner: type) -> bool:
    """Whether a class is a frozen dataclass that can be built."""
    parameters = vars(owner).get("__dataclass_params__")
    return (
        parameters is not None
        and parameters.frozen
        and not inspect.isabstract(owner)
        and ABC not in owner.__bases__
    )


def concrete_classes(declared: tuple[type, ...]) -> list[type]:
    """Every imported class that a field of these types may hold, in order of import."""
    found: dict[str, type] = {}
    waiting = list(reversed(declared))
    while waiting:
        owner = waiting.pop()
        if is_concrete(owner):
            found[kind_of(owner)] = owner
        waiting.extend(reversed(owner.__subclasses__()))
    return list(found.values())


def walk(config: object, prefix: str = "") -> Iterator[Found]:
    """Every setting of a config, depth first, each table before what is in it."""
    owner = type(config)
    for name, hint in field_hints(owner).items():
        value = getattr(config, name)
        path = f"{prefix}.{name}" if prefix else name
        yield Found(path, owner, name, hint, value)
        if is_settings(value) or is_named_tuple(type(value)):
            yield from walk(value, path)


def type_text(hint: Any) -> str:
    """A declared type in words: `int`, `tuple[int, int]`, `float or none`, `crop | pad`."""
    arms, optional = alternatives(hint)
    if optional or len(arms) > 1:
        return " or ".join([type_text(arm) for arm in arms] + ["none"] * optional)
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
    """A setting's value as it would be typed; a spec by the name of its class."""
    if is_settings(value):
        return type(value).__name__
    if isinstance(value, tuple | list):
        return f"[{', '.join(value_text(item) for item in value)}]"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)
