"""Parse the notation of a source on the command line, such as `folder:photos`."""

import os
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import Any
from urllib.parse import unquote

from ssgan.config.nearest import nearest
from ssgan.data.archives import Archive
from ssgan.data.base import AbstractSource
from ssgan.data.cifar10 import Cifar10
from ssgan.data.crops import Crops
from ssgan.data.folder import Folder
from ssgan.data.huggingface import Hub
from ssgan.data.npz import Npz
from ssgan.data.unsupported import find_way_out, names_archive
from ssgan.types import UserError

FORMS = (
    "folder:PATH, zip:PATH, tar:PATH, npz:PATH, cifar10[:PATH], cifar10-test[:PATH], "
    "hub:ID[@REV][#SPLIT][?label=COLUMN], objects, scenes, crops:K:SOURCE"
)


def parse_source(text: str) -> AbstractSource:
    """The source that `text` names; the path of a folder, zip, tar or .npz stands for itself.

    Paths become absolute and `~` the home folder, so the result does not depend on the current
    folder. Raises UserError for an unknown kind, with the nearest one.
    """
    kind, colon, rest = text.partition(":")
    read = _KINDS.get(kind)
    if read is not None and (colon or kind not in _VALUES):
        return read(rest)
    found = _from_path(text)
    if found is not None:
        return found
    if read is not None:
        raise UserError(f"{kind} requires a value: {kind}:{_VALUES[kind]}")
    near = nearest(kind.lower(), _KINDS)
    if near and os.sep not in kind:
        hint = f"did you mean {near[0]}{colon}{rest}?"
    elif os.path.isfile(os.path.expanduser(text)):
        way = find_way_out(text) or "give the folder that holds the images"
        hint = f"it is a file; {way}. Sources are {FORMS}"
    elif names_archive(text) or text.lower().endswith(".npz"):
        hint = f"there is no such file. Sources are {FORMS}"
    else:
        hint = f"there is no such folder. Sources are {FORMS}"
    raise UserError(f"no source {text!r}: {hint}")


def names_source(text: str) -> bool:
    """Whether `text` is the notation of a source with a place, such as `folder:photos`."""
    kind, colon, _ = text.partition(":")
    return bool(colon) and kind in _VALUES


def _from_path(text: str) -> AbstractSource | None:
    """The source in an existing folder or file; None for what is not read."""
    path = _absolute(text) if text else ""
    if os.path.isdir(path):
        return Folder(path)
    if os.path.isfile(path) and path.lower().endswith(".npz"):
        return Npz(path)
    return Archive(path) if os.path.isfile(path) and names_archive(path) else None


def _folder(rest: str) -> AbstractSource:
    if not rest:
        raise UserError("folder: requires a path, such as folder:photos")
    return _from_path(rest) or Folder(_absolute(rest))


def _file(kind: str, source: type[Archive] | type[Npz], rest: str) -> AbstractSource:
    if not rest:
        raise UserError(f"{kind}: requires a path, such as {kind}:photos.{kind}")
    return source(_absolute(rest))


def _cifar10(rest: str) -> Cifar10:
    return Cifar10(_absolute(rest) if rest else None)


def _hub(rest: str) -> AbstractSource:
    place, question, query = rest.rpartition("?")
    folder, _, split = rest.rpartition("#")
    named = "?" in folder and "?" not in split and _is_folder(folder)
    if not question or named or _is_folder(rest):
        return _hub_place(rest)  # a local folder may have the signs in its name
    query, sign, split = query.partition("#")
    return replace(_hub_place(f"{place}{sign}{split}"), **_columns(query))


def _hub_place(rest: str) -> Hub:
    folder, _, split = rest.rpartition("#")
    for path, part in ((rest, ""), (folder, split)):
        if _is_folder(path):
            return Hub(_absolute(path), split=part or "train")
    rest, _, split = rest.partition("#")
    id_, _, revision = rest.partition("@")
    if not id_:
        raise UserError("hub: requires the id of a data set, such as hub:uoft-cs/cifar10")
    if id_.startswith("~") or _is_folder(id_):
        id_ = _absolute(id_)
    return Hub(id_, revision=revision or None, split=split or "train")


def _columns(query: str) -> dict[str, Any]:
    """What `label=COLUMN&image=COLUMN&stream` chooses, as settings of `Hub`."""
    chosen: dict[str, Any] = {}
    for part in query.split("&"):
        key, _, column = part.partition("=")
        if part == "stream":
            chosen["stream"] = True
            continue
        if key not in ("label", "image"):
            near = nearest(key, ("label", "image", "stream"))
            hint = f"did you mean {near[0]}?" if near else "after ? come label, image and stream"
            raise UserError(f"hub: no choice {key!r}; {hint}, as in 'hub:ID?label=COLUMN'")
        if not column:
            raise UserError(f"hub: {key} requires the name of a column: {key}=COLUMN")
        if f"{key}_column" in chosen:
            raise UserError(f"hub: {key} has two values")
        chosen[f"{key}_column"] = unquote(column)
    return chosen


def _crops(rest: str) -> AbstractSource:
    count, colon, source = rest.partition(":")
    if not (count.isascii() and count.isdigit()) or not colon:
        raise UserError(
            f"crops: requires a number and a source, as in crops:8:folder:PATH, not {rest!r}"
        )
    return Crops(parse_source(source), int(count[:20]))


def _rendered(kind: str, rest: str) -> AbstractSource:
    from ssgan.data.scenes.source import Objects, Scenes

    source = Objects if kind == "objects" else Scenes
    names = [field.name for field in fields(source)]
    settings: dict[str, int] = {}
    for part in rest.split(",") if rest else []:
        name, _, value = part.partition("=")
        if name not in names:
            near = nearest(name, names)
            hint = f"did you mean {near[0]}?" if near else f"settings are {', '.join(names)}"
            raise UserError(f"{kind}: no setting {name!r}; {hint}")
        if name in settings:
            raise UserError(f"{kind}: {name} has two values")
        try:
            settings[name] = int(value)
        except ValueError:
            raise UserError(f"{kind}: {name} must be an integer, not {value!r}") from None
    return source(**settings)


def _is_folder(path: str) -> bool:
    return os.path.isdir(os.path.expanduser(path))


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


_VALUES = {
    "folder": "PATH",
    "zip": "PATH",
    "tar": "PATH",
    "npz": "PATH",
    "hub": "ID",
    "crops": "K:SOURCE",
}
_KINDS: dict[str, Callable[[str], AbstractSource]] = {
    "folder": _folder,
    "zip": partial(_file, "zip", Archive),
    "tar": partial(_file, "tar", Archive),
    "npz": partial(_file, "npz", Npz),
    "cifar10": _cifar10,
    "cifar10-test": lambda rest: replace(_cifar10(rest), split="test"),
    "hub": _hub,
    "objects": partial(_rendered, "objects"),
    "scenes": partial(_rendered, "scenes"),
    "crops": _crops,
}
