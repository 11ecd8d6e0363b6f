"""Tables of Frechet distances, and of linear probes by block."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ssgan.evaluation.format import protocol_lines, require_same_protocol
from ssgan.evaluation.probe.probe import ROWS, stored_rows
from ssgan.evaluation.probe.tables import Row, distinct
from ssgan.evaluation.results import Result, read_results
from ssgan.studies.jobs import FileJob
from ssgan.studies.rendering import (
    AbstractRenderer,
    BySeed,
    Rendered,
    by_name,
    compare_variants,
    comparison_lines,
    comparison_table,
    format_difference,
    format_number,
    format_with_std,
    group_by_variant,
    join_parts,
    legend,
    markdown,
)
from ssgan.studies.statistics import PAIRED, compare_paired, compute_spread
from ssgan.studies.trials import Trial
from ssgan.studies.variants import AbstractVariant
from ssgan.types import UserError

_REMEDY = "move the results of one of them away, and run the same command again"
# The columns of a probe's rows that must agree before the rows of two runs share a table.
_PROBE_PROTOCOL = ("protocol", "train", "test", "split", "labels", "seed", "solver", "l2_given")


@dataclass(frozen=True)
class DistanceTable(AbstractRenderer):
    """Frechet distances: mean, deviation and best over seeds, and comparisons."""

    def render(self, trials: Sequence[Trial]) -> Rendered:
        """One row per variant."""
        found = group_by_variant((trial, read_last_distance(trial)) for trial in trials)
        results = [result for seeds in found.values() for result in seeds.values()]
        protocol = describe_distances(results)
        values = {
            variant: {seed: result.value for seed, result in seeds.items()}
            for variant, seeds in found.items()
        }
        lines = [["", f"{results[0].name}, mean +- std", "best", "by training seed"]]
        lines += [_distance_line(variant, by_seed) for variant, by_seed in values.items()]
        comparisons = comparison_table(comparison_lines(values))
        facts = {
            **distance_facts(results),
            "values": by_name(values),
            "comparisons": compare_variants(values),
        }
        return Rendered(join_parts(protocol, markdown(lines), legend(values), comparisons), facts)


def _distance_line(variant: AbstractVariant, by_seed: Mapping[int, float]) -> list[str]:
    found = compute_spread(by_seed)
    each = [f"{seed}: {format_number(by_seed[seed], found.mean)}" for seed in sorted(by_seed)]
    best = format_number(min(by_seed.values()), found.mean)
    return [variant.title, format_with_std(found), best, ", ".join(each)]


def read_distance(job: FileJob) -> Result:
    """The distance that `ssgan evaluate` wrote."""
    return read_results(job.result)[0]


def read_last_distance(trial: Trial) -> Result:
    """The distance of the last step; UserError when the file has that of an older state."""
    job, step = trial.measuring[-1], trial.config.total_steps
    result = read_distance(job)
    if not result.subject.endswith(f"step {step}"):
        raise UserError(
            f"{job.result} measures {result.subject}, not step {step}: move it away, and run the "
            "same command again"
        )
    return result


def describe_distances(results: Sequence[Result]) -> str:
    """The common protocol as indented lines; UserError for two protocols or two metrics."""
    names = sorted({result.name for result in results})
    try:
        require_same_protocol(results)
        if len(names) > 1:
            raise UserError(f"{' and '.join(names)} are different metrics")
    except UserError as error:
        raise UserError(f"these results have two protocols: {error}; {_REMEDY}") from None
    protocol = results[0].protocol
    seeds = ", ".join(map(str, protocol.seeds))
    samples = f"{protocol.num_fake:,} generated images each, sample seed {seeds}"
    return "\n".join(f"    {line}" for line in (*protocol_lines(results), samples))


def distance_facts(results: Sequence[Result]) -> dict[str, object]:
    """The metric and its protocol, as JSON values."""
    protocol = results[0].protocol
    return {
        "metric": results[0].name,
        "protocol": {
            **{name: value for name, value in vars(protocol).items() if name != "seeds"},
            "against": sorted({result.against for result in results}),
            "sample_seeds": list(protocol.seeds),
        },
    }


@dataclass(frozen=True)
class ProbeTable(AbstractRenderer):
    """Linear probes of D at the last step: blocks by variants, over training seeds."""

    def render(self, trials: Sequence[Trial]) -> Rendered:
        """For each pooling, a table of means and one of differences; one row per block."""
        found, rows = read_probes(trials)
        protocol = require_same_probe(rows)
        parts, values = [], {}
        for pooling in distinct([row["pooling"] for row in rows]):
            pooled = [row for row in rows if row["pooling"] == pooling]
            blocks = {
                block: _top1(found, pooling, block)
                for block in sorted({row["block"] for row in pooled})
            }
            parts += [f"### {pooling}", describe_probe(pooled), _block_means(blocks)]
            parts += [_block_differences(blocks)] if len(found) > 1 else []
            values[pooling] = {
                str(block): {"values": by_name(own), "comparisons": compare_variants(own)}
                for block, own in blocks.items()
            }
        facts = {"metric": "top-1", "protocol": protocol, "values": values}
        return Rendered(join_parts(*parts, legend(found)), facts)


def _top1(found: BySeed[list[Row]], pooling: str, block: int) -> BySeed[float]:
    return {
        variant: {
            seed: row["top1"]
            for seed, rows in seeds.items()
            for row in rows
            if row["pooling"] == pooling and row["block"] == block
        }
        for variant, seeds in found.items()
    }


def _block_means(blocks: Mapping[int, BySeed[float]]) -> str:
    """The mean of every block, and of the best one, chosen on the test images as in the paper."""
    spreads = {
        block: {variant: compute_spread(by_seed) for variant, by_seed in values.items()}
        for block, values in blocks.items()
    }
    variants = list(next(iter(blocks.values())))
    best = [max((own[v] for own in spreads.values()), key=lambda one: one.mean) for v in variants]
    lines = _block_lines(variants, blocks, lambda v, block: format_with_std(spreads[block][v]))
    return markdown([*lines, ["best", *map(format_with_std, best)]])


def _block_differences(blocks: Mapping[int, BySeed[float]]) -> str:
    first, *others = next(iter(blocks.values()))

    def difference(variant: AbstractVariant, block: int) -> str:
        values = blocks[block]
        found = compare_paired(values[variant], values[first])
        if found is None:
            return "-"
        return format_difference(found, next(iter(values[first].values())))

    heading = f"difference to {first.label} ({PAIRED})"
    return markdown(_block_lines(others, blocks, difference, heading))


def _block_lines(
    variants: Sequence[AbstractVariant],
    blocks: Iterable[int],
    text: Callable[[AbstractVariant, int], str],
    heading: str = "",
) -> list[list[str]]:
    lines = [[heading, *(variant.title for variant in variants)]]
    lines += [[f"block {block}", *(text(v, block) for v in variants)] for block in blocks]
    return lines


def read_probes(trials: Sequence[Trial]) -> tuple[BySeed[list[Row]], list[Row]]:
    """The rows of each run's probe that have the most labels; and all of them in one list."""
    found = group_by_variant((trial, _read_probe(trial.measuring[-1])) for trial in trials)
    return found, [row for seeds in found.values() for own in seeds.values() for row in own]


