"""What D knows at the end, block by block: a table of blocks by arms, over training seeds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ssgan.evaluation.probe.tables import Row, distinct
from ssgan.studies.comparison import compare_variants
from ssgan.studies.markdown import format_difference, format_with_std, legend, markdown
from ssgan.studies.probe_rows import one_protocol, probe_rows, protocol_text
from ssgan.studies.rendering import AbstractRenderer, BySeed, Rendered, group_by_variant
from ssgan.studies.statistics import compare_paired, compute_spread
from ssgan.studies.trial import Trial
from ssgan.studies.variants import AbstractVariant

Values = BySeed[float]


@dataclass(frozen=True)
class ProbeByBlock(AbstractRenderer):
    """The tables of linear probes."""

    def draw(self, trials: Sequence[Trial]) -> Rendered:
        """For every pooling, a row a block, and every arm beside the first."""
        found = group_by_variant((trial, probe_rows(trial.measuring[-1])) for trial in trials)
        rows = [row for seeds in found.values() for own in seeds.values() for row in own]
        protocol = one_protocol(rows)
        parts, values = [], {}
        for pooling in distinct([row["pooling"] for row in rows]):
            chosen = [row for row in rows if row["pooling"] == pooling]
            blocks = {
                block: _top1(found, pooling, block)
                for block in sorted({row["block"] for row in chosen})
            }
            parts += [f"### {pooling}", protocol_text(chosen), _means(blocks)]
            parts += [_differences(blocks)] if len(found) > 1 else []
            values[pooling] = {
                str(block): {
                    "values": {variant.name: seeds for variant, seeds in of_block.items()},
                    "comparisons": compare_variants(of_block),
                }
                for block, of_block in blocks.items()
            }
        parts.append(legend(max(len(seeds) for seeds in found.values())))
        facts = {"number": "top-1", "protocol": protocol, "values": values}
        return Rendered("\n\n".join(parts), facts)


def _top1(found: BySeed[list[Row]], pooling: str, block: int) -> Values:
    return {
        variant: {
            seed: row["top1"]
            for seed, rows in seeds.items()
            for row in rows
            if row["pooling"] == pooling and row["block"] == block
        }
        for variant, seeds in found.items()
    }


def _means(blocks: dict[int, Values]) -> str:
    """The mean of every block, and the best block's: chosen on the test images, as in the paper."""
    variants = list(next(iter(blocks.values())))
    spreads = {
        variant: [
            compute_spread(values[variant], lower_is_better=False) for values in blocks.values()
        ]
        for variant in variants
    }
    best = [
        format_with_std(max(spreads[variant], key=lambda found: found.mean)) for variant in variants
    ]
    lines = _lines(blocks, variants, lambda variant, row: format_with_std(spreads[variant][row]))
    return markdown([*lines, ["best", *best]])


def _differences(blocks: dict[int, Values]) -> str:
    """Every arm less the first, at the same seed."""
    first, *others = next(iter(blocks.values()))
    values = list(blocks.values())

    def trial(variant: AbstractVariant, row: int) -> str:
        found = compare_paired(values[row][variant], values[row][first])
        return (
            "-"
            if found is None
            else format_difference(found, next(iter(values[row][first].values())))
        )

    (_, *titles), *lines = _lines(blocks, others, trial)
    return markdown([[f"less {first.label}, at the same seed", *titles], *lines])


def _lines(
    blocks: dict[int, Values],
    variants: Sequence[AbstractVariant],
    trial: Callable[[AbstractVariant, int], str],
) -> list[list[str]]:
    heading = ["", *(variant.title for variant in variants)]
    return [heading] + [
        [f"block {block}", *(trial(variant, row) for variant in variants)]
        for row, block in enumerate(blocks)
    ]
