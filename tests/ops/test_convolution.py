"""The fused convolutions against the two operations each stands for, in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from ssgan.ops.convolution import (
    conv2d,
    conv3x3_down,
    conv3x3_up_nearest,
    conv3x3_up_zero,
    double_bilinear,
    insert_zeros,
    pool2x2,
)


def plain_down(x, w, b):
    return F.avg_pool2d(F.conv2d(x, w, b, padding=1), 2)


def plain_up_nearest(x, w, b):
    doubled = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    return F.conv2d(doubled, w, b, padding=1)


def plain_up_zero(x, w, b):
    squares = F.pad(x[:, :, :, None, :, None], (0, 1, 0, 0, 0, 1))  # B C H 2 W 2
    return F.conv2d(squares.flatten(4).flatten(2, 3), w, b, padding=1)


PAIRS = {
    "down": (conv3x3_down, plain_down),
    "up_nearest": (conv3x3_up_nearest, plain_up_nearest),
    "up_zero": (conv3x3_up_zero, plain_up_zero),
}

shapes = st.fixed_dictionaries(
    {
        "batch": st.integers(1, 3),
        "inner": st.integers(1, 5),
        "outer": st.integers(1, 5),
        "height": st.integers(2, 7),
        "width": st.integers(2, 7),
        "bias": st.booleans(),
        "channels_last": st.booleans(),
        "seed": st.integers(0, 1000),
    }
)


def arguments(shape):
    torch.manual_seed(shape["seed"])
    size = (shape["batch"], shape["inner"], shape["height"], shape["width"])
    x = torch.randn(size, dtype=torch.float64)
    if shape["channels_last"]:
        x = x.contiguous(memory_format=torch.channels_last)
    w = torch.randn(shape["outer"], shape["inner"], 3, 3, dtype=torch.float64)
    b = torch.randn(shape["outer"], dtype=torch.float64) if shape["bias"] else None
    return x, w, b


def value_gradients_and_second(function, x, w, b):
    """The output; its gradients; the gradients of the squared norm of the input's gradient."""
    leaves = [t.clone().requires_grad_() for t in (x, w, b) if t is not None]
    y = function(*leaves, *([None] if b is None else []))
    target = torch.linspace(-2, 2, y.numel(), dtype=y.dtype).reshape(y.shape)
    # cubic, so that second derivatives are not zero
    first = torch.autograd.grad(((y - target) ** 3).sum(), leaves, create_graph=True)
    second = torch.autograd.grad(first[0].square().sum(), leaves)
    return [y, *first, *second]


@pytest.mark.parametrize("name", PAIRS)
@given(shape=shapes)
@settings(max_examples=25, deadline=None, database=None)
def test_a_fused_convolution_is_its_two_operations_with_both_derivatives(name, shape):
    fused, plain = PAIRS[name]
    x, w, b = arguments(shape)
    ours = value_gradients_and_second(fused, x, w, b)
    theirs = value_gradients_and_second(plain, x, w, b)
    for our, their in zip(ours, theirs, strict=True):
        scale = max(1.0, their.abs().max().item())
        torch.testing.assert_close(our / scale, their / scale, atol=1e-10, rtol=0)


def test_zero_insertion_puts_the_value_at_the_top_left():
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    expected = torch.tensor(
        [[1.0, 0.0, 2.0, 0.0], [0.0] * 4, [3.0, 0.0, 4.0, 0.0], [0.0] * 4],
    )
    torch.testing.assert_close(insert_zeros(x)[0, 0], expected, atol=0, rtol=0)


def test_zero_insertion_puts_the_gradient_of_the_top_left_back():
    x = torch.zeros(1, 1, 2, 2, requires_grad=True)
    weights = torch.arange(16.0).reshape(1, 1, 4, 4)
    (insert_zeros(x) * weights).sum().backward()
    assert x.grad.flatten().tolist() == [0.0, 2.0, 8.0, 10.0]


