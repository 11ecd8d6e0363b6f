"""Winograd's algorithm against the plain convolution, in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from ssgan.models.layers import Conv2d
from ssgan.ops import winograd
from ssgan.ops.winograd import conv3x3_winograd, suits_winograd
from tests.ops.test_convolution import arguments, value_gradients_and_second

shapes = st.fixed_dictionaries(
    {
        "batch": st.integers(1, 3),
        "inner": st.integers(1, 5),
        "outer": st.integers(1, 5),
        "height": st.integers(1, 3).map(lambda tiles: 4 * tiles),
        "width": st.integers(1, 3).map(lambda tiles: 4 * tiles),
        "bias": st.booleans(),
        "channels_last": st.booleans(),
        "seed": st.integers(0, 1000),
        "pixels": st.sampled_from([1, 64, 4096]),
    }
)


@given(shape=shapes)
@settings(max_examples=40, deadline=None, database=None)
def test_it_is_the_convolution_with_both_derivatives(shape):
    x, w, b = arguments(shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "_PIXELS", shape["pixels"])
        ours = value_gradients_and_second(conv3x3_winograd, x, w, b)
    theirs = value_gradients_and_second(lambda x, w, b: F.conv2d(x, w, b, padding=1), x, w, b)
    for our, their in zip(ours, theirs, strict=True):
        scale = max(1.0, their.abs().max().item())
        torch.testing.assert_close(our / scale, their / scale, atol=1e-10, rtol=0)


def test_in_float32_its_error_is_a_few_times_that_of_the_plain_sum():
    torch.manual_seed(0)
    x, w = torch.randn(4, 128, 16, 16), torch.randn(128, 128, 3, 3) / 34
    exact = F.conv2d(x.double(), w.double(), padding=1)
    error = (conv3x3_winograd(x, w, None) - exact).norm() / exact.norm()
    assert error < 5e-6


def test_channels_stay_last():
    x = torch.randn(2, 8, 8, 8).contiguous(memory_format=torch.channels_last)
    y = conv3x3_winograd(x, torch.randn(8, 8, 3, 3), torch.randn(8))
    assert y.is_contiguous(memory_format=torch.channels_last)


WIDE = (torch.zeros(1, 128, 8, 8), torch.zeros(128, 128, 3, 3))


def test_it_is_for_wide_float32_layers_of_whole_tiles():
    images, weight = WIDE
    assert suits_winograd(images, weight)
    assert not suits_winograd(images.double(), weight.double())
    assert not suits_winograd(images.bfloat16(), weight.bfloat16())
    assert not suits_winograd(images[:, :, :7], weight)
    assert not suits_winograd(images, weight[:, :, :1, :1])
    assert not suits_winograd(images[:, :127], weight[:, :127])
    assert not suits_winograd(images, weight[:127])
    with torch.autocast("cpu", torch.bfloat16):
        assert not suits_winograd(images, weight)


def test_a_layer_takes_it_and_its_plain_form_does_not(monkeypatch):
    taken = []
    monkeypatch.setattr(
        "ssgan.models.layers.conv3x3_winograd",
        lambda *given: taken.append(1) or conv3x3_winograd(*given),
    )
    torch.manual_seed(0)
    layer = Conv2d(128, 128, spectral=True)
    x = torch.randn(2, 128, 8, 8)
    fused = layer(x)
    assert taken == [1]
    layer.fused = False
    torch.testing.assert_close(layer(x), fused, atol=1e-4, rtol=1e-3)
    assert taken == [1]
