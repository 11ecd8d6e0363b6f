"""A study on disk: table.md for people, results.json for programs, figure.png."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from ssgan.config.merge import read_json
from ssgan.files.atomic import write_atomic, write_json
from ssgan.files.environment import package_version
from ssgan.files.run_directory import ForgettingDirectory, RunDirectory
from ssgan.studies.jobs import FileJob, TrainingJob
from ssgan.studies.markdown import format_published
from ssgan.studies.options import StudyOptions
from ssgan.studies.rendering import Rendered
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.trial import Trial, list_jobs

_MACHINE = ("argv", "process")  # of environment.json, left out: no fact about the machine


class StudyOutput(NamedTuple):
    """What a study came to."""

    text: str  # what table.md holds, without the commands
    files: tuple[Path, ...]
    missing: tuple[str, ...]  # arms with the seeds that are not there


def write_study(
    study: Study, form: StudyScale, asked: StudyOptions, trials: Sequence[Trial]
) -> StudyOutput:
    """Draw what is there of the cells; raises UserError when it is of two protocols."""
    done = [trial for trial in trials if trial.done()]
    missing = _missing([trial for trial in trials if trial not in done])
    drawn = form.drawing.draw(done) if done else Rendered("Nothing is measured yet.")
    folder = asked.out / study.name
    folder.mkdir(parents=True, exist_ok=True)
    text = _page(study, form, asked, drawn, missing)
    commands = "".join(f"    {job.command}\n" for job in list_jobs(trials))
    files = [folder / "table.md", folder / "results.json"]
    write_atomic(files[0], f"{text}\n## Commands\n\n{commands}".encode())
    write_json(files[1], _facts(study, asked, trials, drawn, missing))
    if drawn.figure is not None:
        files.append(folder / "figure.png")
        write_atomic(files[-1], drawn.figure)
    return StudyOutput(text, tuple(files), missing)


def _missing(trials: Sequence[Trial]) -> tuple[str, ...]:
    seeds: dict[str, list[int]] = {}
    for trial in trials:
        seeds.setdefault(trial.variant.title, []).append(trial.seed)
    return tuple(f"{title}: seed {', '.join(map(str, own))}" for title, own in seeds.items())


def _page(
    study: Study, form: StudyScale, asked: StudyOptions, drawn: Rendered, missing: Sequence[str]
) -> str:
    figure = ["![figure](figure.png)"] if drawn.figure is not None else []
    lost = [f"Missing: {'; '.join(missing)}."] if missing else []
    parts = [
        f"# {study.title}",
        f"## Measured ({asked.scale} scale)",
        f"Images: `{asked.data}`; held out: {f'`{asked.test}`' if asked.test else 'none'}.",
        *figure,
        drawn.tables,
        *lost,
        *map(format_published, form.drawing.published),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(
    study: Study,
    asked: StudyOptions,
    trials: Sequence[Trial],
    drawn: Rendered,
    missing: Sequence[str],
) -> dict[str, object]:
    """Everything that the numbers depend on, and the numbers, as JSON."""
    variants = {trial.variant.name: trial.variant for trial in trials}
    return {
        "study": study.name,
        "title": study.title,
        "asked": {**asdict(asked), "out": str(asked.out)},
        "ssgan": package_version("ssgan"),
        "arms": {
            name: {"label": variant.title, "of": variant.what(), "overrides": variant.overrides}
            for name, variant in variants.items()
        },
        "measured": dict(drawn.facts),
        "missing": list(missing),
        "runs": [_run(trial) for trial in trials],
        "commands": [job.command for job in list_jobs(trials)],
    }


def _run(trial: Trial) -> dict[str, object]:
    """Where a run is, and what it ran on: commit, versions, machine, threads."""
    facts: dict[str, object] = {"arm": trial.variant.name, "seed": trial.seed}
    layout: RunDirectory | ForgettingDirectory
    if isinstance(trial.training, TrainingJob):
        layout = RunDirectory(trial.training.root)
    else:
        assert isinstance(trial.training, FileJob)
        layout = ForgettingDirectory(trial.training.result.parent)
    known = read_json(layout.environment) if layout.environment.exists() else {}
    environment = {name: value for name, value in known.items() if name not in _MACHINE}
    return {**facts, "directory": str(layout.root), "environment": environment}