def bilinear_by_hand(image):
    """Pixel by pixel: a new centre lies a quarter of a pixel beside an old one."""
    height, width = image.shape
    out = np.zeros((2 * height, 2 * width))
    for row in range(2 * height):
        for column in range(2 * width):
            for y, a in ((row // 2, 0.75), (row // 2 + (1 if row % 2 else -1), 0.25)):
                for x, b in ((column // 2, 0.75), (column // 2 + (1 if column % 2 else -1), 0.25)):
                    at = image[min(max(y, 0), height - 1), min(max(x, 0), width - 1)]
                    out[row, column] += a * b * at
    return out


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4)])
def test_bilinear_doubling_is_by_quarters_and_torch_s_interpolation(size):
    torch.manual_seed(0)
    x = torch.randn(1, 1, *size, dtype=torch.float64)
    y = double_bilinear(x)
    np.testing.assert_allclose(y[0, 0].numpy(), bilinear_by_hand(x[0, 0].numpy()), atol=1e-12)
    doubled = [2 * side for side in size]
    assert torch.equal(y, F.interpolate(x, size=doubled, mode="bilinear", align_corners=False))


@pytest.mark.parametrize("name", PAIRS)
def test_channels_stay_last(name):
    x = torch.randn(2, 8, 4, 4).contiguous(memory_format=torch.channels_last)
    y = PAIRS[name][0](x, torch.randn(8, 8, 3, 3), None)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert insert_zeros(x).is_contiguous(memory_format=torch.channels_last)
    assert double_bilinear(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (3, 1), (3, 2), (4, 2)])
@pytest.mark.parametrize("side", [6, 7])
@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_with_a_frozen_weight_has_both_derivatives(size, stride, side, bias):
    torch.manual_seed(0)
    x = torch.randn(2, 3, side, side, dtype=torch.float64)
    w = torch.randn(4, 3, size, size, dtype=torch.float64)
    b = torch.randn(4, dtype=torch.float64) if bias else None
    padding = (size - 1) // 2
    ours, theirs = (
        value_gradients_and_second(
            lambda x, *_, convolve=convolve: convolve(x, w, b, stride, padding), x, None, None
        )
        for convolve in (conv2d, F.conv2d)
    )
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, atol=0, rtol=1e-10)


def test_a_bias_learns_beside_a_frozen_weight():
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64, requires_grad=True)
    b = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    conv2d(x, torch.randn(4, 3, 3, 3, dtype=torch.float64), b, 1, 1).sum().backward()
    torch.testing.assert_close(b.grad, torch.full_like(b, 2 * 6 * 6))


def test_a_convolution_with_a_frozen_weight_under_autocast_is_the_plain_one():
    torch.manual_seed(0)
    w = torch.randn(8, 8, 3, 3)
    gradients = []
    for convolve in (conv2d, F.conv2d):
        x = torch.linspace(-1, 1, 2 * 8 * 6 * 6).reshape(2, 8, 6, 6).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            y = convolve(x, w, None, 1, 1)
        assert y.dtype is torch.bfloat16
        y.square().sum().backward()
        gradients.append(x.grad)
    assert gradients[0].dtype is torch.float32
    torch.testing.assert_close(gradients[0], gradients[1], atol=0.5, rtol=0.02)


def kept_for_backward(function):
    """Sizes of the tensors autograd saves in the call."""
    sizes = []

    def note(tensor):
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        function()
    return sizes


def test_what_need_not_be_kept_for_backward_is_not():
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    w = torch.randn(4, 3, 3, 3)
    assert kept_for_backward(lambda: pool2x2(x, 1)) == []
    assert kept_for_backward(lambda: conv2d(x, w, None, 1, 1)) == [w.numel()]
    learnt = w.clone().requires_grad_()
    assert x.numel() in kept_for_backward(lambda: conv2d(x, learnt, None, 1, 1))
