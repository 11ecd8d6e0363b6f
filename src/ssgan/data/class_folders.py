"""Classes from the folders of the images, and warnings about their layout."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ssgan.data.decoding.heif import HEIF_ENDINGS
from ssgan.data.scan import FoundFile, Listing
from ssgan.data.unsupported import HEIF_WAY, UNREAD
from ssgan.files.names import readable

_SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation", "eval"}


def assign_classes(found: Sequence[FoundFile]) -> tuple[tuple[str, ...], list[int] | None]:
    """The names of the classes and the class of every item.

    Without labels unless every usable item is in a folder. A rejected item beside the folders
    gets -1.
    """
    usable = [item for item in found if not item.reject]
    if any(_first(item) is None for item in usable):
        return (), None
    names = sorted({_first(item) or b"" for item in usable})
    number = {name: k for k, name in enumerate(names)}
    labels = [number.get(_first(item) or b"", -1) for item in found]
    return tuple(readable(name) for name in names), labels


def layout_warnings(
    path: str | None, content: Listing, classes: tuple[str, ...]
) -> tuple[str, ...]:
    """A sentence for each oddity of the layout that may be a mistake.

    Without a `path` the files are in an archive, which has no empty folders.
    """
    usable = [item for item in content.found if not item.reject]
    loose = [item for item in usable if _first(item) is None]
    folders = Counter(_first(item) for item in usable if _first(item) is not None)
    warnings = []
    if loose and folders:
        warnings.append(
            f"{_many(len(loose), 'image')} beside the {_many(len(folders), 'folder')} (the first: "
            f"{readable(loose[0].name)}), so there are no labels: for classes, put every image "
            "into the folder of its class"
        )
    elif len(classes) == 1:
        warnings.append(_one_class(_place(path), usable, classes[0]))
    elif classes and {name.lower() for name in classes} <= _SPLITS:
        warnings.append(
            f"the classes are named like splits ({', '.join(classes)}), and all are used together; "
            f"for one of them give {_place(path)}/{classes[0]}"
        )
    ours = {name.partition(b"/")[0] for name in content.passed_over}
    empty = _empty_folders(path, set(folders) | ours) if folders and path is not None else []
    if empty:
        warnings.append(
            f"no image in {_many(len(empty), 'folder')} (the first: {empty[0]}), "
            "so no class of that name"
        )
    unread = {ending: count for ending, count in content.others.items() if ending in UNREAD}
    if unread:
        listed = ", ".join(f"{count} {ending}" for ending, count in sorted(unread.items()))
        way = f"; {HEIF_WAY}" if set(unread) & set(HEIF_ENDINGS) else ""
        warnings.append(f"files in formats that are not read are ignored: {listed}{way}")
    return tuple(warnings)


def passed_over_notes(names: Sequence[bytes]) -> tuple[str, ...]:
    """A sentence on the output of ssgan among the images, if there is any."""
    if len(names) < 2:
        return tuple(f"{readable(name)} is output of ssgan and passed over" for name in names)
    return (f"{len(names):,} outputs of ssgan are passed over (the first: {readable(names[0])})",)


def _place(path: str | None) -> str:
    """The notation of the folder."""
    return "the unpacked folder:PATH" if path is None else f"folder:{readable(path)}"


def _one_class(place: str, usable: Sequence[FoundFile], name: str) -> str:
    """There is one class, or the class folders are one level too deep."""
    within = {item.name.split(b"/")[1] for item in usable if item.name.count(b"/") > 1}
    deep = all(item.name.count(b"/") > 1 for item in usable)
    if deep and len(within) > 1:
        return (
            f"all images are one level deeper, below {name}, so there is one class; to use its "
            f"{len(within)} folders as classes give {place}/{name}"
        )
    return (
        f"all images are in one folder, {name}, so there is one class; methods that use labels "
        "need two or more"
    )


def _empty_folders(path: str, used: set[bytes | None]) -> list[str]:
    root = Path(path)
    names = sorted(os.fsencode(entry.name) for entry in root.iterdir() if entry.is_dir())
    names = [n for n in names if not n.startswith(b".") and n != b"__MACOSX"]
    seen = {os.stat(root / os.fsdecode(n)).st_ino for n in used if n is not None}
    return [
        readable(n)
        for n in names
        if n not in used and os.stat(root / os.fsdecode(n)).st_ino not in seen
    ]


def _first(item: FoundFile) -> bytes | None:
    """The first-level folder of an item; None for an item beside the folders."""
    folder, slash, _ = item.name.partition(b"/")
    return folder if slash else None


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
