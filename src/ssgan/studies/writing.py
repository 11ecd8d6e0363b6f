"""A study on disk: table.md for people, results.json for programs, figure.png."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from ssgan.config.read import read_json
from ssgan.files.atomic import write_atomic, write_json
from ssgan.files.environment import package_version
from ssgan.files.layout import ForgettingLayout, RunLayout
from ssgan.studies.cell import Cell, jobs_of
from ssgan.studies.drawing import Drawn
from ssgan.studies.job import Making, Training
from ssgan.studies.markdown import published
from ssgan.studies.request import Request
from ssgan.studies.study import Form, Study

_MACHINE = ("argv", "process")  # of environment.json, left out: no fact about the machine


class Written(NamedTuple):
    """What a study came to."""

    text: str  # what table.md holds, without the commands
    files: tuple[Path, ...]
    missing: tuple[str, ...]  # arms with the seeds that are not there


def write_study(study: Study, form: Form, asked: Request, cells: Sequence[Cell]) -> Written:
    """Draw what is there of the cells; raises UserError when it is of two protocols."""
    done = [cell for cell in cells if cell.done()]
    missing = _missing([cell for cell in cells if cell not in done])
    drawn = form.drawing.draw(done) if done else Drawn("Nothing is measured yet.")
    folder = asked.out / study.name
    folder.mkdir(parents=True, exist_ok=True)
    text = _page(study, form, asked, drawn, missing)
    commands = "".join(f"    {job.command}\n" for job in jobs_of(cells))
    files = [folder / "table.md", folder / "results.json"]
    write_atomic(files[0], f"{text}\n## Commands\n\n{commands}".encode())
    write_json(files[1], _facts(study, asked, cells, drawn, missing))
    if drawn.figure is not None:
        files.append(folder / "figure.png")
        write_atomic(files[-1], drawn.figure)
    return Written(text, tuple(files), missing)


def _missing(cells: Sequence[Cell]) -> tuple[str, ...]:
    seeds: dict[str, list[int]] = {}
    for cell in cells:
        seeds.setdefault(cell.arm.title, []).append(cell.seed)
    return tuple(f"{title}: seed {', '.join(map(str, own))}" for title, own in seeds.items())


def _page(study: Study, form: Form, asked: Request, drawn: Drawn, missing: Sequence[str]) -> str:
    figure = ["![figure](figure.png)"] if drawn.figure is not None else []
    lost = [f"Missing: {'; '.join(missing)}."] if missing else []
    parts = [
        f"# {study.title}",
        f"## Measured ({asked.scale} scale)",
        f"Images: `{asked.data}`; held out: {f'`{asked.test}`' if asked.test else 'none'}.",
        *figure,
        drawn.tables,
        *lost,
        *map(published, form.drawing.published),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(
    study: Study, asked: Request, cells: Sequence[Cell], drawn: Drawn, missing: Sequence[str]
) -> dict[str, object]:
    """Everything that the numbers depend on, and the numbers, as JSON."""
    arms = {cell.arm.name: cell.arm for cell in cells}
    return {
        "study": study.name,
        "title": study.title,
        "asked": {**asdict(asked), "out": str(asked.out)},
        "ssgan": package_version("ssgan"),
        "arms": {
            name: {"label": arm.title, "of": arm.what(), "overrides": arm.overrides}
            for name, arm in arms.items()
        },
        "measured": dict(drawn.facts),
        "missing": list(missing),
        "runs": [_run(cell) for cell in cells],
        "commands": [job.command for job in jobs_of(cells)],
    }


def _run(cell: Cell) -> dict[str, object]:
    """Where a run is, and what it ran on: commit, versions, machine, threads."""
    facts: dict[str, object] = {"arm": cell.arm.name, "seed": cell.seed}
    layout: RunLayout | ForgettingLayout
    if isinstance(cell.training, Training):
        layout = RunLayout(cell.training.root)
    else:
        assert isinstance(cell.training, Making)
        layout = ForgettingLayout(cell.training.result.parent)
    known = read_json(layout.environment) if layout.environment.exists() else {}
    environment = {name: value for name, value in known.items() if name not in _MACHINE}
    return {**facts, "directory": str(layout.root), "environment": environment}
