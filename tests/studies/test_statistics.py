"""Student's law against SciPy's, and what is made of it: paired tests over seeds."""

import numpy as np
import pytest
from scipy import stats

from ssgan.studies.statistics import compare_paired, compute_spread, student_t_quantile, two_sided_p

FREEDOM = [1, 2, 3, 4, 5, 6, 9, 10, 29, 100]


@pytest.mark.parametrize("freedom", FREEDOM)
def test_p_is_scipy_s(freedom):
    for t in (0.0, 0.01, 0.5, 1.0, 2.5, 4.0, 12.0, 100.0):
        expected = 2 * stats.t.sf(t, freedom)
        assert two_sided_p(t, freedom) == pytest.approx(expected, abs=1e-14)
        assert two_sided_p(-t, freedom) == two_sided_p(t, freedom)


@pytest.mark.parametrize("freedom", FREEDOM)
@pytest.mark.parametrize("weight", [0.05, 0.5, 0.95, 0.999])
def test_quantiles_are_scipy_s(freedom, weight):
    expected = stats.t.ppf(0.5 + weight / 2, freedom)
    assert student_t_quantile(weight, freedom) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_pairs_are_compared_as_scipy_compares_them(count):
    draw = np.random.default_rng(count)
    ours, theirs = draw.normal(20, 3, count), draw.normal(22, 3, count)
    found = compare_paired(dict(enumerate(ours)), dict(enumerate(theirs)))
    expected = stats.ttest_rel(ours, theirs)
    interval = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-10)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert found.mean == pytest.approx((ours - theirs).mean())


def test_only_seeds_of_both_are_pairs():
    found = compare_paired({0: 1.0, 1: 5.0, 3: 2.0}, {1: 4.0, 2: 100.0, 3: 4.0})
    assert found.seeds == (1, 3)
    assert found.mean == -0.5
    assert compare_paired({0: 1.0}, {1: 1.0}) is None


def test_one_seed_has_neither_spread_nor_interval():
    assert compute_spread({4: 3.0}) == (3.0, None)
    assert compare_paired({4: 3.0}, {4: 2.0}) == ((4,), 1.0, None, None, None)


def test_equal_differences_have_no_p():
    assert compare_paired({0: 2.0, 1: 3.0}, {0: 1.0, 1: 2.0}) == ((0, 1), 1.0, 1.0, 1.0, None)


def test_the_spread_is_numpy_s():
    values = {0: 19.7, 1: 21.0, 2: 20.3}
    found, numbers = compute_spread(values), np.array(list(values.values()))
    assert found.mean == pytest.approx(numbers.mean())
    assert found.std == pytest.approx(numbers.std(ddof=1))
