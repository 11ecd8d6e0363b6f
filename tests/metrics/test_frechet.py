import math

import numpy as np
import pytest
import torch

from ssgan.metrics.frechet import (
    frechet_distance,
    frechet_from_moments,
    frechet_infinity,
    gaussian_distance,
)
from ssgan.metrics.moments import Moments
from ssgan.types import UserError

DOUBLE = torch.float64


def normal(count, size, seed, scale=1.0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return shift + scale * torch.randn(count, size, generator=generator, dtype=DOUBLE)


def random_rotation(size, seed):
    return torch.linalg.qr(normal(size, size, seed)).Q


def by_singular_values(real, fake):
    """The distance through numpy's SVD of the centred cross product, no Gaussian and no root."""
    a = (real - real.mean(0)).numpy() / math.sqrt(len(real) - 1)
    b = (fake - fake.mean(0)).numpy() / math.sqrt(len(fake) - 1)
    overlap = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    shift = real.numpy().mean(0) - fake.numpy().mean(0)
    return (shift**2).sum() + (a**2).sum() + (b**2).sum() - 2 * overlap


def whitened(count, size, seed):
    """Rows with mean 0 and covariance exactly I (up to rounding)."""
    x = normal(count, size, seed)
    q = torch.linalg.qr(x - x.mean(0)).Q
    q = torch.linalg.qr(q - q.mean(0)).Q
    return q * math.sqrt(count - 1)


def test_diagonal_gaussians_have_the_closed_form():
    s, t = torch.tensor([1.0, 4.0, 9.0], dtype=DOUBLE), torch.tensor([2.0, 0.5, 9.0], dtype=DOUBLE)
    m = torch.tensor([1.0, -2.0, 0.5], dtype=DOUBLE)
    expected = float((m**2).sum() + ((s.sqrt() - t.sqrt()) ** 2).sum())
    rotated = random_rotation(3, 0)
    for q in (torch.eye(3, dtype=DOUBLE), rotated):
        found = gaussian_distance(q @ m, q @ s.diag() @ q.T, 0 * m, q @ t.diag() @ q.T)
        assert found == pytest.approx(expected, rel=1e-10)


def test_two_by_two_that_do_not_commute():
    """tr (AB)^(1/2) of 2 x 2 is sqrt(tr AB + 2 sqrt(det AB))."""
    a = torch.tensor([[2.0, 0.7], [0.7, 1.0]], dtype=DOUBLE)
    b = torch.tensor([[1.0, -0.4], [-0.4, 3.0]], dtype=DOUBLE)
    root = math.sqrt((a @ b).trace() + 2 * math.sqrt(torch.det(a @ b)))
    zero = torch.zeros(2, dtype=DOUBLE)
    expected = float(a.trace() + b.trace()) - 2 * root
    assert gaussian_distance(zero, a, zero, b) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("count", "size"), [(50, 5), (6, 5), (400, 64), (20, 16)])
def test_sets_with_exact_moments_have_the_closed_form(count, size):
    """Equal covariances: the squared shift. Scaled ones: size * (scale - 1)^2 more."""
    x = whitened(count, size, 1)
    shift = torch.arange(size, dtype=DOUBLE)
    assert frechet_distance(x, x + shift) == pytest.approx(float(shift.square().sum()), rel=1e-8)
    scaled = size * (3.0 - 1) ** 2
    assert frechet_distance(x, 3 * x) == pytest.approx(scaled, rel=1e-8)


@pytest.mark.parametrize(
    ("n", "m", "size"), [(10, 12, 40), (10, 200, 40), (200, 10, 40), (40, 41, 40), (300, 500, 40)]
)
@pytest.mark.parametrize("kind", ["plain", "duplicates", "constant", "near_singular"])
def test_both_forms_equal_the_singular_value_identity(n, m, size, kind):
    real, fake = normal(n, size, 1), normal(m, size, 2, scale=1.5, shift=0.3)
    if kind == "duplicates":
        real = real[torch.arange(n) % 3]
    if kind == "constant":
        fake = fake[:1].expand(m, size)
    if kind == "near_singular":
        squash = torch.logspace(0, -9, size, dtype=DOUBLE)
        real, fake = real * squash, fake * squash.flip(0)
    expected = by_singular_values(real, fake)
    assert frechet_distance(real, fake) == pytest.approx(expected, abs=1e-6, rel=1e-9)
    found = frechet_from_moments(Moments.of(real), Moments.of(fake))
    assert found == pytest.approx(expected, abs=1e-6, rel=1e-9)


