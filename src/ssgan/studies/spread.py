"""What the seeds of training say: mean, deviation, best, and arms compared seed by seed."""

import math
import statistics
from collections.abc import Mapping
from typing import NamedTuple

from ssgan.studies.student import quantile, two_sided_p

LEVEL = 0.95  # of every interval


class Spread(NamedTuple):
    """One arm's values over its seeds."""

    seeds: tuple[int, ...]
    mean: float
    std: float | None  # over n - 1; None with one seed
    best: float


class Paired(NamedTuple):
    """An arm less another one, seed by seed: only seeds that both have."""

    seeds: tuple[int, ...]
    mean: float  # of the differences
    low: float | None  # 95 % t-interval of the mean; None with one seed
    high: float | None
    p: float | None  # two-sided paired t-test; None with one seed, or where all are equal


def spread(values: Mapping[int, float], *, lower_is_better: bool) -> Spread:
    """The spread of at least one value; keys are seeds."""
    numbers = list(values.values())
    std = statistics.stdev(numbers) if len(numbers) > 1 else None
    best = min(numbers) if lower_is_better else max(numbers)
    return Spread(tuple(sorted(values)), statistics.fmean(numbers), std, best)


def paired(arm: Mapping[int, float], first: Mapping[int, float]) -> Paired | None:
    """`arm` less `first`; None when no seed is in both.

    The interval and p suppose that differences of other seeds are drawn from one normal law.
    """
    seeds = tuple(sorted(arm.keys() & first.keys()))
    if not seeds:
        return None
    differences = [arm[seed] - first[seed] for seed in seeds]
    mean = statistics.fmean(differences)
    if len(seeds) == 1:
        return Paired(seeds, mean, None, None, None)
    freedom = len(seeds) - 1
    error = statistics.stdev(differences) / math.sqrt(len(seeds))
    half = quantile(LEVEL, freedom) * error
    p = two_sided_p(mean / error, freedom) if error else None
    return Paired(seeds, mean, mean - half, mean + half, p)
