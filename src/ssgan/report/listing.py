"""The run directories below a folder, and a summary of each from its small files alone."""

import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ssgan.config.merge import read_json
from ssgan.evaluation.selection_metric import SELECTION_METRICS
from ssgan.files import jsonl
from ssgan.files.locks import find_holder
from ssgan.files.names import readable
from ssgan.files.nesting import parse_json
from ssgan.files.run_directory import RunDirectory, parse_step
from ssgan.training.history import read_events
from ssgan.types import UserError

_DEEPEST = 20  # folders below the given one


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What the small files of a run directory say of it."""

    path: Path
    method: str
    data: str  # the notation of its images
    step: int  # the newest in its log
    total_steps: int
    health: str  # the verdict of the monitor
    score: str  # the name of the metric that chooses the best state
    best: float | None  # the lowest score; None: nothing was evaluated
    best_step: int | None
    changed: float  # when it last wrote a line, in seconds since 1970
    process: str | None  # that trains it now; None: none does
    finished: bool

    @property
    def command(self) -> str:
        """What continues it; of a finished run it says how to train longer."""
        return f"ssgan train {shlex.quote(str(self.path))}"

    def as_json(self, now: float) -> dict[str, object]:
        """The values for --json."""
        best = {"metric": self.score, "value": self.best, "step": self.best_step}
        return {
            "path": readable(self.path),
            "name": readable(self.path.name),
            **{name: getattr(self, name) for name in ("method", "data", "step", "total_steps")},
            "health": self.health,
            "best": None if self.best is None else best,
            "age_seconds": round(now - self.changed, 1),
            "process": self.process,
            "finished": self.finished,
            "continue": None if self.process else self.command,
        }


@dataclass
class FolderList:
    """The run directories below a folder, and the folders that hold none, with the reasons."""

    runs: list[Path] = field(default_factory=list)
    others: list[tuple[Path, str]] = field(default_factory=list)
    on_folder: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)


def find_runs(root: Path, on_folder: Callable[[], None] = lambda: None) -> FolderList:
    """Every run directory at or below a folder; links are followed to a run directory alone.

    `on_folder` is called before each folder that is searched.
    """
    found = FolderList(on_folder=on_folder)
    if _is_run(root):
        found.runs.append(root)
    elif not _search(root, found, 0):
        found.others += [(child, "holds no run") for child in _subfolders(root)]
    return found


def _search(folder: Path, found: FolderList, depth: int) -> bool:
    """Search below a folder; returns whether it holds a run."""
    found.on_folder()
    without, any_run = [], False
    for child in _subfolders(folder):
        if _is_run(child):
            found.runs.append(child)
        elif depth == _DEEPEST or child.is_symlink() or not _search(child, found, depth + 1):
            without.append((child, "holds no run"))
            continue
        any_run = True
    if any_run:
        found.others += without
    return any_run


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [one.name for one in entries if one.is_dir() and one.name[0] != "."]
    except OSError:  # not ours to read
        return []
    return [folder / name for name in sorted(names)]


def _is_run(folder: Path) -> bool:
    """Whether a folder holds a run, or is so named that a reason must be given."""
    try:
        return RunDirectory(folder).holds_run()
    except OSError:
        return False


def read_summary(path: Path) -> RunSummary:
    """What is known of a run without its checkpoints; UserError for what is not one of ours."""
    layout = RunDirectory(path)
    if not layout.config.exists():
        raise UserError("it has checkpoints and no config.json; `ssgan train` writes it again")
    table = read_json(layout.config)
    if not str(table.get("kind")).endswith(":RunConfig"):
        raise UserError("its config.json is not that of a run")
    try:
        method, data = _class_name(table["method"]), _class_name(table["data"]["source"])
        total_steps = int(table["total_steps"])
        score = SELECTION_METRICS[table.get("evaluate", {}).get("features", "random")]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"its config.json lacks a setting of a run ({error})") from None
    if layout.manifest.exists():
        data = str(read_json(layout.manifest).get("source", data))
    last = jsonl.read_last(layout.log)
    best_step, best = min(_scores(layout.metrics, score), key=lambda p: p[1], default=(None, None))
    saved = max(map(parse_step, layout.checkpoint_files()), default=0)
    step = last["step"] if last is not None else saved
    assert isinstance(step, int)
    return RunSummary(
        path=path,
        method=method,
        data=readable(data),
        step=step,
        total_steps=total_steps,
        health=_verdict(layout),
        score=score,
        best=best,
        best_step=best_step,
        changed=max(
            file.stat().st_mtime
            for file in (layout.config, layout.log, layout.metrics)
            if file.exists()
        ),
        process=find_holder(layout.lock),
        finished=saved >= total_steps,
    )


def _class_name(table: dict[str, object]) -> str:
    return str(table["kind"]).rpartition(":")[2]


def _verdict(layout: RunDirectory) -> str:
    """The monitor's, as its events say; a rollback is an event of the run, not a verdict."""
    events = [row for row in read_events(layout) if row.get("alarm") != "rolled back"]
    return str(events[-1]["verdict"]) if events else "too early to tell"


def _scores(path: Path, name: str) -> Iterator[tuple[int, float]]:
    """(step, value) of every line of that metric; no other line is parsed."""
    for line in jsonl.read_lines(path) if path.exists() else ():
        if name.encode() not in line:
            continue
        try:
            row = parse_json(line)
        except ValueError:  # a line that a killed process left
            continue
        if isinstance(row, dict) and row.get("name") == name:
            step, value = row.get("step"), row.get("value")
            if isinstance(step, int) and isinstance(value, float | int):
                yield step, float(value)
