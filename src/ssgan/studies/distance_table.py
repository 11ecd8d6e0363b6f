"""Frechet distances of arms: mean, deviation and best over seeds, and each arm beside the first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssgan.studies.comparison import compare_variants, pairs_table
from ssgan.studies.distances import describe_protocol, last_distance, protocol_facts, refuse_unlike
from ssgan.studies.markdown import format_number, format_with_std, legend, markdown
from ssgan.studies.rendering import AbstractRenderer, BySeed, Rendered, group_by_variant
from ssgan.studies.statistics import compute_spread
from ssgan.studies.trial import Trial


@dataclass(frozen=True)
class DistanceTable(AbstractRenderer):
    """The tables of FIDs."""

    def draw(self, trials: Sequence[Trial]) -> Rendered:
        """A row an arm."""
        found = group_by_variant((trial, last_distance(trial)) for trial in trials)
        results = [result for seeds in found.values() for result in seeds.values()]
        refuse_unlike(results)
        values = {
            variant: {seed: result.value for seed, result in seeds.items()}
            for variant, seeds in found.items()
        }
        protocol = "\n".join(f"    {line}" for line in describe_protocol(results))
        seeds = max(len(of_arm) for of_arm in values.values())
        parts = [protocol, _spreads(results[0].name, values), legend(seeds), pairs_table(values)]
        facts = {
            **protocol_facts(results),
            "values": {variant.name: of_arm for variant, of_arm in values.items()},
            "comparisons": compare_variants(values),
        }
        return Rendered("\n\n".join(part for part in parts if part), facts)


def _spreads(name: str, values: BySeed[float]) -> str:
    lines = [["", f"{name}, mean +- std", "best", "by training seed"]]
    for variant, by_seed in values.items():
        found = compute_spread(by_seed, lower_is_better=True)
        best = format_number(found.best, found.mean)
        lines.append([variant.title, format_with_std(found), best, _listed(by_seed, found.mean)])
    return markdown(lines)


def _listed(by_seed: Mapping[int, float], like: float) -> str:
    return ", ".join(f"{seed}: {format_number(by_seed[seed], like)}" for seed in sorted(by_seed))
