"""Convolutions whose weight gradient is one matrix product, against PyTorch's own, in float64."""

import pytest
import torch
from torch.nn import functional as F

from ssgan.ops import convolution
from ssgan.ops.convolution import conv2d, conv_transpose2d, suits_product
from tests.ops.test_convolution import value_gradients_and_second


@pytest.fixture(params=[True, False], ids=["product", "convolution"])
def by_product(request, monkeypatch):
    monkeypatch.setattr(convolution, "suits_product", lambda *_: request.param)


def require_equal(ours, theirs, x, w, b):
    pairs = zip(
        value_gradients_and_second(ours, x, w, b),
        value_gradients_and_second(theirs, x, w, b),
        strict=True,
    )
    for our, their in pairs:
        torch.testing.assert_close(our, their, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(1, 1, 0), (3, 1, 1), (3, 2, 0), (4, 2, 1)]
)
@pytest.mark.parametrize("sides", [(4, 4), (7, 6)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_has_both_derivatives(by_product, size, stride, padding, sides, bias):
    torch.manual_seed(0)
    x = torch.randn(3, 2, *sides, dtype=torch.float64)
    w = torch.randn(4, 2, size, size, dtype=torch.float64)
    b = torch.randn(4, dtype=torch.float64) if bias else None
    require_equal(
        lambda x, w, b: conv2d(x, w, b, stride, padding),
        lambda x, w, b: F.conv2d(x, w, b, stride, padding),
        *(x, w, b),
    )


@pytest.mark.parametrize(("size", "padding", "more"), [(3, 0, 0), (3, 1, 1), (4, 1, 0), (5, 1, 0)])
@pytest.mark.parametrize("sides", [(1, 1), (4, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_transposed_convolution_has_both_derivatives(
    by_product, size, padding, more, sides, bias
):
    torch.manual_seed(0)
    x = torch.randn(3, 2, *sides, dtype=torch.float64)
    w = torch.randn(2, 4, size, size, dtype=torch.float64)
    b = torch.randn(4, dtype=torch.float64) if bias else None
    require_equal(
        lambda x, w, b: conv_transpose2d(x, w, b, padding, more),
        lambda x, w, b: F.conv_transpose2d(x, w, b, 2, padding, more),
        *(x, w, b),
    )


@pytest.mark.parametrize("transposed", [False, True])
def test_under_autocast_the_gradients_are_near_the_exact_ones_and_float32(transposed):
    torch.manual_seed(0)
    x, w, b = torch.randn(6, 8, 4, 4), torch.randn(8, 8, 3, 3), torch.randn(8)
    gradients = []
    for autocast in (True, False):
        leaves = [t.clone().requires_grad_() for t in (x, w, b)]
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            y = conv_transpose2d(*leaves) if transposed else conv2d(*leaves, 2, 1)
        y.square().sum().backward()
        gradients.append([leaf.grad for leaf in leaves])
    for found, expected in zip(*gradients, strict=True):
        assert found.dtype is torch.float32
        assert 1e-5 < (found - expected).norm() / expected.norm() < 0.02


def test_the_product_is_for_bfloat16_with_few_positions_on_a_cpu():
    images = torch.zeros(1, 1, 8, 8)
    assert not suits_product(images, 16, 1)
    assert not suits_product(images.to("meta", torch.bfloat16), 16, 1)
    assert suits_product(images.bfloat16(), 16, 1)
    assert suits_product(images.bfloat16(), 64, 2)
    assert not suits_product(images.bfloat16(), 17, 1)
    assert not suits_product(images.bfloat16(), 65, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert suits_product(images, 16, 1)
