"""Settings as they are written: flags of the command line, TOML files, JSON files."""

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssgan.types import UserError

_MOST_BYTES = 64 * 2**20  # of a file of settings; a real one has some thousands


def from_flags(argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The settings among the arguments, as a nested table, and the arguments that are none.

    A setting is `--a.b value` or `--a.b=value`; what follows a lone `--` is none. A value is read
    as TOML (`1e-4`, `true`, `[1, 2]`, `"5"`), `none` as None, and anything else as it stands.
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
        _put(changes, flag, _value(text))
    return changes, rest


def _put(changes: dict[str, Any], flag: str, value: object) -> None:
    """Enter a flag's value into the nested table."""
    names = flag.removeprefix("--").split(".")
    if not all(names):
        raise UserError(f"{flag} is not the path of a setting, such as --method.alpha")
    table = changes
    for name in names[:-1]:
        inner = table.setdefault(name, {})
        if isinstance(inner, str):  # the name of a class, then settings of it
            inner = table[name] = {"kind": inner}
        if not isinstance(inner, dict):
            raise UserError(f"{flag}: a value for the whole of {name!r} is given as well")
        table = inner
    last = names[-1]
    if isinstance(table.get(last), dict) and isinstance(value, str):
        table, last = table[last], "kind"
    if last in table:
        raise UserError(f"{flag} is given twice")
    table[last] = value


def _value(text: str) -> object:
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
    text = _text(path)
    try:
        return tomllib.loads(text)
    except ValueError as error:
        last = f"end of document, line {text.count(chr(10)) + 1}"
        message = _one_line(error).replace("end of document", last)
        raise UserError(f"{path} is not valid TOML: {message}") from error
    except RecursionError:
        raise UserError(f"{path} is not valid TOML: too deeply nested") from None


def read_json(path: Path | str) -> dict[str, Any]:
    """The table in a JSON file; a name given twice and NaN are refused, as broken syntax is."""
    text = _text(path)
    try:
        table = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {_one_line(error)}") from error
    except RecursionError:
        raise UserError(f"{path} is not valid JSON: too deeply nested") from None
    if not isinstance(table, dict):
        raise UserError(f"{path} must hold a table of settings")
    return table


def _text(path: Path | str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MOST_BYTES + 1)  # a pipe has no size to be asked for
        if len(content) > _MOST_BYTES:
            raise UserError(f"{path} is larger than 64 MiB: that is no file of settings")
        return content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text in UTF-8: byte {error.start} is wrong") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{str(path)!r} is not the name of a file: {error}") from error


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice")
    return table


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
