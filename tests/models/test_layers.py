"""Layers: forms, starts and refusals."""

import pytest
import torch
from torch.nn import functional as F

from ssgan.models.layers import Conv2d, ConvTranspose2d, Embedding, Linear, Resample
from tests.models.checks import use_plain_form

CHANGES = [resample for resample in Resample if resample is not Resample.NONE]


def randomised(layer):
    torch.nn.init.normal_(layer.bias)
    return layer.double()


def value_and_gradients(layer, x):
    x = x.clone().requires_grad_()
    layer.zero_grad()
    y = layer(x)
    (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)).sum().backward()
    return [y, x.grad, layer.weight.grad, layer.bias.grad]


@pytest.mark.parametrize("resample", CHANGES)
@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("spectral", [False, True])
def test_fused_and_plain_forms_agree(resample, kernel_size, spectral):
    torch.manual_seed(0)
    layer = randomised(Conv2d(3, 5, kernel_size, resample=resample, spectral=spectral))
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    fused = value_and_gradients(layer, x)
    use_plain_form(layer)
    assert not layer.fused
    plain = value_and_gradients(layer, x)
    for one, other in zip(fused, plain, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("channels", [5, 128])  # 128: as wide as another form of convolution asks
def test_a_bilinear_convolution_is_torch_s_interpolation_then_its_convolution(
    kernel_size, channels
):
    torch.manual_seed(0)
    layer = Conv2d(channels, channels, kernel_size, resample=Resample.UP_BILINEAR)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, channels, 4, 4)
    larger = F.interpolate(x.double(), scale_factor=2, mode="bilinear", align_corners=False)
    weight, bias = layer.weight.double(), layer.bias.double()
    expected = F.conv2d(larger, weight, bias, padding=kernel_size // 2)
    torch.testing.assert_close(layer(x).double(), expected, atol=1e-5, rtol=1e-5)


def test_a_pointwise_convolution_up_by_zeros_has_the_bias_everywhere():
    layer = Conv2d(1, 1, 1, resample=Resample.UP_ZERO)
    torch.nn.init.constant_(layer.bias, 7.0)
    assert layer(torch.zeros(1, 1, 2, 2)).unique().tolist() == [7.0]


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (Conv2d(3, 4), 8),
        (Conv2d(3, 4, 1), 8),
        (Conv2d(3, 4, 4, stride=2), 4),
        (Conv2d(3, 4, resample=Resample.DOWN), 4),
        (Conv2d(3, 4, resample=Resample.UP_NEAREST), 16),
        (Conv2d(3, 4, resample=Resample.UP_BILINEAR), 16),
        (ConvTranspose2d(3, 4), 16),
    ],
)
def test_sizes(layer, size):
    assert layer(torch.randn(2, 3, 8, 8)).shape == (2, 4, size, size)


@pytest.mark.parametrize(
    "layer", [Conv2d(40, 50), ConvTranspose2d(40, 50), Linear(200, 100), Embedding(100, 200)]
)
def test_weights_start_from_a_normal_of_deviation_a_fiftieth_and_biases_from_zero(layer):
    assert layer.weight.mean().item() == pytest.approx(0, abs=1e-3)
    assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert set(dict(layer.named_parameters())) <= {"weight", "bias"}
    if not isinstance(layer, Embedding):
        assert not layer.bias.any()


def test_an_embedding_is_a_linear_map_of_the_one_hot_label():
    layer = Embedding(5, 3, spectral=True)
    labels = torch.tensor([4, 0, 4])
    one_hot = torch.nn.functional.one_hot(labels, 5).float()
    torch.testing.assert_close(layer(labels), one_hot @ layer.effective_weight())


def test_what_has_no_meaning_is_refused():
    with pytest.raises(ValueError, match="1, 3 or 4, not 5"):
        Conv2d(3, 3, 5)
    with pytest.raises(ValueError, match="convolution with stride 1"):
        Conv2d(3, 3, 3, stride=2, resample=Resample.DOWN)
