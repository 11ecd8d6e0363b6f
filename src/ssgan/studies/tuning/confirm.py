"""The best trials and the unchanged recipe once more, with further seeds.

The best of many trials had luck with its seed. Only the runs here, which chose nothing, show by how
much the settings are better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssgan.studies.jobs import Job
from ssgan.studies.rendering import (
    comparison_table,
    format_difference,
    format_number,
    format_with_std,
    markdown,
)
from ssgan.studies.statistics import compare_paired, compute_spread
from ssgan.studies.tables import read_distance
from ssgan.studies.tuning.trials import Search, TrialJobs, TuningTrial, build_jobs, find_best


@dataclass(frozen=True)
class Confirmation:
    """The runs of some trials with further seeds."""

    trials: tuple[TuningTrial, ...]  # the recipe first, then the best, best first
    seeds: tuple[int, ...]
    jobs: Mapping[tuple[int, int], TrialJobs]  # by number of the trial and seed

    def list_open_jobs(self) -> list[Job]:
        """The commands whose result is missing, seed by seed."""
        found: list[Job] = []
        for seed in self.seeds:
            for trial in self.trials:
                train, evaluate = self.jobs[trial.number, seed]
                if not evaluate.is_done():
                    found += [evaluate] if train.is_done() else [train, evaluate]
        return found

    def scores(self) -> dict[int, dict[int, float]]:
        """The scores that are there, by number of the trial and seed."""
        found: dict[int, dict[int, float]] = {trial.number: {} for trial in self.trials}
        for (number, seed), (_, evaluate) in self.jobs.items():
            if evaluate.is_done():
                found[number][seed] = read_distance(evaluate).value
        return found


def plan_confirmation(
    search: Search, trials: Sequence[TuningTrial], top: int, num_seeds: int
) -> Confirmation | None:
    """The `top` best trials and the recipe with `num_seeds` seeds; None without a best trial."""
    recipe = [one for one in trials if one.number == 0 and one.state == "complete"]
    best = [one for one in find_best(trials) if one.number != 0][:top]
    if not best or not num_seeds:
        return None
    seeds = tuple(range(search.options.seed + 1, search.options.seed + 1 + num_seeds))
    chosen = (*recipe, *best)
    jobs = {(one.number, seed): build_jobs(search, one, seed) for one in chosen for seed in seeds}
    return Confirmation(chosen, seeds, jobs)


def format_confirmation(found: Confirmation) -> str:
    """Means, deviations and differences to the recipe, as Markdown."""
    scores, lines, differences = found.scores(), list[list[str]](), list[list[str]]()
    for trial in found.trials:
        by_seed = scores[trial.number]
        if not by_seed:
            lines.append([trial.label, "no run", "-"])
            continue
        spread = compute_spread(by_seed)
        each = [f"{seed}: {format_number(by_seed[seed], spread.mean)}" for seed in sorted(by_seed)]
        lines.append([trial.label, format_with_std(spread), ", ".join(each)])
        paired = compare_paired(by_seed, scores.get(0, {}))
        if trial.number and paired is not None:
            words = format_difference(paired, spread.mean)
            differences.append([f"{trial.label} minus the recipe", words, str(len(paired.seeds))])
    table = markdown([["", "mean +- std", "by training seed"], *lines])
    return f"{table}\n\n{comparison_table(differences)}".rstrip()


def confirmation_facts(found: Confirmation) -> list[dict[str, object]]:
    """The same as JSON values."""
    scores = found.scores()
    facts: list[dict[str, object]] = []
    for trial in found.trials:
        by_seed = scores[trial.number]
        spread = compute_spread(by_seed)._asdict() if by_seed else {}
        paired = compare_paired(by_seed, scores.get(0, {})) if trial.number else None
        difference = None if paired is None else paired._asdict()
        facts.append(
            {"trial": trial.number, "scores": by_seed, **spread, "minus_recipe": difference}
        )
    return facts
