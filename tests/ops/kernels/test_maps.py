"""ReLU, sums over pixels and maxima in C, against PyTorch's."""

import pytest
import torch
from torch.nn import functional as F

from ssgan.ops.kernels.library import find_avx512
from ssgan.ops.kernels.maps import maximum3x3, relu, sum_pixels

pytestmark = pytest.mark.skipif(
    find_avx512() is None, reason="needs a CPU with AVX512-BF16, and a compiler"
)


def maps(*shape):
    return torch.randn(shape).to(torch.bfloat16).to(memory_format=torch.channels_last)


@pytest.mark.parametrize("last", [True, False], ids=["channels last", "channels first"])
@pytest.mark.parametrize("inplace", [False, True])
def test_relu_is_pytorch_s_to_the_bit_also_of_bad_numbers(inplace, last):
    torch.manual_seed(0)
    inputs = maps(2, 32, 5, 3)
    special = (torch.nan, -torch.nan, torch.inf, -torch.inf, 0.0, -0.0, 1e-40, -1e-40)
    inputs[0, : len(special), 0, 0] = torch.tensor(special).to(torch.bfloat16)
    direction, results = maps(2, 32, 5, 3), []
    direction = direction if last else direction.contiguous()
    for function in (relu, F.relu):
        leaf = inputs.clone().requires_grad_()
        out = function(leaf * 1, inplace=inplace)
        assert type(out.grad_fn).__name__.startswith("_Relu") is (function is relu)
        results.append((out, *torch.autograd.grad(out, leaf, direction)))
    for found, expected in zip(*results, strict=True):
        assert torch.equal(found.nan_to_num(7.0), expected.nan_to_num(7.0))
        assert torch.equal(found.isnan(), expected.isnan())


def test_autograd_notices_what_was_overwritten():
    saved = maps(2, 32, 3, 3).requires_grad_().sigmoid()  # its backward reads its output
    out = relu(saved, inplace=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


def test_relu_has_a_second_derivative():
    torch.manual_seed(0)
    inputs, results = maps(2, 32, 3, 3), []
    for function in (relu, F.relu):
        leaf = inputs.clone().requires_grad_()
        total = (function(leaf) + 1).pow(3).sum()
        (slope,) = torch.autograd.grad(total, leaf, create_graph=True)
        results.append((slope, *torch.autograd.grad(slope.sum(), leaf)))
    for found, expected in zip(*results, strict=True):
        assert torch.equal(found, expected)


def test_maps_that_it_cannot_read_are_pytorch_s():
    for inputs in (torch.randn(2, 3, 4, 4), maps(1, 3, 1, 1), torch.randn(2, 32).bfloat16()):
        assert torch.equal(relu(inputs), F.relu(inputs))
    with torch.no_grad():
        for inputs in (torch.randn(2, 3, 4, 4), maps(2, 24, 3, 3)):
            assert torch.equal(sum_pixels(inputs), inputs.sum((0, 2, 3)))


@torch.no_grad()
def test_sums_are_more_exact_than_bfloat16():
    torch.manual_seed(0)
    inputs = maps(70, 48, 9, 7)
    expected = inputs.double().sum((0, 2, 3))
    assert sum_pixels(inputs).dtype is torch.float32
    assert (sum_pixels(inputs) - expected).norm() < 1e-6 * expected.norm()


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 0), (1, 1), (2, 1)])
@pytest.mark.parametrize("shape", [(2, 32, 3, 8), (3, 96, 9, 6), (1, 64, 7, 7)])
def test_maxima_are_pytorch_s_to_the_bit(shape, stride, padding, monkeypatch):
    torch.manual_seed(0)
    inputs = maps(*shape)
    inputs[0, :4, 1, 1] = torch.tensor([torch.inf, -torch.inf, 1e-40, -1e-40]).to(torch.bfloat16)
    inputs[:, 5] = -torch.inf
    expected = F.max_pool2d(inputs, 3, stride, padding)
    monkeypatch.setattr(F, "max_pool2d", None)  # so the C function is used
    with torch.no_grad():
        found = maximum3x3(inputs, stride=stride, padding=padding)
    assert torch.equal(found, expected)
    assert found.stride() == expected.stride()


def test_maxima_of_other_maps_are_pytorch_s():
    torch.manual_seed(0)
    with torch.no_grad():
        for inputs in (torch.randn(2, 3, 9, 9), maps(2, 33, 9, 9), maps(2, 32, 2, 4)):
            expected = F.max_pool2d(inputs, 3, 1, 1)
            assert torch.equal(maximum3x3(inputs, padding=1), expected)
    leaf = maps(2, 32, 9, 9).requires_grad_()
    maximum3x3(leaf).sum().backward()
    assert leaf.grad is not None
