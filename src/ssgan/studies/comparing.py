"""Each arm beside the first of its group, seed by seed."""

from collections.abc import Iterator

from ssgan.studies.arm import AbstractArm
from ssgan.studies.drawing import BySeed, groups
from ssgan.studies.markdown import difference, markdown
from ssgan.studies.spread import Paired, paired


def comparisons(values: BySeed[float]) -> list[dict[str, object]]:
    """As JSON."""
    return [
        {"arm": arm.name, "less": first.name, **pairs._asdict()}
        for arm, first, pairs in _pairs(values)
    ]


def pairs_table(values: BySeed[float], heading: str = "") -> str:
    """As Markdown; empty when there is nothing to compare."""
    lines = [[f"{heading}less, at the same seed", "difference", "pairs"]]
    for arm, first, pairs in _pairs(values):
        like = next(iter(values[first].values()))
        words = f"{arm.title} less {first.label}"
        lines.append([words, difference(pairs, like), str(len(pairs.seeds))])
    return markdown(lines) if len(lines) > 1 else ""


def _pairs(values: BySeed[float]) -> Iterator[tuple[AbstractArm, AbstractArm, Paired]]:
    for first, *others in groups(values):
        for arm in others:
            if (pairs := paired(values[arm], values[first])) is not None:
                yield arm, first, pairs
