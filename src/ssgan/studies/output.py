"""A study's files: table.md for people, results.json for programs, figure.png."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from ssgan.config.merge import read_json
from ssgan.files.atomic import write_atomic, write_json
from ssgan.files.environment import package_version
from ssgan.files.run_directory import RunDirectory
from ssgan.studies.catalogue import Study, StudyScale
from ssgan.studies.options import StudyOptions
from ssgan.studies.rendering import Rendered, format_published
from ssgan.studies.trials import Trial, list_jobs

_NOT_MACHINE = ("argv", "process")  # keys of environment.json that do not describe the machine


class StudyOutput(NamedTuple):
    """The written results."""

    text: str  # table.md without the commands
    files: tuple[Path, ...]
    missing: tuple[str, ...]  # variants with their missing seeds


def write_study(
    study: Study, scale: StudyScale, options: StudyOptions, trials: Sequence[Trial]
) -> StudyOutput:
    """Render the finished trials; raises UserError when their protocols differ."""
    done = [trial for trial in trials if trial.is_done()]
    missing = _missing([trial for trial in trials if trial not in done])
    rendered = scale.renderer.render(done) if done else Rendered("Nothing is measured yet.")
    folder = options.out / study.name
    folder.mkdir(parents=True, exist_ok=True)
    text = _page(study, scale, options, rendered, missing)
    commands = "".join(f"    {job.command}\n" for job in list_jobs(trials))
    files = [folder / "table.md", folder / "results.json"]
    write_atomic(files[0], f"{text}\n## Commands\n\n{commands}".encode())
    write_json(files[1], _facts(study, options, trials, rendered, missing))
    if rendered.figure is not None:
        files.append(folder / "figure.png")
        write_atomic(files[-1], rendered.figure)
    return StudyOutput(text, tuple(files), missing)


def _missing(trials: Sequence[Trial]) -> tuple[str, ...]:
    seeds: dict[str, list[int]] = {}
    for trial in trials:
        seeds.setdefault(trial.variant.title, []).append(trial.seed)
    return tuple(f"{title}: seed {', '.join(map(str, own))}" for title, own in seeds.items())


def _page(
    study: Study,
    scale: StudyScale,
    options: StudyOptions,
    rendered: Rendered,
    missing: Sequence[str],
) -> str:
    figure = ["![figure](figure.png)"] if rendered.figure is not None else []
    lost = [f"Missing: {'; '.join(missing)}."] if missing else []
    parts = [
        f"# {study.title}",
        f"## Measured ({options.scale} scale)",
        f"Images: `{options.data}`; held out: {f'`{options.test}`' if options.test else 'none'}.",
        *figure,
        rendered.tables,
        *lost,
        *map(format_published, scale.renderer.published),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(
    study: Study,
    options: StudyOptions,
    trials: Sequence[Trial],
    rendered: Rendered,
    missing: Sequence[str],
) -> dict[str, object]:
    """The numbers and everything that they depend on, as JSON values."""
    variants = {trial.variant.name: trial.variant for trial in trials}
    return {
        "study": study.name,
        "title": study.title,
        "options": {**asdict(options), "out": str(options.out)},
        "ssgan": package_version("ssgan"),
        "variants": {
            name: {
                "label": variant.title,
                "recipe": variant.source_name,
                "overrides": variant.overrides,
            }
            for name, variant in variants.items()
        },
        "measured": dict(rendered.facts),
        "missing": list(missing),
        "runs": [_run(trial) for trial in trials],
        "commands": [job.command for job in list_jobs(trials)],
    }


def _run(trial: Trial) -> dict[str, object]:
    """A run's directory, and the commit, versions, machine and threads that it used."""
    root = trial.training.root
    environment = RunDirectory(root).environment  # has the same name in forgetting runs
    stored = read_json(environment) if environment.exists() else {}
    return {
        "variant": trial.variant.name,
        "seed": trial.seed,
        "directory": str(root),
        "environment": {name: fact for name, fact in stored.items() if name not in _NOT_MACHINE},
    }
