"""Numbers and tables as Markdown."""

from collections.abc import Sequence

from ssgan.studies.published import NoNumbers, Published, Table
from ssgan.studies.statistics import LEVEL, PairedDifference, SeedStatistics

SMALLEST_P = 1e-12  # below it p is rounding: 1 less a number near 1


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A table whose first line is its heading."""
    heading, *rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([heading, "|" + "---|" * len(lines[0]), *rows])


def format_number(value: float, like: float) -> str:
    """A value in as many digits as tell something of numbers as large as `like`."""
    size = abs(like)
    return f"{value:.{5 if size < 0.01 else 4 if size < 0.1 else 3 if size < 10 else 2}f}"


def format_with_std(found: SeedStatistics) -> str:
    """Mean and standard deviation."""
    mean = format_number(found.mean, found.mean)
    return mean if found.std is None else f"{mean} +- {format_number(found.std, found.mean)}"


def format_difference(found: PairedDifference, like: float) -> str:
    """The mean difference, its interval and p, in as many digits as `like`."""
    text = f"{'+' if found.mean > 0 else ''}{format_number(found.mean, like)}"
    if found.low is None or found.high is None:
        return f"{text} (one pair: no interval)"
    interval = f"[{format_number(found.low, like)}, {format_number(found.high, like)}]"
    return f"{text} {interval}, {_p_value(found.p)}"


def _p_value(p: float | None) -> str:
    """None: the differences do not vary."""
    if p is None:
        return "all pairs alike"
    return f"p {p:.2g}" if p >= SMALLEST_P else f"p < {SMALLEST_P:g}"


def legend(seeds: int) -> str:
    """What +- and the intervals are, with so many training seeds."""
    if seeds == 1:
        return (
            "One training seed: there is no spread and no interval, and nothing here says what "
            "another seed would give."
        )
    return (
        f"+- is the standard deviation over training seeds (n - 1). In brackets: {LEVEL:.0%} "
        "t-interval of the mean difference, pairs being runs of one seed; p of the two-sided "
        "paired t-test, for each comparison alone."
    )


def format_published(table: Published) -> str:
    """The paper's numbers, under a title of their own."""
    heading = f"## {table.title}\n\n{table.place}\n\n"
    if isinstance(table, NoNumbers):
        return heading.rstrip()
    if isinstance(table, Table):
        return heading + markdown([table.columns, *table.rows])
    columns = [[f"{step:,}" for step in table.steps]]
    digits = 1 if table.what == "FID" else 3
    for _, values in table.curves:
        columns.append(["-" if value is None else f"{value:.{digits}f}" for value in values])
    names = [f"step ({table.what})", *(label for label, _ in table.curves)]
    return heading + markdown([names, *zip(*columns, strict=True)])
