"""Convolutions on the matrix unit against PyTorch's in float64, on the same rounded numbers."""

import pytest
import torch
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight
from torch.utils.flop_counter import FlopCounterMode

from ssgan.ops import convolution
from ssgan.ops.convolution import conv2d, conv_transpose2d
from ssgan.ops.kernels.amx import (
    convolution_weight_gradient,
    convolve_transposed,
    suits_amx,
)
from ssgan.ops.kernels.library import find_amx
from tests.ops.kernels.test_amx_tables import CONVOLUTIONS

pytestmark = pytest.mark.skipif(find_amx() is None, reason="needs a CPU with AMX, and a compiler")


def maps(*shape):
    return torch.randn(shape).to(torch.bfloat16).to(memory_format=torch.channels_last)


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("form", [*CONVOLUTIONS, (40, 44, 3, 1, 1), (33, 33, 3, 2, 0)])
@pytest.mark.parametrize(("batch", "inner", "outer"), [(1, 32, 64), (5, 96, 32)])
def test_both_operations_are_pytorch_s(form, batch, inner, outer, threads):
    height, width, kernel, stride, padding = form
    torch.manual_seed(0)
    images, weight = maps(batch, inner, height, width), torch.randn(outer, inner, kernel, kernel)
    rounded = weight.to(torch.bfloat16).double()
    shape = F.conv2d(images.double(), rounded, None, stride, padding).shape
    gradient, bias = maps(*shape), torch.randn(inner)
    rest = tuple((s + 2 * padding - kernel) % stride for s in (height, width))

    found = convolution_weight_gradient(images, gradient, kernel, stride, padding)
    expected = conv2d_weight(images.double(), weight.shape, gradient.double(), stride, padding)
    assert found.dtype is torch.float32
    assert (found - expected).norm() < 1e-6 * expected.norm()

    found = convolve_transposed(gradient, weight, bias, stride, padding, rest)
    expected = F.conv_transpose2d(gradient.double(), rounded, bias.double(), stride, padding, rest)
    assert found.dtype is torch.bfloat16
    torch.testing.assert_close(found.double(), expected, rtol=2**-8, atol=1e-4)


def test_inputs_of_any_layout_and_type_are_read():
    torch.manual_seed(0)
    images, gradient = torch.randn(2, 32, 6, 5), torch.randn(2, 32, 6, 5)
    weight = torch.randn(3, 3, 32, 32).permute(3, 2, 0, 1)
    plain = convolution_weight_gradient(maps_of(images), maps_of(gradient), 3, 1, 1)
    assert torch.equal(convolution_weight_gradient(images, gradient, 3, 1, 1), plain)
    plain = convolve_transposed(maps_of(images), weight.contiguous(), None, 2, 0, (0, 0))
    assert torch.equal(convolve_transposed(images, weight, None, 2, 0, (0, 0)), plain)


def maps_of(images):
    return images.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


def test_bad_numbers_stay_bad():
    images = torch.zeros(1, 32, 4, 4)
    images[0, 3, 2, 2] = torch.nan
    assert convolution_weight_gradient(images, torch.ones(1, 32, 4, 4), 3, 1, 1).isnan().any()
    assert convolve_transposed(images, torch.ones(32, 32, 3, 3), None, 2, 0, (0, 0)).isnan().any()


@pytest.mark.parametrize("transposed", [False, True])
def test_layers_take_them_in_bfloat16_and_their_operations_are_counted(transposed, monkeypatch):
    torch.manual_seed(0)
    x, w, b = torch.randn(2, 32, 8, 8), torch.randn(32, 32, 3, 3), torch.randn(32)
    gradients, counts = [], []
    for suits in (suits_amx, lambda *_: False):
        monkeypatch.setattr(convolution, "suits_amx", suits)
        leaves = [t.clone().requires_grad_() for t in (x, w, b)]
        with FlopCounterMode(display=False) as counter, torch.autocast("cpu", torch.bfloat16):
            y = conv_transpose2d(*leaves) if transposed else conv2d(*leaves, 2, 1)
            y.float().square().sum().backward()
        gradients.append([leaf.grad for leaf in leaves])
        counted = counter.get_flop_counts()["Global"]
        assert any("ssgan" in str(name) for name in counted) is (suits is suits_amx)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1]
    for found, expected in zip(*gradients, strict=True):
        assert (found - expected).norm() / expected.norm() < 0.01


def test_a_second_derivative_is_pytorch_s():
    """The kernels have no derivative of their own, so `backward` leaves them out for it."""
    torch.manual_seed(0)
    x = torch.randn(2, 32, 8, 8, requires_grad=True)
    w = torch.randn(32, 32, 3, 3, requires_grad=True)
    seconds = []
    for autocast in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            y = conv2d(x, w, None, 2, 1)
        slopes = torch.autograd.grad(y.float().square().sum(), (x, w), create_graph=True)
        square = sum(slope.square().sum() for slope in slopes)
        seconds.append(torch.autograd.grad(square, (x, w)))
    for expected, found in zip(*seconds, strict=True):
        assert (found - expected).norm() / expected.norm() < 0.02


def test_it_is_for_bfloat16_of_multiples_of_32_channels_on_a_cpu():
    images = torch.zeros(1, 32, 4, 4, dtype=torch.bfloat16)
    weight = torch.zeros(64, 32, 3, 3)
    assert suits_amx(images, weight)
    assert not suits_amx(images.float(), weight)
    assert not suits_amx(images.to("meta"), weight)
    assert not suits_amx(images, torch.zeros(3, 32, 3, 3))
    assert not suits_amx(images, torch.zeros(32, 3, 3, 3))
    with torch.autocast("cpu", torch.bfloat16):
        assert suits_amx(images.float(), weight)


@pytest.mark.parametrize(("inner", "bias"), [(64, None), (24, None), (32, 16)])
def test_channels_that_do_not_fit_are_refused(inner, bias):
    images, weight = maps(1, inner, 8, 8), maps(32, 32, 3, 3)
    with pytest.raises((RuntimeError, ValueError, TypeError)):  # the last where types are checked
        conv_transpose2d(images, weight, None if bias is None else torch.zeros(bias).bfloat16())


def test_no_images_give_no_images_and_no_gradient():
    images, weight = maps(0, 32, 8, 8).requires_grad_(), maps(32, 32, 3, 3).requires_grad_()
    for found in (conv2d(images, weight, None, 2, 1), conv_transpose2d(images, weight, None)):
        assert len(found) == 0
        _, slope = torch.autograd.grad(found.sum(), (images, weight))
        assert not slope.any()


def test_float64_stays_float64_under_autocast():
    torch.manual_seed(0)
    images, weight = torch.randn(2, 32, 8, 8).double(), torch.randn(32, 32, 3, 3).double()
    expected = F.conv_transpose2d(images, weight, None, 2)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(conv_transpose2d(images, weight, None), expected)
