"""What D knows at the end, block by block: a table of blocks by arms, over training seeds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ssgan.report.probe_table import Row, distinct
from ssgan.studies.arm import AbstractArm
from ssgan.studies.cell import Cell
from ssgan.studies.comparing import comparisons
from ssgan.studies.drawing import AbstractDrawing, BySeed, Drawn, by_arm
from ssgan.studies.markdown import difference, legend, markdown, with_std
from ssgan.studies.probe_rows import one_protocol, probe_rows, protocol_text
from ssgan.studies.spread import paired, spread

Values = BySeed[float]


@dataclass(frozen=True)
class ProbeByBlock(AbstractDrawing):
    """The tables of linear probes."""

    def draw(self, cells: Sequence[Cell]) -> Drawn:
        """For every pooling, a row a block, and every arm beside the first."""
        found = by_arm((cell, probe_rows(cell.measuring[-1])) for cell in cells)
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
                    "values": {arm.name: seeds for arm, seeds in of_block.items()},
                    "comparisons": comparisons(of_block),
                }
                for block, of_block in blocks.items()
            }
        parts.append(legend(max(len(seeds) for seeds in found.values())))
        facts = {"number": "top-1", "protocol": protocol, "values": values}
        return Drawn("\n\n".join(parts), facts)


def _top1(found: BySeed[list[Row]], pooling: str, block: int) -> Values:
    return {
        arm: {
            seed: row["top1"]
            for seed, rows in seeds.items()
            for row in rows
            if row["pooling"] == pooling and row["block"] == block
        }
        for arm, seeds in found.items()
    }


def _means(blocks: dict[int, Values]) -> str:
    """The mean of every block, and the best block's: chosen on the test images, as in the paper."""
    arms = list(next(iter(blocks.values())))
    spreads = {
        arm: [spread(values[arm], lower_is_better=False) for values in blocks.values()]
        for arm in arms
    }
    best = [with_std(max(spreads[arm], key=lambda found: found.mean)) for arm in arms]
    lines = _lines(blocks, arms, lambda arm, row: with_std(spreads[arm][row]))
    return markdown([*lines, ["best", *best]])


def _differences(blocks: dict[int, Values]) -> str:
    """Every arm less the first, at the same seed."""
    first, *others = next(iter(blocks.values()))
    values = list(blocks.values())

    def cell(arm: AbstractArm, row: int) -> str:
        found = paired(values[row][arm], values[row][first])
        return "-" if found is None else difference(found, next(iter(values[row][first].values())))

    (_, *titles), *lines = _lines(blocks, others, cell)
    return markdown([[f"less {first.label}, at the same seed", *titles], *lines])


def _lines(
    blocks: dict[int, Values], arms: Sequence[AbstractArm], cell: Callable[[AbstractArm, int], str]
) -> list[list[str]]:
    heading = ["", *(arm.title for arm in arms)]
    return [heading] + [
        [f"block {block}", *(cell(arm, row) for arm in arms)] for row, block in enumerate(blocks)
    ]
