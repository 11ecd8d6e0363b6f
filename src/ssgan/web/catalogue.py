"""The runs that the page shows: each has an id, and a summary that is read again when it changed.

The page sends ids and never a path. An id is known only while the run is below the folder.
"""

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from ssgan.files.names import readable
from ssgan.files.run_directory import RunDirectory
from ssgan.report.comparison import open_run
from ssgan.report.listing import find_runs, read_summary
from ssgan.runs.config import RunConfig

_SEARCH_SECONDS = 10.0  # between searches for new runs; changes of known ones are seen at once
_LOCK_SECONDS = 10.0  # between checks of the lock of a run whose files do not change
_MOST_REASONS = 20


class UnknownId(Exception):  # noqa: N818 - names the answer
    """No run, state, picture or job has this id."""


@dataclass
class _Entry:
    """What is known of one run."""

    path: Path
    name: str  # its path below the folder, as `ssgan runs` shows it
    state: tuple[object, ...] = ()  # of its files when they were read
    read_at: float = 0.0  # on the monotonic clock
    row: dict[str, Any] = field(default_factory=dict)


class RunCatalogue:
    """The runs at or below a folder. Several threads use it."""

    def __init__(self, root: Path, trusted_modules: Sequence[str] = ()) -> None:
        self.root, self.trusted_modules = root, tuple(trusted_modules)
        self._entries: dict[str, _Entry] = {}
        self._others: list[str] = []
        self._searched = -_SEARCH_SECONDS
        self._lock = Lock()

    def refresh(self) -> list[dict[str, Any]]:
        """The rows of all runs, the newest first, as JSON."""
        now = time.monotonic()
        with self._lock:
            if now - self._searched >= _SEARCH_SECONDS:
                self._search()
                self._searched = now
            for entry in self._entries.values():
                _update(entry, now)
            rows = [{"id": run_id, **entry.row} for run_id, entry in self._entries.items()]
        return sorted(rows, key=lambda row: (-row["changed"], row["name"]))

    def describe_others(self) -> list[str]:
        """Folders that are not listed, each with the reason."""
        return self._others

    def find(self, run_id: str) -> RunDirectory:
        """The directory of a run; raises UnknownId."""
        with self._lock:
            if run_id not in self._entries:
                self._search()
            if run_id not in self._entries:
                raise UnknownId("no such run here; it may have been moved or removed")
            return RunDirectory(self._entries[run_id].path)

    def read_config(self, layout: RunDirectory) -> RunConfig:
        """The settings of a run; raises UserError for what is none of ours."""
        return open_run(layout.root, self.trusted_modules).config

    def _search(self) -> None:
        found = find_runs(self.root) if self.root.is_dir() else None
        paths = [] if found is None else found.runs
        known = {_make_id(self.root, path): path for path in paths}
        self._entries = {
            run_id: self._entries.get(run_id) or _Entry(path, _name_run(self.root, path))
            for run_id, path in known.items()
        }
        others = [] if found is None else found.others
        self._others = [f"{readable(path)} ({why})" for path, why in others[:_MOST_REASONS]]


def _name_run(root: Path, path: Path) -> str:
    return readable(path.resolve().name if path == root else path.relative_to(root))


def _make_id(root: Path, path: Path) -> str:
    """16 hexadecimal digits that stay the same as long as the run has its place."""
    name = os.fsencode(os.path.relpath(path, root))
    return hashlib.sha256(name).hexdigest()[:16]


def _update(entry: _Entry, now: float) -> None:
    """Read the summary of a run again where its files have changed."""
    layout = RunDirectory(entry.path)
    state = _read_state(layout)
    lock_is_old = entry.row.get("process") and now - entry.read_at >= _LOCK_SECONDS
    if state == entry.state and not lock_is_old:
        return
    entry.state, entry.read_at = state, now
    try:
        summary = read_summary(entry.path)
        row = summary.as_json(summary.changed)
        del row["age_seconds"]
        row |= {"changed": summary.changed, "error": None}
    except Exception as error:  # whatever a damaged file raises: the other runs are shown
        newest = max((one[0] for one in state if one), default=0)
        row = {**_UNREADABLE, "changed": newest / 1e9, "error": " ".join(str(error).split())}
        row["path"] = readable(entry.path)
    entry.row = {**row, "name": entry.name}


_UNREADABLE = {
    **dict.fromkeys(("method", "data", "health", "best", "process", "continue")),
    "step": 0,
    "total_steps": 0,
    "finished": False,
}


def _read_state(layout: RunDirectory) -> tuple[tuple[int, int] | None, ...]:
    """Time of change in ns and size of the small files; other content changes one of them."""
    owner = layout.lock.with_name(f"{layout.lock.name}.owner")
    found: list[tuple[int, int] | None] = []
    for path in (
        layout.config,
        layout.log,
        layout.metrics,
        layout.events,
        layout.checkpoints,
        owner,
    ):
        try:
            status = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_mtime_ns, status.st_size))
    return tuple(found)
