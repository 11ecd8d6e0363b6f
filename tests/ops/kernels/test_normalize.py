"""Batch norm with modulation and ReLU in one, against PyTorch's operations in float64."""

import pytest
import torch
from torch.nn import functional as F

from ssgan.ops.kernels.normalize import normalize, suits_normalize

SUITED = torch.zeros(2, 16, 2, 2, dtype=torch.bfloat16)
pytestmark = pytest.mark.skipif(
    not suits_normalize(SUITED), reason="needs a CPU with AVX512-BF16, and a compiler"
)


def plain(inputs, running_mean, running_var, gain, shift, momentum, epsilon, *, relu):
    normalized = F.batch_norm(
        inputs, running_mean, running_var, None, None, True, momentum, epsilon
    )
    out = normalized * gain[..., None, None] + shift[..., None, None]
    return out.relu() if relu else out


def outcomes(function, inputs, gain, shift, direction, relu):
    """The outputs, the three gradients and the running statistics."""
    leaves = [t.detach().clone().requires_grad_() for t in (inputs, gain, shift)]
    running = [torch.zeros(inputs.shape[1]), torch.ones(inputs.shape[1])]
    running = [t.to(gain.dtype) for t in running]
    out = function(leaves[0], *running, *leaves[1:], 0.1, 1e-5, relu=relu)
    return out, *torch.autograd.grad(out, leaves, direction.to(out.dtype)), *running


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("each", [False, True], ids=["channel", "image"])
@pytest.mark.parametrize("shape", [(3, 16, 5, 4), (64, 32, 8, 8), (2, 48, 1, 1), (1, 16, 3, 3)])
def test_values_gradients_and_statistics_are_pytorch_s(shape, each, relu):
    torch.manual_seed(0)
    inputs = (torch.randn(shape) * 3 + 50).bfloat16().to(memory_format=torch.channels_last)
    gain, shift = torch.randn(2, *(shape[:2] if each else shape[1:2]))
    direction = torch.randn(shape).bfloat16()
    found = outcomes(normalize, inputs, gain, shift, direction, relu)
    expected = outcomes(plain, inputs.double(), gain.double(), shift.double(), direction, relu)
    for number, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        rounded = number < 2  # to bfloat16
        assert ours.dtype is (torch.bfloat16 if rounded else torch.float32)
        error = (ours.double() - theirs).norm() / theirs.norm().clamp(min=1e-9)
        assert error < (5e-3 if rounded else 2e-6), number


def test_a_second_derivative_is_pytorch_s():
    torch.manual_seed(0)
    inputs, gain, shift = torch.randn(4, 16, 3, 3).bfloat16(), torch.randn(16), torch.randn(16)
    seconds = []
    for function, dtype in ((normalize, torch.bfloat16), (plain, torch.float64)):
        x = inputs.to(dtype).requires_grad_()
        wide = [t.to(torch.float64 if dtype is torch.float64 else torch.float32) for t in
                (torch.zeros(16), torch.ones(16), gain, shift)]  # fmt: skip
        out = function(x, *wide, 0.1, 1e-5, relu=True)
        (slope,) = torch.autograd.grad(out.pow(2).sum(), x, create_graph=True)
        seconds.append(torch.autograd.grad(slope.pow(2).sum(), x)[0].double())
    assert (seconds[0] - seconds[1]).norm() < 0.03 * seconds[1].norm()


def test_bad_numbers_stay_bad():
    inputs = torch.zeros(2, 16, 2, 2).bfloat16()
    inputs[0, 3, 0, 0] = torch.nan
    ones = [torch.ones(16) for _ in range(4)]
    out = normalize(inputs, *ones, 0.1, 1e-5, relu=True)
    assert out[:, 3].isnan().all()
    assert not out[:, 4].isnan().any()


def test_it_is_for_bfloat16_maps_of_multiples_of_16_channels_on_a_cpu():
    assert suits_normalize(SUITED)
    assert not suits_normalize(SUITED.float())
    assert not suits_normalize(SUITED.to("meta"))
    assert not suits_normalize(SUITED[:, :8])
    assert not suits_normalize(SUITED[:, :, 0, 0])
    assert not suits_normalize(SUITED[:1, :, :1, :1])
    channels = SUITED.shape[1]
    assert suits_normalize(SUITED, torch.zeros(channels), torch.ones(channels))
    for bad in (torch.zeros(channels).bfloat16(), torch.zeros(8), torch.zeros(2 * channels)[::2]):
        assert not suits_normalize(SUITED, torch.zeros(channels), bad)


@pytest.mark.parametrize(("gain", "shift"), [((), ()), ((1,), (1,)), ((), (4,)), ((4,), ())])
def test_gains_and_shifts_are_broadcast_as_pytorch_does(gain, shift):
    torch.manual_seed(0)
    inputs = torch.randn(4, 16, 3, 3).bfloat16().to(memory_format=torch.channels_last)
    values = [torch.randn(*shape, 16, requires_grad=True) for shape in (gain, shift)]
    state = torch.zeros(16), torch.ones(16)
    found = normalize(inputs, *state, *values, 0.1, 1e-5, relu=False)
    plain = F.batch_norm(inputs.float(), None, None, training=True, eps=1e-5)
    expected = plain * values[0][..., None, None] + values[1][..., None, None]
    torch.testing.assert_close(found.float(), expected, rtol=2**-7, atol=2**-7)
    direction = torch.randn(4, 16, 3, 3).bfloat16().to(memory_format=torch.channels_last)
    gradients = torch.autograd.grad(found, values, direction)
    for one, other in zip(
        gradients, torch.autograd.grad(expected, values, direction.float()), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-2)


def test_gains_of_other_shapes_are_refused():
    inputs, state = SUITED, (torch.zeros(SUITED.shape[1]), torch.ones(SUITED.shape[1]))
    for shape in [(8,), (len(SUITED) + 1, SUITED.shape[1])]:
        with pytest.raises((RuntimeError, TypeError)):  # the latter where types are checked
            normalize(inputs, *state, torch.ones(shape), torch.ones(shape), 0.1, 1e-5, relu=True)
