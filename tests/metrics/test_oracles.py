"""Against other people's implementations; the library needs none of them."""

import numpy as np
import prdc
import pytest
import torch
from sklearn.metrics import pairwise
from torchmetrics.image import fid, kid

from ssgan.metrics.frechet import frechet_distance
from ssgan.metrics.kernel import kernel_distance, squared_mmd
from ssgan.metrics.precision_recall import precision_recall


def normal(count, size, seed, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return shift + torch.randn(count, size, generator=generator, dtype=torch.float64)


def test_torchmetrics_has_the_same_frechet_distance():
    x, y = normal(300, 32, 0), normal(200, 32, 1, shift=0.2)
    theirs = fid._compute_fid(x.mean(0), torch.cov(x.T), y.mean(0), torch.cov(y.T))
    assert frechet_distance(x, y) == pytest.approx(float(theirs), rel=1e-8)


def test_torchmetrics_has_the_same_kernel_distance():
    x, y = normal(80, 16, 0), normal(80, 16, 1, shift=0.2)
    theirs = float(kid.poly_mmd(x, y))
    ours = kernel_distance(x, y, subsets=1, subset_size=80)
    assert ours.value == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("k", [3, 5])
def test_prdc_has_the_same_four_numbers(k):
    x, y = normal(150, 8, 0), normal(120, 8, 1, shift=0.3)
    theirs = prdc.compute_prdc(x.numpy(), y.numpy(), nearest_k=k)
    ours = precision_recall(x, y, k=k)._asdict()
    for name in ("precision", "recall", "density", "coverage"):
        assert ours[name] == pytest.approx(theirs[name], abs=1e-12)


def test_scikit_learn_has_the_same_kernel():
    x, y = normal(30, 6, 0), normal(40, 6, 1, shift=0.2)

    def k(a, b):
        return pairwise.polynomial_kernel(a.numpy(), b.numpy(), degree=3, coef0=1)

    xx, yy = k(x, x), k(y, y)
    within = (xx.sum() - np.trace(xx)) / (30 * 29) + (yy.sum() - np.trace(yy)) / (40 * 39)
    assert squared_mmd(x, y) == pytest.approx(within - 2 * k(x, y).mean(), rel=1e-10)
