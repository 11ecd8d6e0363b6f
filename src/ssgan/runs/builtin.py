"""Models that come with the package, by their names: `builtin:objects`.

Their files are in `ssgan/weights`. What a verb writes for one goes into a folder of the working
directory, for the package's own folder is not the user's; nor is the cache of the Hub's library.
"""

import re
from pathlib import Path

from ssgan.files.run_directory import find_run_of
from ssgan.types import UserError

_PREFIX, _SUFFIX = "builtin:", ".safetensors"
_FOLDER = Path(__file__).parents[1] / "weights"
_CACHED = re.compile(r".*/models--([^/]+)/snapshots/[0-9a-f]{40}")  # of a revision


def list_builtin() -> list[str]:
    """The names of all built-in models, sorted."""
    return sorted(file.stem for file in _FOLDER.glob(f"*{_SUFFIX}"))


def is_builtin(text: str) -> bool:
    """Whether the words name a built-in model, which need not exist."""
    return text.startswith(_PREFIX)


def find_builtin(path: Path) -> Path:
    """The file of `builtin:NAME`; any other path as it is.

    Raises UserError for a name that no built-in model has.
    """
    if not is_builtin(str(path)):
        return path
    name, names = str(path).removeprefix(_PREFIX), list_builtin()
    if name not in names:
        listed = ", ".join(f"{_PREFIX}{one}" for one in names)
        raise UserError(f"there is no built-in model {name!r}; there are {listed or 'none'}")
    return _FOLDER / f"{name}{_SUFFIX}"


def builtin_home(file: Path) -> Path | None:
    """The folder for what is written of a built-in model; None for any other file."""
    return Path(f"builtin-{file.stem}") if file.parent == _FOLDER else None


def _hub_home(file: Path) -> Path | None:
    """The same for a model in the cache of the Hub's library; None for any other file."""
    match = _CACHED.fullmatch(file.parent.as_posix())
    return None if match is None else Path(f"hub-{match[1].replace('--', '-')}")


def find_home(file: Path) -> Path:
    """Where output of a model's file goes: its run directory, else its folder.

    That of a built-in model, or of one of the Hub, goes into a folder of the working directory.
    """
    return find_run_of(file) or builtin_home(file) or _hub_home(file) or file.parent
