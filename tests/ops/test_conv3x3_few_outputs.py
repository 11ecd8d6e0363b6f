"""The convolution to few outputs against the plain one, in float64."""

import torch
from hypothesis import given, settings
from torch.nn import functional as F

from ssgan.models.layers import Conv2d
from ssgan.ops.convolution import conv3x3_few_outputs, suits_few_outputs
from tests.ops.test_convolution import arguments, shapes, value_gradients_and_second


@given(shape=shapes)
@settings(max_examples=30, deadline=None, database=None)
def test_it_is_the_convolution_with_both_derivatives(shape):
    x, w, b = arguments(shape)
    ours = value_gradients_and_second(conv3x3_few_outputs, x, w, b)
    theirs = value_gradients_and_second(lambda x, w, b: F.conv2d(x, w, b, padding=1), x, w, b)
    for our, their in zip(ours, theirs, strict=True):
        scale = max(1.0, their.abs().max().item())
        torch.testing.assert_close(our / scale, their / scale, atol=1e-10, rtol=0)


def test_in_bfloat16_its_error_is_not_twice_that_of_the_plain_sum():
    torch.manual_seed(0)
    x, w = torch.randn(8, 256, 16, 16), torch.randn(3, 256, 3, 3) / 48
    exact = F.conv2d(x, w, padding=1)
    x, w = x.bfloat16(), w.bfloat16()
    errors = [
        (form(x, w).float() - exact).norm()
        for form in (
            lambda x, w: conv3x3_few_outputs(x, w, None),
            lambda x, w: F.conv2d(x, w, padding=1),
        )
    ]
    assert errors[0] < 2 * errors[1]


def test_it_is_for_few_outputs_of_many_channels():
    x, w = torch.zeros(1, 128, 4, 4), torch.zeros(3, 128, 3, 3)
    assert suits_few_outputs(x, w)
    assert not suits_few_outputs(x, w.expand(4, 3, 128, 3, 3).flatten(0, 1))
    assert not suits_few_outputs(x[:, :64], w[:, :64])
    assert not suits_few_outputs(x, w[:, :, :1, :1])


def test_a_layer_takes_it_and_its_plain_form_does_not(monkeypatch):
    taken = []
    monkeypatch.setattr(
        "ssgan.models.layers.conv3x3_few_outputs",
        lambda *given: taken.append(1) or conv3x3_few_outputs(*given),
    )
    torch.manual_seed(0)
    layer = Conv2d(128, 3)
    x = torch.randn(2, 128, 5, 5).contiguous(memory_format=torch.channels_last)
    fused = layer(x)
    assert fused.is_contiguous(memory_format=torch.channels_last)
    layer.fused = False
    torch.testing.assert_close(layer(x), fused, atol=1e-5, rtol=1e-4)
    assert taken == [1]
