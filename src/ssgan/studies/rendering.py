"""What all renderers share: tables as Markdown, numbers as text, and comparisons of variants."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ssgan.studies.published import Published, PublishedTable
from ssgan.studies.statistics import LEVEL, PAIRED, PairedDifference, SeedStatistics, compare_paired
from ssgan.studies.trials import Trial
from ssgan.studies.variants import AbstractVariant

T = TypeVar("T")
BySeed = dict[AbstractVariant, dict[int, T]]
SMALLEST_P = 1e-12  # smaller values are rounding errors: 1 minus a number near 1


@dataclass(frozen=True)
class Rendered:
    """The rendered results."""

    tables: str  # Markdown with measured numbers only
    facts: Mapping[str, object] = field(default_factory=dict)  # JSON: protocol, every number
    figure: bytes | None = None  # PNG


@dataclass(frozen=True)
class AbstractRenderer(ABC):
    """Renders the results of a study; published numbers appear in a separate section."""

    published: tuple[Published, ...]

    @abstractmethod
    def render(self, trials: Sequence[Trial]) -> Rendered:
        """Render at least one trial; all of them are done.

        Raises UserError when their protocols differ.
        """


def group_by_variant(values: Iterable[tuple[Trial, T]]) -> BySeed[T]:
    """The values by variant and seed, variants in order of appearance."""
    variants: BySeed[T] = {}
    for trial, value in values:
        variants.setdefault(trial.variant, {})[trial.seed] = value
    return variants


def by_name(values: BySeed[T]) -> dict[str, dict[int, T]]:
    """The values by variant's name and seed, for JSON."""
    return {variant.name: by_seed for variant, by_seed in values.items()}


def compare_variants(values: BySeed[float]) -> list[dict[str, object]]:
    """Every variant compared with the first of its group, as JSON values."""
    return [
        {"variant": variant.name, "baseline": first.name, **paired._asdict()}
        for variant, first, paired in _compare(values)
    ]


def comparison_lines(
    values: BySeed[float], prefix: str = "", like: float | None = None
) -> list[list[str]]:
    """The same as lines of a table, with the digits of `like` (default: of the first baseline)."""
    return [
        [
            f"{prefix}{variant.title} minus {first.label}",
            format_difference(paired, next(iter(values[first].values())) if like is None else like),
            str(len(paired.seeds)),
        ]
        for variant, first, paired in _compare(values)
    ]


def comparison_table(lines: Sequence[Sequence[str]], heading: str = "") -> str:
    """Lines of comparisons as Markdown; empty when there are none."""
    return markdown([[heading, f"difference ({PAIRED})", "pairs"], *lines]) if lines else ""


def _compare(
    values: BySeed[float],
) -> Iterator[tuple[AbstractVariant, AbstractVariant, PairedDifference]]:
    firsts: dict[str, AbstractVariant] = {}
    for variant in values:
        first = firsts.setdefault(variant.group, variant)
        if variant is not first and (paired := compare_paired(values[variant], values[first])):
            yield variant, first, paired


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A table whose first line is its heading."""
    heading, *rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([heading, "|" + "---|" * len(lines[0]), *rows])


def join_parts(*parts: str) -> str:
    """The parts that are not empty, as paragraphs."""
    return "\n\n".join(part for part in parts if part)


def format_number(value: float, like: float) -> str:
    """A value with as many digits as suit numbers of the size of `like`."""
    size = abs(like)
    return f"{value:.{5 if size < 0.01 else 4 if size < 0.1 else 3 if size < 10 else 2}f}"


def format_with_std(found: SeedStatistics) -> str:
    """Mean and standard deviation."""
    mean = format_number(found.mean, found.mean)
    return mean if found.std is None else f"{mean} +- {format_number(found.std, found.mean)}"


def format_difference(found: PairedDifference, like: float) -> str:
    """The mean difference, its interval and p, with the digits of `like`."""
    text = f"{'+' if found.mean > 0 else ''}{format_number(found.mean, like)}"
    if found.low is None or found.high is None:
        return f"{text} (one pair: no interval)"
    interval = f"[{format_number(found.low, like)}, {format_number(found.high, like)}]"
    if found.p is None:
        return f"{text} {interval}, all differences equal"
    p = f"p {found.p:.2g}" if found.p >= SMALLEST_P else f"p < {SMALLEST_P:g}"
    return f"{text} {interval}, {p}"


def legend(values: BySeed[T]) -> str:
    """An explanation of +- and of the intervals, for the variant with the most seeds."""
    if max(map(len, values.values())) == 1:
        return (
            "One training seed: no standard deviation and no interval; other seeds may differ by "
            "an unknown amount."
        )
    return (
        "+- is the standard deviation over training seeds (n - 1). Brackets hold the "
        f"{100 * LEVEL:g} % t-interval of the mean difference, paired by seed. p comes from the "
        "two-sided paired t-test, without correction for multiple comparisons."
    )


def format_published(published: Published) -> str:
    """Published numbers as Markdown, under a heading of their own."""
    heading = f"## {published.title}\n\n{published.place}"
    if isinstance(published, PublishedTable):
        lines = [published.columns, *published.rows]
        return f"{heading}\n\n{markdown(lines)}" if published.rows else heading
    columns = [[f"{step:,}" for step in published.steps]]
    digits = 1 if published.quantity == "FID" else 3
    for _, values in published.curves:
        columns.append(["-" if value is None else f"{value:.{digits}f}" for value in values])
    names = [f"step ({published.quantity})", *(label for label, _ in published.curves)]
    return f"{heading}\n\n{markdown([names, *zip(*columns, strict=True)])}"
