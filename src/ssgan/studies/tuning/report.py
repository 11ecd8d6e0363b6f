"""A search's files: table.md, results.json, best.toml, history.svg and importance.svg."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from ssgan.config.merge import from_flags
from ssgan.config.serialize import flatten
from ssgan.files.atomic import write_atomic, write_json
from ssgan.files.environment import package_version
from ssgan.plots.search import ScoredTrial, draw_history, draw_importances
from ssgan.studies.rendering import format_number, join_parts, markdown
from ssgan.studies.tuning.confirm import Confirmation, confirmation_facts, format_confirmation
from ssgan.studies.tuning.sampler import FEWEST
from ssgan.studies.tuning.space import Choices, Space, format_toml
from ssgan.studies.tuning.trials import (
    ENDED,
    Search,
    TuningTrial,
    build_jobs,
    find_best,
    train_words,
)

_LISTED = 10  # of the best trials
BEST = "best.toml"


def write_report(
    search: Search,
    trials: Sequence[TuningTrial],
    importances: Mapping[str, float],
    confirmation: Confirmation | None,
) -> tuple[str, list[Path]]:
    """Write all files; returns the text of table.md and their paths."""
    out, best = search.out, find_best(trials)
    recipe = next((one.score for one in trials if one.number == 0), None)
    text = format_report(search, trials, importances, confirmation)
    facts = {
        "ssgan": package_version("ssgan"),
        "options": asdict(search.options),
        "space": space_facts(search.space),
        "trials": [{**asdict(one), "command": _command(search, one)} for one in trials],
        "best": best[0].number if best else None,
        "recipe_score": recipe,
        "importances": dict(importances),
        "confirmed": confirmation_facts(confirmation) if confirmation else [],
    }
    files = [out / "table.md", out / "results.json", out / "history.svg"]
    write_atomic(files[0], f"{text}\n".encode("utf-8", "surrogateescape"))
    write_json(files[1], facts)
    ended = [ScoredTrial(one.number, one.score) for one in trials if one.state in ENDED]
    name = best[0].score_name if best else "score"
    write_atomic(files[2], draw_history(ended, recipe, name))
    if importances:
        files.append(out / "importance.svg")
        write_atomic(files[-1], draw_importances(importances))
    if best:
        files.append(out / BEST)
        write_atomic(files[-1], format_best(best[0]).encode())
    return text, files


def format_report(
    search: Search,
    trials: Sequence[TuningTrial],
    importances: Mapping[str, float],
    confirmation: Confirmation | None,
) -> str:
    """The results as Markdown."""
    options, best = search.options, find_best(trials)
    images = options.data or search.base.data.source.name()
    facts = [
        f"{options.minutes:g} minutes of training for every trial, seed {options.seed}",
        f"{options.samples:,} generated images against `{options.test}`, {options.features} "
        "features; lower is better",
        f"images: `{images}`",
    ]
    counts = {state: sum(one.state == state for one in trials) for state in (*ENDED, "refused")}
    return join_parts(
        f"# Search for settings of {options.recipe or images}",
        "\n".join(f"- {fact}" for fact in facts),
        ", ".join(f"{count} {state}" for state, count in counts.items() if count) + " trials.",
        _format_best_trials(trials, best) if best else "No trial is complete yet.",
        f"The best trial again, for as many steps:\n\n{_winner_commands(search, best[0])}"
        if best
        else "",
        _format_importances(importances),
        f"## With further seeds\n\n{format_confirmation(confirmation)}" if confirmation else "",
        _format_others(trials),
    )


def _format_best_trials(trials: Sequence[TuningTrial], best: Sequence[TuningTrial]) -> str:
    """The best ten, with the differences of their settings and scores to the recipe."""
    recipe = next((one for one in best if one.number == 0), None)
    heading = ["trial", best[0].score_name, "minus the recipe", "steps", "monitor", "settings"]
    lines = []
    listed = [*best[:_LISTED], *([recipe] if recipe and recipe not in best[:_LISTED] else [])]
    for one in listed:
        score = one.score or 0.0
        less = "-" if recipe is None else format_number(score - (recipe.score or 0.0), score)
        values = ", ".join(f"{name} {_text(value)}" for name, value in one.values.items())
        settings = "the recipe, unchanged" if one.number == 0 else values
        words = [str(one.number), format_number(score, score), less, f"{one.total_steps:,}"]
        lines.append([*words, one.verdict, settings])
    return f"## The best trials\n\n{markdown([heading, *lines])}"


def _text(value: object) -> str:
    """A value in a table."""
    if isinstance(value, dict):
        return " + ".join(f"{_text(one)}" for one in value.values())
    return value if isinstance(value, str) else format_toml(value)


def _winner_commands(search: Search, best: TuningTrial) -> str:
    jobs = build_jobs(search, best)
    commands = (winner_command(search), jobs.train.command, jobs.evaluate.command)
    return "\n".join(f"    {line}" for line in commands)


def winner_command(search: Search) -> str:
    """The command that trains with best.toml."""
    seed = ("--seed", str(search.options.seed))
    place = ("--config", str(search.out / BEST), *seed, "--run", str(search.out / "best"))
    return shlex.join(("ssgan", *train_words(search.options), *place))


def _command(search: Search, trial: TuningTrial) -> str:
    """The command that trains a trial; empty for one that has no settings yet."""
    return build_jobs(search, trial).train.command if trial.flags else ""


def format_best(best: TuningTrial) -> str:
    """A trial's settings as TOML, for `ssgan train --config`."""
    table, _ = from_flags(best.flags)
    lines = [f"{name} = {format_toml(value)}" for name, value in flatten(table).items()]
    score = f"{best.score_name} {best.score:.6g}" if best.score is not None else "no score"
    return "\n".join([f"# {best.label}: {score}", *lines, ""])


def _format_importances(importances: Mapping[str, float]) -> str:
    """The importance of each dimension of the space."""
    if not importances:
        return f"Settings get an importance from {FEWEST} complete trials on."
    lines = [[name, f"{value:.3f}"] for name, value in importances.items()]
    words = "What decides whether a trial is among the best tenth (PED-ANOVA); the sum is 1."
    return f"## Importance\n\n{words}\n\n{markdown([['setting', 'importance'], *lines])}"


def _format_others(trials: Sequence[TuningTrial]) -> str:
    """Every trial that is not complete, with its reason."""
    lines = [
        f"- {one.label}, {one.state}: {one.reason}"
        for one in trials
        if one.state in ("failed", "stopped", "refused")
    ]
    return "## Without a score\n\n" + "\n".join(lines) if lines else ""


def space_facts(space: Space) -> dict[str, object]:
    """The space as JSON values."""
    return {
        name: list(one.values) if isinstance(one, Choices) else asdict(one)
        for name, one in space.dimensions.items()
    }
