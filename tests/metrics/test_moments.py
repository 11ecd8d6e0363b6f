from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssgan.metrics.moments import Moments
from ssgan.types import UserError


def rows(count, size, offset, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return offset + torch.randn(count, size, dtype=torch.float64, generator=generator)


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 300), max_size=12),
    parts=st.integers(1, 5),
    offset=st.sampled_from([0.0, 1e4, -1e4]),
)
def test_streamed_and_merged_moments_are_those_of_one_shot(cuts, parts, offset):
    """Against numpy, over random chunks (empty ones too) dealt to 1 to 5 processes."""
    x = rows(300, 7, offset)
    edges = [0, *sorted(cuts), 300]
    moments = [Moments(7) for _ in range(parts)]
    for i, (a, b) in enumerate(pairwise(edges)):
        moments[i % parts].update(x[a:b])
    for other in moments[1:]:
        moments[0].merge(other)
    centred = (x - offset).numpy()
    assert moments[0].count == 300
    np.testing.assert_allclose(moments[0].mean.numpy(), x.numpy().mean(0), rtol=1e-12)
    expected = np.cov(centred, rowvar=False)
    np.testing.assert_allclose(moments[0].covariance.numpy(), expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("count", [2, 10_000])
def test_one_by_one_is_the_same_as_at_once(count):
    x = rows(count, 3, 1e4)
    streamed = Moments(3)
    for part in x.split(1 if count == 2 else 97):
        streamed.update(part)
    torch.testing.assert_close(
        streamed.covariance, Moments.of(x).covariance, rtol=1e-10, atol=1e-12
    )


def test_float32_rows_are_summed_in_float64():
    x = rows(2000, 4, 1e4).float()
    assert Moments.of(x).mean.dtype == torch.float64
    np.testing.assert_allclose(
        Moments.of(x).covariance.numpy(), np.cov(x.double().numpy(), rowvar=False), rtol=1e-9
    )


def test_merging_leaves_the_other_side_alone_and_an_empty_one_changes_nothing():
    a, b = Moments.of(rows(5, 2, 0.0)), Moments.of(rows(7, 2, 1.0, seed=1))
    mean, scatter = b.mean.clone(), b.scatter.clone()
    a.merge(b)
    a.merge(Moments(2))
    assert a.count == 12
    assert torch.equal(b.mean, mean)
    assert torch.equal(b.scatter, scatter)


def test_a_refused_update_changes_nothing():
    moments = Moments.of(rows(5, 2, 0.0))
    mean = moments.mean.clone()
    bad = torch.tensor([[1.0, 2.0], [3.0, float("nan")]])
    with pytest.raises(
        UserError, match="1 of 2 fake images are NaN or infinite, the first in row 1"
    ):
        moments.update(bad, "fake")
    with pytest.raises(UserError, match="3 numbers, not 2"):
        moments.update(torch.zeros(4, 3))
    assert moments.count == 5
    assert torch.equal(moments.mean, mean)


def test_one_row_has_no_covariance():
    with pytest.raises(UserError, match="at least 2 images, not 1"):
        _ = Moments.of(torch.ones(1, 3)).covariance
