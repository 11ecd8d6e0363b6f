import math

import pytest
import torch

from ssgan.metrics.kernel import kernel_distance, squared_mmd
from ssgan.types import UserError


def normal(count, size, seed, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return shift + torch.randn(count, size, generator=generator, dtype=torch.float64)


def by_hand(x, y):
    """The U-statistic with three double loops."""

    def k(a, b):
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    x, y = x.tolist(), y.tolist()
    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


def v_statistic(x, y):
    """The mutant: with k(x_i, x_i), biased upwards."""

    def mean(a, b):
        return float((a @ b.T / a.shape[1] + 1).pow(3).mean())

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def z_of(estimator, expected, shift, draws=600):
    values = torch.tensor(
        [estimator(normal(20, 4, 2 * i), normal(20, 4, 2 * i + 1, shift)) for i in range(draws)]
    )
    return float((values.mean() - expected) / (values.std() / math.sqrt(draws)))


def population_value(size, shift):
    """E k for independent Gaussians with means a, b and covariance I.

    t = x.y / d has mean a.b / d, and E (t + 1)^3 follows from its second and third moments:
    given y, x.y is normal with mean a.y and variance |y|^2.
    """

    def mean_kernel(p, q):
        a, b = p * size**0.5, q * size**0.5  # norms of the (parallel) means
        d = size
        first = a * b / d
        # E (x.y)^2 = E[(a.y)^2 + |y|^2]
        second = (a * a * (b * b + 1) + b * b + d) / d**2
        # E (x.y)^3 = E[(a.y)^3 + 3 (a.y) |y|^2]; E[(a.y) |y|^2] = a b (b^2 + d + 2)
        third = ((a * b) ** 3 + 3 * a**3 * b + 3 * a * b * (b * b + d + 2)) / d**3
        return 1 + 3 * first + 3 * second + third

    return mean_kernel(0, 0) + mean_kernel(shift, shift) - 2 * mean_kernel(0, shift)


def test_the_estimate_is_the_formula_by_hand():
    x, y = normal(7, 3, 0), normal(5, 3, 1, shift=0.4)
    assert squared_mmd(x, y) == pytest.approx(by_hand(x, y), rel=1e-12)


def test_blocks_do_not_change_the_sum(monkeypatch):
    x, y = normal(50, 3, 0), normal(41, 3, 1, shift=0.4)
    whole = squared_mmd(x, y)
    monkeypatch.setattr("ssgan.metrics.kernel._CELLS", 100)
    assert squared_mmd(x, y) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_estimate_is_unbiased_and_the_v_statistic_is_not(shift):
    expected = population_value(4, shift)
    assert abs(z_of(squared_mmd, expected, shift)) < 4
    assert z_of(v_statistic, expected, shift) > 20


@pytest.mark.parametrize("count", [2, 3, 10, 49])
def test_small_sets_are_finite_when_asked_for_and_refused_otherwise(count):
    x, y = normal(count, 4, 0), normal(count, 4, 1)
    assert math.isfinite(kernel_distance(x, y, subset_size=count).value)
    with pytest.raises(UserError, match=f"subsets of 1000 images and there are {count}"):
        kernel_distance(x, y)


def test_a_whole_subset_is_the_estimate_of_all_rows_and_subsets_are_seeded():
    x, y = normal(60, 4, 0), normal(60, 4, 1, shift=0.3)
    whole = kernel_distance(x, y, subsets=3, subset_size=60)
    assert whole.value == pytest.approx(squared_mmd(x, y), rel=1e-10)
    assert whole.std_within < 1e-12
    parts = kernel_distance(x, y, subsets=20, subset_size=30, seed=1)
    torch.manual_seed(5)
    assert kernel_distance(x, y, subsets=20, subset_size=30, seed=1) == parts
    assert kernel_distance(x, y, subsets=20, subset_size=30, seed=2).value != parts.value
    assert (parts.subsets, parts.subset_size) == (20, 30)


def test_one_image_and_values_that_are_not_finite_are_refused():
    x, y = normal(5, 4, 0), normal(5, 4, 1)
    with pytest.raises(UserError, match="1 fake images are too few"):
        squared_mmd(x, y[:1])
    y[3, 0] = float("nan")
    with pytest.raises(UserError, match="fake images are NaN or infinite, the first in row 3"):
        squared_mmd(x, y)
    with pytest.raises(UserError, match="at least 1 subset of 2"):
        kernel_distance(x, x, subset_size=1)
