"""Wilson's interval, by the equation that defines it and by counting."""

import math

import numpy as np
import pytest

from ssgan.metrics.intervals import NORMAL_95, Proportion


@pytest.mark.parametrize(("right", "total"), [(5, 10), (1, 7), (799, 1000), (3, 3000)])
def test_at_its_ends_the_share_found_is_just_1_96_deviations_away(right, total):
    for end in Proportion(right, total).interval:
        deviation = math.sqrt(end * (1 - end) / total)
        assert abs(right / total - end) == pytest.approx(NORMAL_95 * deviation, rel=1e-9)


def test_published_values():
    """Newcombe 1998, Table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for right, total, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        found = Proportion(right, total).interval
        assert found == pytest.approx((low, high), abs=5e-5)


def test_it_stays_within_0_and_1():
    assert Proportion(0, 5).interval[0] == 0.0
    assert Proportion(5, 5).interval[1] == 1.0


def test_it_holds_the_true_share_about_95_times_in_100():
    draws = np.random.default_rng(0).binomial(200, 0.8, 2000)
    inside = [low <= 0.8 <= high for low, high in (Proportion(int(k), 200).interval for k in draws)]
    assert 0.93 < np.mean(inside) < 0.97
