"""Statistics over training seeds: spread, and differences paired by seed.

Student's t distribution has a closed form for whole degrees of freedom (Abramowitz and Stegun,
Handbook of Mathematical Functions, 26.7.3 and 26.7.4): with theta = atan(t / sqrt(n)), the
probability of -t .. t is a finite sum of powers of cos(theta).
"""

import math
import statistics
from collections.abc import Mapping
from typing import NamedTuple

LEVEL = 0.95  # of every confidence interval
PAIRED = f"paired by seed, {100 * LEVEL:g} % CI"  # for headings
_HALVINGS = 200  # of the interval around a quantile: more than a float64 has bits


class SeedStatistics(NamedTuple):
    """The values of one variant over its seeds."""

    mean: float
    std: float | None  # over n - 1; None with one seed


class PairedDifference(NamedTuple):
    """A variant minus a baseline, over the seeds that both have."""

    seeds: tuple[int, ...]
    mean: float  # of the differences
    low: float | None  # 95 % t-interval of the mean; None with one seed
    high: float | None
    p: float | None  # two-sided paired t-test; None with one seed, or equal differences


def compute_spread(values: Mapping[int, float]) -> SeedStatistics:
    """Mean and deviation of at least one value; keys are seeds."""
    numbers = list(values.values())
    std = statistics.stdev(numbers) if len(numbers) > 1 else None
    return SeedStatistics(statistics.fmean(numbers), std)


def compare_paired(
    variant: Mapping[int, float], baseline: Mapping[int, float]
) -> PairedDifference | None:
    """`variant` minus `baseline`; None when they have no seed in common.

    The interval and p assume normally distributed differences, independent between seeds.
    """
    seeds = tuple(sorted(variant.keys() & baseline.keys()))
    if not seeds:
        return None
    differences = [variant[seed] - baseline[seed] for seed in seeds]
    mean = statistics.fmean(differences)
    if len(seeds) == 1:
        return PairedDifference(seeds, mean, None, None, None)
    freedom = len(seeds) - 1
    error = statistics.stdev(differences) / math.sqrt(len(seeds))
    half = student_t_quantile(LEVEL, freedom) * error
    p = two_sided_p(mean / error, freedom) if error else None
    return PairedDifference(seeds, mean, mean - half, mean + half, p)


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


def student_t_quantile(probability: float, freedom: int) -> float:
    """The t >= 0 with P(-t <= T <= t) = `probability`, in (0, 1)."""
    low, high = 0.0, 1.0
    while student_t_within(high, freedom) < probability:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = student_t_within(middle, freedom) < probability
        low, high = (middle, high) if below else (low, middle)
    return (low + high) / 2


def _series(theta: float, odd: int, freedom: int) -> float:
    """The sum of cos^k with the products of odds over evens (even n), or evens over odds."""
    term = math.cos(theta) if odd else 1.0
    total, power = term, odd
    while power + 2 <= freedom - 2:
        term *= (power + 1) / (power + 2) * math.cos(theta) ** 2
        total, power = total + term, power + 2
    return total
