"""DCGAN's networks: published counts, and the layer lists by hand."""

import pytest
import torch
from torch.nn import functional as F

from ssgan.models.dcgan import DCGANDiscriminator, DCGANGenerator, HalvingConv
from ssgan.models.layers import ConvTranspose2d
from ssgan.types import ImageShape
from tests.models.checks import assert_all_close, livened, normed, parameter_count

SHAPE = ImageShape(3, 64)


def test_the_parameters_are_the_published_ones():
    with torch.device("meta"):
        config = DCGANDiscriminator(spectral=False)
        assert parameter_count(DCGANGenerator().build(SHAPE, 0)) == 5_364_739
        assert parameter_count(config.build(SHAPE, 0, 0)) == 4_314_753
        assert parameter_count(config.build(SHAPE, 4, 0)) == 4_314_753 + 32_772


def test_halving_reads_one_pixel_before_and_two_after():
    """Output (y, x) is the sum over rows 2 y - 1 ... 2 y + 3, and the same columns."""
    torch.manual_seed(0)
    conv = HalvingConv(1, 1, spectral=False)
    image = torch.randn(8, 8)
    output = conv(image[None, None])[0, 0]
    for y in range(4):
        for x in range(4):
            expected = 0.0
            for dy in range(5):
                for dx in range(5):
                    row, column = 2 * y - 1 + dy, 2 * x - 1 + dx
                    if 0 <= row < 8 and 0 <= column < 8:
                        expected += (image[row, column] * conv.weight[0, 0, dy, dx]).item()
            assert output[y, x].item() == pytest.approx(expected, abs=1e-6)


def test_doubling_is_the_transpose_of_halving():
    torch.manual_seed(0)
    down, up = HalvingConv(3, 2, spectral=False).double(), ConvTranspose2d(2, 3, 5).double()
    up.weight.data.copy_(down.weight)
    large = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    small = torch.randn(2, 2, 4, 4, dtype=torch.float64)
    torch.testing.assert_close((down(large) * small).sum(), (large * up(small)).sum())


def test_the_generator_is_the_published_layer_list():
    torch.manual_seed(0)
    generator = livened(DCGANGenerator(latent_size=6, width=1 / 32).build(SHAPE, 0))
    z = torch.randn(3, 6, dtype=torch.float64)
    x = F.linear(z, generator.first.weight, generator.first.bias)
    x = x.reshape(3, 4, 4, 16).permute(0, 3, 1, 2)
    for norm, conv in zip(generator.norms, generator.convs, strict=True):
        x = conv(normed(norm, x))
        assert torch.count_nonzero(conv.bias)
    assert x.shape == (3, 3, 64, 64)
    torch.testing.assert_close(generator(z), x.tanh(), atol=1e-10, rtol=0)


def test_the_discriminator_is_the_published_layer_list():
    torch.manual_seed(0)
    config = DCGANDiscriminator(width=1 / 32, spectral=False)
    discriminator = livened(config.build(SHAPE, 4, 0))
    images = torch.rand(3, 3, 64, 64, dtype=torch.float64) * 2 - 1
    x, maps = (images + 1) / 2, []
    for conv, channels in zip(discriminator.convs, [2, 4, 8, 16], strict=True):
        x = F.conv2d(F.pad(x, (1, 2, 1, 2)), conv.weight, conv.bias, stride=2)
        x = torch.where(x > 0, x, 0.2 * x)
        assert x.shape[1] == channels
        maps.append(x)
    features = x.permute(0, 2, 3, 1).flatten(1)
    torch.testing.assert_close(discriminator(images).features, features, atol=1e-10, rtol=0)
    assert_all_close(discriminator.block_outputs(images), maps)
