"""Each arm beside the first of its group, seed by seed."""

from collections.abc import Iterator

from ssgan.studies.markdown import format_difference, markdown
from ssgan.studies.rendering import BySeed, groups
from ssgan.studies.statistics import PairedDifference, compare_paired
from ssgan.studies.variants import AbstractVariant


def compare_variants(values: BySeed[float]) -> list[dict[str, object]]:
    """As JSON."""
    return [
        {"arm": variant.name, "less": first.name, **pairs._asdict()}
        for variant, first, pairs in _pairs(values)
    ]


def pairs_table(values: BySeed[float], heading: str = "") -> str:
    """As Markdown; empty when there is nothing to compare."""
    lines = [[f"{heading}less, at the same seed", "difference", "pairs"]]
    for variant, first, pairs in _pairs(values):
        like = next(iter(values[first].values()))
        words = f"{variant.title} less {first.label}"
        lines.append([words, format_difference(pairs, like), str(len(pairs.seeds))])
    return markdown(lines) if len(lines) > 1 else ""


def _pairs(
    values: BySeed[float],
) -> Iterator[tuple[AbstractVariant, AbstractVariant, PairedDifference]]:
    for first, *others in groups(values):
        for variant in others:
            if (pairs := compare_paired(values[variant], values[first])) is not None:
                yield variant, first, pairs