def _read_probe(job: FileJob) -> list[Row]:
    file = job.result.parent / ROWS
    rows: list[Row] = [*stored_rows(file)]
    if not rows:
        raise UserError(
            f"{file} has no rows: remove {job.result.name} beside it, and run the same command "
            "again"
        )
    most = max(row["fraction"] for row in rows)
    return [row for row in rows if row["fraction"] == most]


def require_same_probe(rows: Sequence[Row]) -> dict[str, object]:
    """The common protocol of the rows; UserError, naming what differs, for two protocols."""
    first = {name: rows[0].get(name) for name in _PROBE_PROTOCOL}
    for row in rows:
        if unlike := [name for name in first if row.get(name) != first[name]]:
            words = "; ".join(
                f"{name} {first[name]!r} against {row.get(name)!r}" for name in unlike
            )
            raise UserError(f"these probes have two protocols: {words}; {_REMEDY}")
    return first


def describe_probe(rows: Sequence[Row]) -> str:
    """The protocol of a probe as indented lines."""
    row = rows[0]
    train, test = row["train"], row["test"]
    lines = [
        f"top-1 of a linear classifier ({row['solver']}) on D's frozen features, {row['pooling']}",
        f"trained on {row['labels']:,} labels of {train['source']} ({train['content_hash'][:12]})",
        f"tested on {test['images']:,} of {test['source']} ({test['content_hash'][:12]})",
    ]
    return "\n".join(f"    {line}" for line in lines)
