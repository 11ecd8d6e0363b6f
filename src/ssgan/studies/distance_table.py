"""Frechet distances of arms: mean, deviation and best over seeds, and each arm beside the first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssgan.measure.results import Result, read_results
from ssgan.measure.table import alike, protocol_lines
from ssgan.studies.cell import Cell
from ssgan.studies.comparing import comparisons, pairs_table
from ssgan.studies.drawing import AbstractDrawing, BySeed, Drawn, by_arm
from ssgan.studies.job import Making, Training
from ssgan.studies.markdown import legend, markdown, shown, with_std
from ssgan.studies.spread import spread
from ssgan.types import UserError


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


def distance(job: Making) -> Result:
    """The number that `ssgan evaluate` wrote."""
    return read_results(job.result)[0]


def last_distance(cell: Cell) -> Result:
    """The number of the last step; UserError when an older state was measured in its place."""
    assert isinstance(cell.training, Training)
    job, step = cell.measuring[-1], cell.training.config.total_steps
    result = distance(job)
    if not result.subject.endswith(f"step {step}"):
        raise UserError(
            f"{job.result} is of {result.subject}, not of step {step}: move it away, and run the "
            "same command again"
        )
    return result


def refuse_unlike(results: Sequence[Result]) -> None:
    """Raise UserError when there are two protocols, or two names of numbers."""
    remedy = "; move the results of one of them away, and run the same command again"
    names = sorted({result.name for result in results})
    try:
        alike(results)
        if len(names) > 1:
            raise UserError(f"{' and '.join(names)} are different numbers")
    except UserError as error:
        raise UserError(f"these results are of two protocols: {error}{remedy}") from None


def described(results: Sequence[Result]) -> list[str]:
    """The protocol, in lines."""
    protocol = results[0].protocol
    seeds = ", ".join(map(str, protocol.seeds))
    return [
        *protocol_lines(results),
        f"measured {protocol.num_fake:,} images each, of sample seed {seeds}",
    ]


def protocol_facts(results: Sequence[Result]) -> dict[str, object]:
    """What the numbers are, and their protocol, as JSON."""
    protocol = results[0].protocol
    return {
        "number": results[0].name,
        "protocol": {
            **{name: value for name, value in vars(protocol).items() if name != "seeds"},
            "against": sorted({result.against for result in results}),
            "sample_seeds": list(protocol.seeds),
        },
    }


def _spreads(name: str, values: BySeed[float]) -> str:
    lines = [["", f"{name}, mean +- std", "best", "by training seed"]]
    for arm, by_seed in values.items():
        found = spread(by_seed, lower_is_better=True)
        best = shown(found.best, found.mean)
        lines.append([arm.title, with_std(found), best, _listed(by_seed, found.mean)])
    return markdown(lines)


def _listed(by_seed: Mapping[int, float], like: float) -> str:
    return ", ".join(f"{seed}: {shown(by_seed[seed], like)}" for seed in sorted(by_seed))
