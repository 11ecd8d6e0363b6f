"""Student's law of t for a whole number of degrees of freedom, in closed form.

Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4: with
theta = atan(t / sqrt(n)), the weight within -t .. t is a finite sum of powers of cos(theta).
"""

import math

_HALVINGS = 200  # of the interval that holds a quantile: more than a float64 has bits


def within(t: float, freedom: int) -> float:
    """P(-t <= T <= t) for t >= 0; `freedom` >= 1 degrees of freedom. Exact to about 1e-15."""
    theta = math.atan(t / math.sqrt(freedom))
    if freedom % 2:
        tail = math.sin(theta) * _series(theta, 1, freedom) if freedom > 1 else 0.0
        return 2 / math.pi * (theta + tail)
    return math.sin(theta) * _series(theta, 0, freedom)


def two_sided_p(t: float, freedom: int) -> float:
    """P(|T| >= |t|): the p-value of a two-sided test, in [0, 1]."""
    return min(1.0, max(0.0, 1 - within(abs(t), freedom)))


def quantile(weight: float, freedom: int) -> float:
    """The t >= 0 with `weight`, in (0, 1), of the law within -t .. t."""
    low, high = 0.0, 1.0
    while within(high, freedom) < weight:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, freedom) < weight else (low, middle)
    return (low + high) / 2


def _series(theta: float, odd: int, freedom: int) -> float:
    """The sum of cos^k with the products of odds over evens (even n), or evens over odds."""
    term = math.cos(theta) if odd else 1.0
    total, power = term, odd
    while power + 2 <= freedom - 2:
        term *= (power + 1) / (power + 2) * math.cos(theta) ** 2
        total, power = total + term, power + 2
    return total
