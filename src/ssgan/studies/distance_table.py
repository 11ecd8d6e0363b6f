"""Frechet distances of arms: mean, deviation and best over seeds, and each arm beside the first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssgan.studies.cell import Cell
from ssgan.studies.comparing import comparisons, pairs_table
from ssgan.studies.distances import described, last_distance, protocol_facts, refuse_unlike
from ssgan.studies.drawing import AbstractDrawing, BySeed, Drawn, by_arm
from ssgan.studies.markdown import legend, markdown, shown, with_std
from ssgan.studies.spread import spread


@dataclass(frozen=True)
class DistanceTable(AbstractDrawing):
    """The tables of FIDs."""

    def draw(self, cells: Sequence[Cell]) -> Drawn:
        """A row an arm."""
        found = by_arm((cell, last_distance(cell)) for cell in cells)
        results = [result for seeds in found.values() for result in seeds.values()]
        refuse_unlike(results)
        values = {
            arm: {seed: result.value for seed, result in seeds.items()}
            for arm, seeds in found.items()
        }
        protocol = "\n".join(f"    {line}" for line in described(results))
        seeds = max(len(of_arm) for of_arm in values.values())
        parts = [protocol, _spreads(results[0].name, values), legend(seeds), pairs_table(values)]
        facts = {
            **protocol_facts(results),
            "values": {arm.name: of_arm for arm, of_arm in values.items()},
            "comparisons": comparisons(values),
        }
        return Drawn("\n\n".join(part for part in parts if part), facts)


def _spreads(name: str, values: BySeed[float]) -> str:
    lines = [["", f"{name}, mean +- std", "best", "by training seed"]]
    for arm, by_seed in values.items():
        found = spread(by_seed, lower_is_better=True)
        best = shown(found.best, found.mean)
        lines.append([arm.title, with_std(found), best, _listed(by_seed, found.mean)])
    return markdown(lines)


def _listed(by_seed: Mapping[int, float], like: float) -> str:
    return ", ".join(f"{seed}: {shown(by_seed[seed], like)}" for seed in sorted(by_seed))
