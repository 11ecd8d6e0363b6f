"""A study's files: table.md for people, results.json for programs, figure.png."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from ssgan.config.merge import read_json
from ssgan.files.atomic import write_atomic, write_json
from ssgan.files.environment import package_version
from ssgan.files.links import refuse_links
from ssgan.files.run_directory import RunDirectory
from ssgan.studies.catalogue import Study, StudyScale
from ssgan.studies.options import StudyOptions
from ssgan.studies.rendering import Rendered, format_published, join_parts
from ssgan.studies.trials import Trial, list_jobs
from ssgan.studies.variants import AbstractVariant

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
    refuse_links(options.out, folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = join_parts(
        f"# {study.title}",
        f"## Measured ({options.scale} scale)",
        f"Images: `{options.data}`; held out: {f'`{options.test}`' if options.test else 'none'}.",
        "![figure](figure.png)" if rendered.figure is not None else "",
        rendered.tables,
        f"Missing: {'; '.join(missing)}." if missing else "",
        *map(format_published, scale.renderer.published),
    )
    commands = [job.command for job in list_jobs(trials)]
    facts = {
        "study": study.name,
        "title": study.title,
        "options": {**asdict(options), "out": str(options.out)},
        "ssgan": package_version("ssgan"),
        "variants": {trial.variant.name: _variant(trial.variant) for trial in trials},
        "measured": dict(rendered.facts),
        "missing": missing,
        "runs": [_run(trial) for trial in trials],
        "commands": commands,
    }
    files = [folder / "table.md", folder / "results.json"]
    listing = "".join(f"    {command}\n" for command in commands)
    write_atomic(files[0], f"{text}\n\n## Commands\n\n{listing}".encode("utf-8", "surrogateescape"))
    write_json(files[1], facts)
    if rendered.figure is not None:
        files.append(folder / "figure.png")
        write_atomic(files[-1], rendered.figure)
    return StudyOutput(f"{text}\n", tuple(files), tuple(missing))


def _missing(trials: Sequence[Trial]) -> list[str]:
    seeds: dict[str, list[int]] = {}
    for trial in trials:
        seeds.setdefault(trial.variant.title, []).append(trial.seed)
    return [f"{title}: seed {', '.join(map(str, own))}" for title, own in seeds.items()]


def _variant(variant: AbstractVariant) -> dict[str, object]:
    return {
        "label": variant.title,
        "recipe": variant.source_name,
        "overrides": variant.overrides,
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
