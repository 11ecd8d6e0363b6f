"""The Frechet distance of two Gaussians fitted to features, in float64 (Heusel et al. 2017).

    d = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

On the 2015 Inception features it is the FID; on others it is named after them. No matrix square
root is computed: with S1 = A^T A and S2 = B^T B the last trace is the nuclear norm of A B^T. The
distance is biased upwards by about c / N: never compare distances of different N.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.metrics.features import check_rows, require_finite, require_same_size
from ssgan.metrics.moments import Moments
from ssgan.types import UserError


def frechet_distance(real: Float[Tensor, "N F"], fake: Float[Tensor, "M F"]) -> float:
    """The distance between two sets of features, at least 2 rows each; 0 for equal moments.

    With no more rows than features in either set, by the nuclear norm of the centred cross product
    (exact, and without an F x F matrix); otherwise from the moments. Rounding below 0 is cut to 0.
    Raises UserError for fewer than 2 rows, NaN, infinity, or rows of different length.
    """
    require_same_size(real, fake)
    real, fake = check_rows(real, "real"), check_rows(fake, "fake").to(real.device)
    if min(len(real), len(fake)) > real.shape[1]:
        return frechet_from_moments(Moments.of(real), Moments.of(fake))
    a, b = _factor(real), _factor(fake)
    shift = real.mean(dim=0) - fake.mean(dim=0)
    overlap = torch.linalg.svdvals(a @ b.T).sum()
    return _distance(shift, a.square().sum(), b.square().sum(), overlap)


def frechet_from_moments(real: Moments, fake: Moments) -> float:
    """The distance from moments, at least 2 images each; see `gaussian_distance`."""
    return gaussian_distance(real.mean, real.covariance, fake.mean, fake.covariance)


def gaussian_distance(
    mean_a: Float[Tensor, " F"],
    covariance_a: Float[Tensor, "F F"],
    mean_b: Float[Tensor, " F"],
    covariance_b: Float[Tensor, "F F"],
) -> float:
    """The distance between two Gaussians, rank-deficient ones too.

    Symmetric in a and b. Raises UserError when sizes differ or a value is NaN or infinite.
    """
    require_same_size(mean_a, mean_b)
    require_finite(torch.stack([mean_a, mean_b.to(mean_a)]), "averaged")
    require_finite(covariance_a, "first covariance's")
    require_finite(covariance_b, "second covariance's")
    a, b = covariance_a.double(), covariance_b.double().to(covariance_a.device)
    shift = mean_a.double() - mean_b.double().to(mean_a.device)
    return _distance(shift, a.trace(), b.trace(), _trace_root_product(a, b))


def _distance(shift: Tensor, trace_a: Tensor, trace_b: Tensor, overlap: Tensor) -> float:
    return max(0.0, float(shift.square().sum() + trace_a + trace_b - 2 * overlap))


def _factor(rows: Float[Tensor, "N F"]) -> Float[Tensor, "R F"]:
    """A with A^T A = the covariance and at most F rows."""
    a = (rows - rows.mean(dim=0)) / math.sqrt(len(rows) - 1)
    if len(a) <= a.shape[1]:
        return a
    reduced: Tensor = torch.linalg.qr(a, mode="r").R
    return reduced


def _trace_root_product(a: Float[Tensor, "F F"], b: Float[Tensor, "F F"]) -> Float[Tensor, ""]:
    """tr (A B)^(1/2) of symmetric A, B >= 0: the roots of the eigenvalues of L^T B L, A = L L^T.

    When A has no Cholesky factor its eigenvectors serve, without the eigenvalues that are
    rounding errors: their square roots are large (1e-16 would count as 1e-8).
    """
    factor, failed = torch.linalg.cholesky_ex(a)
    if int(failed):
        values, vectors = torch.linalg.eigh(a)
        seen = values > _rounding(values)
        factor = vectors[:, seen] * values[seen].sqrt()
    if factor.shape[1] == 0:
        return a.new_zeros(())
    squares: Tensor = torch.linalg.eigvalsh(factor.T @ b @ factor)
    return (squares * (squares > _rounding(squares))).sqrt().sum()


def _rounding(eigenvalues: Float[Tensor, " R"]) -> Float[Tensor, ""]:
    """The rounding error of the eigenvalues of an ascending spectrum."""
    epsilon = torch.finfo(eigenvalues.dtype).eps
    return eigenvalues[-1].clamp(min=0) * (len(eigenvalues) * epsilon)


class Extrapolated(NamedTuple):
    """A distance extrapolated to infinitely many images, with its points."""

    value: float  # intercept of the line over 1 / N; may be slightly negative
    low: float  # 2.5 % and 97.5 % points of the intercept over the bootstrap
    high: float
    sizes: tuple[int, ...]  # images in each subset
    distances: tuple[float, ...]  # the distance of each subset


def frechet_infinity(
    real: Float[Tensor, "N F"] | Moments,
    fake: Float[Tensor, "M F"],
    *,
    smallest: int,
    points: int = 15,
    draws: int = 1000,
    seed: int = 0,
) -> Extrapolated:
    """The distance at N = infinity, by a line over 1 / N (Chong and Forsyth 2020).

    Random subsets without replacement, of `points` sizes evenly from `smallest` to all images.
    With real features both sets are cut to N, which removes the bias of both. With real moments
    the fakes alone are cut, as in the paper, and the bias of the real set stays. Latents need not
    be Sobol points. The interval resamples the points `draws` times: it covers the line, not
    other images or other training seeds.

    `smallest` should be at least twice the number of features; then the line is straight.
    Raises UserError for `smallest` < 2, fewer than 3 points, or too few images.
    """
    available = len(fake) if isinstance(real, Moments) else min(len(real), len(fake))
    if smallest < 2 or points < 3 or available < smallest + points:
        raise UserError(
            f"FD-infinity from {smallest} to {available} images in {points} sizes is not possible; "
            "it needs a smallest size of 2, 3 sizes, and one more image for each size"
        )
    generator = torch.Generator().manual_seed(seed)
    sizes = [round(n) for n in torch.linspace(smallest, available, points).tolist()]
    distances = []
    for size in sizes:
        part = fake[torch.randperm(len(fake), generator=generator)[:size].to(fake.device)]
        if isinstance(real, Moments):
            distances.append(frechet_from_moments(real, Moments.of(part)))
        else:
            seen = torch.randperm(len(real), generator=generator)[:size].to(real.device)
            distances.append(frechet_distance(real[seen], part))
    x = 1 / torch.tensor(sizes, dtype=torch.float64)
    y = torch.tensor(distances, dtype=torch.float64)
    chosen = torch.randint(points, (draws, points), generator=generator)
    intercepts = _intercepts(x[chosen], y[chosen])
    low, high = intercepts.nanquantile(intercepts.new_tensor([0.025, 0.975])).tolist()
    return Extrapolated(
        float(_intercepts(x[None], y[None])), low, high, tuple(sizes), tuple(distances)
    )


def _intercepts(x: Float[Tensor, "L P"], y: Float[Tensor, "L P"]) -> Float[Tensor, " L"]:
    """Intercepts of the least-squares lines through each row's points; NaN for equal x."""
    dx = x - x.mean(dim=1, keepdim=True)
    slope = (dx * y).sum(dim=1) / dx.square().sum(dim=1)
    return y.mean(dim=1) - slope * x.mean(dim=1)
