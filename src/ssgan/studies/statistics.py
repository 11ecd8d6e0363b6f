"""Student's law of t for a whole number of degrees of freedom, in closed form.

Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4: with
theta = atan(t / sqrt(n)), the weight within -t .. t is a finite sum of powers of cos(theta).
"""

import math
import statistics
from collections.abc import Mapping
from typing import NamedTuple

_HALVINGS = 200  # of the interval that holds a quantile: more than a float64 has bits


def student_t_within(t: float, freedom: int) -> float:
    """P(-t <= T <= t) for t >= 0; `freedom` >= 1 degrees of freedom. Exact to about 1e-15."""
    theta = math.atan(t / math.sqrt(freedom))
    if freedom % 2:
        tail = math.sin(theta) * _series(theta, 1, freedom) if freedom > 1 else 0.0
        return 2 / math.pi * (theta + tail)
    return math.sin(theta) * _series(theta, 0, freedom)


def two_sided_p(t: float, freedom: int) -> float:
    """P(|T| >= |t|): the p-value of a two-sided test, in [0, 1]."""
    return min(1.0, max(0.0, 1 - student_t_within(abs(t), freedom)))


def quantile(weight: float, freedom: int) -> float:
    """The t >= 0 with `weight`, in (0, 1), of the law within -t .. t."""
    low, high = 0.0, 1.0
    while student_t_within(high, freedom) < weight:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if student_t_within(middle, freedom) < weight else (low, middle)
    return (low + high) / 2


def _series(theta: float, odd: int, freedom: int) -> float:
    """The sum of cos^k with the products of odds over evens (even n), or evens over odds."""
    term = math.cos(theta) if odd else 1.0
    total, power = term, odd
    while power + 2 <= freedom - 2:
        term *= (power + 1) / (power + 2) * math.cos(theta) ** 2
        total, power = total + term, power + 2
    return total


LEVEL = 0.95  # of every interval


class SeedStatistics(NamedTuple):
    """One arm's values over its seeds."""

    seeds: tuple[int, ...]
    mean: float
    std: float | None  # over n - 1; None with one seed
    best: float


class PairedDifference(NamedTuple):
    """An arm less another one, seed by seed: only seeds that both have."""

    seeds: tuple[int, ...]
    mean: float  # of the differences
    low: float | None  # 95 % t-interval of the mean; None with one seed
    high: float | None
    p: float | None  # two-sided paired t-test; None with one seed, or where all are equal


def compute_spread(values: Mapping[int, float], *, lower_is_better: bool) -> SeedStatistics:
    """The spread of at least one value; keys are seeds."""
    numbers = list(values.values())
    std = statistics.stdev(numbers) if len(numbers) > 1 else None
    best = min(numbers) if lower_is_better else max(numbers)
    return SeedStatistics(tuple(sorted(values)), statistics.fmean(numbers), std, best)


def compare_paired(
    variant: Mapping[int, float], first: Mapping[int, float]
) -> PairedDifference | None:
    """`arm` less `first`; None when no seed is in both.

    The interval and p suppose that differences of other seeds are drawn from one normal law.
    """
    seeds = tuple(sorted(variant.keys() & first.keys()))
    if not seeds:
        return None
    differences = [variant[seed] - first[seed] for seed in seeds]
    mean = statistics.fmean(differences)
    if len(seeds) == 1:
        return PairedDifference(seeds, mean, None, None, None)
    freedom = len(seeds) - 1
    error = statistics.stdev(differences) / math.sqrt(len(seeds))
    half = quantile(LEVEL, freedom) * error
    p = two_sided_p(mean / error, freedom) if error else None
    return PairedDifference(seeds, mean, mean - half, mean + half, p)