@pytest.mark.parametrize(("count", "size"), [(5, 30), (200, 30)])
def test_the_distance_to_itself_is_nothing_and_it_is_symmetric(count, size):
    x, y = 100 * normal(count, size, 1), 100 * normal(count + 3, size, 2)
    assert 0 <= frechet_distance(x, x) < 1e-6
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-10)


def test_float32_rows_lose_nothing_to_a_large_mean():
    x, y = normal(500, 8, 1).float() + 1000, normal(500, 8, 2, scale=1.2).float() + 1000
    expected = by_singular_values(x.double(), y.double())
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-8)


def test_the_order_of_the_rows_does_not_matter():
    x, y = normal(300, 20, 1), normal(200, 20, 2)
    mixed = y[torch.randperm(200, generator=torch.Generator().manual_seed(0))]
    assert frechet_distance(x, mixed) == pytest.approx(frechet_distance(x, y), rel=1e-10)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_features_that_are_not_finite_are_refused_by_name(value):
    x, y = normal(5, 3, 1), normal(5, 3, 2)
    y[2, 1] = value
    with pytest.raises(UserError, match=r"1 of 5 fake images .* row 2"):
        frechet_distance(x, y)
    with pytest.raises(UserError, match="real"):
        frechet_distance(y, x)


def test_a_single_image_or_other_features_are_refused():
    with pytest.raises(UserError, match="1 fake images are too few"):
        frechet_distance(normal(5, 3, 1), normal(1, 3, 2))
    with pytest.raises(UserError, match="at least 2 images, not 1"):
        frechet_from_moments(Moments.of(normal(5, 3, 1)), Moments.of(normal(1, 3, 2)))
    with pytest.raises(Exception, match=r"3 features each, fake ones 4|M F"):
        frechet_distance(normal(5, 3, 1), normal(5, 4, 2))


def test_fewer_images_score_worse_and_the_line_over_1_over_n_finds_the_truth():
    """Two equal laws: the distance falls with N to 0, and FD-infinity is near 0 at once."""
    real, fake = normal(4000, 16, 1), normal(4000, 16, 2)
    small, large = frechet_distance(real[:200], fake[:200]), frechet_distance(real, fake)
    assert small > 10 * large > 0
    at_infinity = frechet_infinity(real, fake, smallest=200)
    assert abs(at_infinity.value) < 0.5 * large
    assert at_infinity.low <= at_infinity.value <= at_infinity.high
    assert at_infinity.sizes[0] == 200
    assert at_infinity.sizes[-1] == 4000


def test_with_fixed_real_moments_only_the_fakes_are_cut():
    real, fake = normal(4000, 16, 1), normal(4000, 16, 2, shift=0.25)
    found = frechet_infinity(Moments.of(real), fake, smallest=200)
    assert found.distances[-1] == pytest.approx(frechet_distance(real, fake), rel=1e-9)
    assert found.value == pytest.approx(1.0, rel=0.15)
    assert found.value < found.distances[-1] < found.distances[0]


def test_fd_infinity_is_a_function_of_its_seed():
    real, fake = normal(300, 4, 1), normal(300, 4, 2)
    first = frechet_infinity(real, fake, smallest=50, points=5, seed=1)
    torch.manual_seed(9)
    assert frechet_infinity(real, fake, smallest=50, points=5, seed=1) == first
    assert frechet_infinity(real, fake, smallest=50, points=5, seed=2) != first


def test_fd_infinity_needs_room_for_its_sizes():
    with pytest.raises(UserError, match="from 90 to 100 images in 15 sizes"):
        frechet_infinity(normal(100, 3, 1), normal(200, 3, 2), smallest=90)
