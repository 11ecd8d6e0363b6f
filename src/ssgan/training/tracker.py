"""A copy of a run's log in wandb or trackio, whose functions have the same names.

A tracker is no setting: it changes neither the run nor its directory's name. Whatever a library
raises, the run continues without it after one warning. Its project and id are in tracker.json, so
that a continued run continues there, too.
"""

import importlib
import importlib.util
import inspect
import io
import logging
import os
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any, Literal, get_args

from PIL import Image

from ssgan.config.merge import read_json
from ssgan.config.serialize import dump
from ssgan.files.atomic import write_json
from ssgan.files.names import printable
from ssgan.files.run_directory import RunDirectory
from ssgan.runs.config import RunConfig
from ssgan.types import UserError

_LOG = logging.getLogger("ssgan")
Library = Literal["wandb", "trackio"]
_INSTALL = {"wandb": "pip install wandb", "trackio": "pip install 'ssgan[track]'"}
DEFAULT_PROJECT = "ssgan"
_NAME = re.compile(r"[\w.-]{1,128}", re.ASCII)
_SECONDS = 60  # that wandb may take to start, and to finish
_SECRET_NAME = re.compile("KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)  # of an environment variable
_SECRET = re.compile(r"[\w-]{32,}", re.ASCII)  # a key or token, or a word as long as one
_MOST_CHARACTERS = 200  # of a reason in a warning


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """Where a run is tracked, besides its directory; raises UserError without that library."""

    library: Library  # it must be installed
    project: str | None = None  # None: that of the run so far, else "ssgan"

    def __post_init__(self) -> None:
        if self.library not in get_args(Library):
            raise UserError(f"no tracker {self.library!r}; there are wandb and trackio")
        if self.project is not None and not _NAME.fullmatch(self.project):
            raise UserError(
                f"the project of a tracker must be 1 to 128 letters, digits, '.', '_' or '-', not "
                f"{self.project!r}"
            )
        if self.library not in sys.modules and importlib.util.find_spec(self.library) is None:
            raise UserError(f"{self.library} is not installed: {_INSTALL[self.library]}")


class Tracker:
    """One run in a tracker, from its start to `close`."""

    def __init__(self, tracking: Tracking, layout: RunDirectory, config: RunConfig) -> None:
        self._library, self._module = tracking.library, None
        self._try("start", lambda: self._start(tracking, layout, config))

    def _start(self, tracking: Tracking, layout: RunDirectory, config: RunConfig) -> None:
        project, name = _identify(tracking, layout)
        module: Any = importlib.import_module(self._library)
        words: dict[str, Any] = {"project": project, "name": name, "resume": "allow"}
        is_online = self._library == "wandb" and _require_login(module)
        if self._library == "wandb":
            settings = module.Settings(
                console="off", silent=True, init_timeout=_SECONDS, finish_timeout=_SECONDS
            )
            words |= {"id": name, "settings": settings}
            if "WANDB_DIR" not in os.environ:
                words["dir"] = str(layout.root)
        run = module.init(config=dump(config), **words)
        self._module = module
        where = f": {run.url}" if is_online else ""
        if self._library == "trackio":
            where = f": trackio show --project {project}"
        _LOG.info("tracked by %s: project %s, run %s%s", self._library, project, name, where)

    def log(self, step: int, values: Mapping[str, object]) -> None:
        """Values after a step, by name."""
        self._call("log", lambda module: module.log(dict(values), step=step))

    def log_image(self, step: int, name: str, image: Image.Image) -> None:
        """A picture after a step."""
        self._call("log", lambda module: module.log({name: module.Image(image)}, step=step))

    def close(self) -> None:
        """End the tracker's run; a later one with the same directory continues it."""
        self._call("finish", lambda module: module.finish())
        self._module = None

    def _call(self, what: str, work: Callable[[Any], object]) -> None:
        module = self._module
        if module is not None:
            self._try(what, lambda: work(module))

    def _try(self, what: str, work: Callable[[], object]) -> None:
        try:
            with redirect_stdout(io.StringIO()):  # trackio prints, and in colours
                work()
        except Exception as error:  # of whatever kind: it is not the run's
            self._module = None
            _LOG.warning(
                "%s cannot %s, and the run goes on without it: %s",
                *(self._library, what, _describe(error)),
            )


def _identify(tracking: Tracking, layout: RunDirectory) -> tuple[str, str]:
    """The project, and the name of this run in it: stored, or new and stored from here on."""
    try:
        table = read_json(layout.tracker) if layout.tracker.exists() else {}
    except UserError:  # damaged
        table = {}
    stored = table.get(tracking.library)
    found = stored if isinstance(stored, dict) else {}
    project, name = found.get("project"), found.get("id")
    whole = all(isinstance(word, str) and _NAME.fullmatch(word) for word in (project, name))
    if whole and tracking.project in (None, project):
        return str(project), str(name)
    project = tracking.project or DEFAULT_PROJECT
    folder = re.sub(r"[^\w.-]", "-", layout.root.resolve().name, flags=re.ASCII)[:64]
    name = f"{folder}-{secrets.token_hex(4)}"
    write_json(layout.tracker, {**table, tracking.library: {"project": project, "id": name}})
    return project, name


def _require_login(module: Any) -> bool:
    """Whether wandb is online; raises where it has no key then: the run would wait for one."""
    if module.setup().settings.mode != "online":
        return False
    asks_only = "prompt" not in inspect.signature(module.login).parameters  # before wandb 0.31
    if not (asks_only or module.login(prompt=False)):
        raise RuntimeError("not logged in: `wandb login` first, or set WANDB_MODE=offline")
    return True


def _describe(error: Exception) -> str:
    """One line without a key or token."""
    text = " ".join(str(error).split())
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name) and len(value) >= 6:
            text = text.replace(value, "***")
    text = printable(_SECRET.sub("***", text))
    return f"{type(error).__name__}: {text}"[:_MOST_CHARACTERS]
