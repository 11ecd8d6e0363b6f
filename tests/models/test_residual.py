"""The residual networks' layer lists by hand; published counts of those for 128 and 48 pixels."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from ssgan.models.blocks import BlockConfig, DownBlock
from ssgan.models.layers import Resample
from ssgan.models.norms import BatchNorm, ConditionalBatchNorm, SelfModulatedBatchNorm
from ssgan.models.resnet import (
    ResNet5Discriminator,
    ResNet5Generator,
    ResNetDiscriminator,
    ResNetGenerator,
    ResNetSTLDiscriminator,
    ResNetSTLGenerator,
)
from ssgan.ops.spectral_norm import SpectralLayer
from ssgan.types import ImageShape
from tests.models.checks import (
    assert_all_close,
    convolved,
    livened,
    normed,
    parameter_count,
    zeros_inserted,
)

LARGE, STL = ImageShape(3, 128), ImageShape(3, 48)


@pytest.mark.parametrize(
    ("norm", "classes", "count"),
    [
        (BatchNorm(), 0, 13_786_115),
        (SelfModulatedBatchNorm(), 0, 14_019_939),
        (ConditionalBatchNorm(), 1000, 19_668_227),
    ],
)
def test_the_parameters_of_the_generator_for_128_pixels(norm, classes, count):
    with torch.device("meta"):
        network = ResNet5Generator(norm=norm).build(LARGE, classes)
    assert parameter_count(network) == count


@pytest.mark.parametrize(
    ("width", "classes", "count"),
    [(0, 0, 15_086_529), (4, 0, 15_086_529 + 2_052), (0, 1000, 15_086_529 + 512_000)],
)
def test_the_parameters_of_the_discriminator_for_128_pixels(width, classes, count):
    with torch.device("meta"):
        network = ResNet5Discriminator(spectral=False).build(LARGE, width, classes)
    assert parameter_count(network) == count


def test_the_parameters_of_the_networks_for_48_pixels():
    with torch.device("meta"):
        generator = ResNetSTLGenerator().build(STL, 0)
        discriminator = ResNetSTLDiscriminator(spectral=False).build(STL, 0, 0)
    assert parameter_count(generator) == 6_254_339
    assert parameter_count(discriminator) == 25_114_817


GENERATORS = [
    (ResNetGenerator(latent_size=6, width=4 / 256), 32, 4, [4, 4, 4, 4], 3),
    (ResNet5Generator(latent_size=6, width=1 / 32), 128, 4, [16, 16, 8, 8, 4, 2], 5),
    (ResNet5Generator(latent_size=6, width=1 / 32), 32, 4, [16, 16, 8, 8, 4, 2], 3),
    (ResNetSTLGenerator(latent_size=6, width=1 / 32), 48, 6, [16, 8, 4, 2], 3),
]


@pytest.mark.parametrize(("config", "size", "start", "channels", "doubling"), GENERATORS)
def test_the_generators_are_the_published_layer_lists(config, size, start, channels, doubling):
    """Step by step with torch's own functions, zero insertion and a sigmoid."""
    torch.manual_seed(0)
    generator = livened(config.build(ImageShape(3, size), 0))

    z = torch.randn(3, 6, dtype=torch.float64)
    x = F.linear(z, generator.first.weight, generator.first.bias)
    x = x.reshape(3, start, start, channels[0]).permute(0, 3, 1, 2)
    assert len(generator.blocks) == len(channels) - 1
    for number, block in enumerate(generator.blocks):
        larger = zeros_inserted if number < doubling else lambda same: same
        main = normed(block.norm2, convolved(block.conv1, larger(normed(block.norm1, x))))
        x = convolved(block.shortcut, larger(x)) + convolved(block.conv2, main)
        assert x.shape[1] == channels[number + 1]
    expected = 2 * torch.sigmoid(convolved(generator.last, normed(generator.norm, x))) - 1
    torch.testing.assert_close(generator(z), expected, atol=1e-9, rtol=0)


FIVE = ResNet5Discriminator(width=1 / 32, spectral=False)
STL_D = ResNetSTLDiscriminator(width=1 / 32, spectral=False)
CIFAR_D = ResNetDiscriminator(width=1 / 32, spectral=False)
DISCRIMINATORS = [
    (FIVE, 128, [2, 4, 8, 8, 16, 16], [64, 32, 16, 8, 4, 2]),
    (FIVE, 64, [2, 4, 8, 8, 16, 16], [32, 16, 8, 4, 2, 1]),
    (FIVE, 32, [2, 4, 8, 8, 16, 16], [16, 8, 4, 2, 1, 1]),
    (STL_D, 48, [2, 4, 8, 16, 32], [24, 12, 6, 3, 3]),
    (CIFAR_D, 32, [4, 4, 4, 4], [16, 8, 8, 8]),
]


@pytest.mark.parametrize(("config", "size", "channels", "sides"), DISCRIMINATORS)
def test_the_discriminators_are_the_published_layer_lists(config, size, channels, sides):
    """Step by step with torch's own functions, on [0, 1], average pooling after the block."""
    torch.manual_seed(0)
    discriminator = livened(config.build(ImageShape(3, size), 4, 0))

    images = torch.rand(3, 3, size, size, dtype=torch.float64) * 2 - 1
    x, maps = (images + 1) / 2, []
    for block, side in zip(discriminator.blocks, sides, strict=True):
        main = convolved(block.conv2, F.relu(convolved(block.conv1, F.relu(x))))
        whole = main + convolved(block.shortcut, x)
        x = F.avg_pool2d(whole, 2) if side < x.shape[2] else whole
        maps.append(x)
    assert [each.shape[1] for each in maps] == channels
    assert [each.shape[2] for each in maps] == sides
    features = F.relu(x).mean((2, 3))
    scores = discriminator(images)
    torch.testing.assert_close(scores.features, features, atol=1e-9, rtol=0)
    real = F.linear(features, discriminator.heads.real.weight, discriminator.heads.real.bias)
    torch.testing.assert_close(scores.real, real[:, 0], atol=1e-9, rtol=0)
    assert_all_close(discriminator.block_outputs(images), maps)


@pytest.mark.parametrize("config", [ResNet5Generator, ResNetSTLGenerator])
def test_the_generators_ends_are_never_spectrally_normed(config):
    """The rest is, the norms' linear maps included."""
    shape = LARGE if config is ResNet5Generator else STL
    spec = config(width=1 / 64, spectral=True, norm=SelfModulatedBatchNorm())
    network = spec.build(shape, 0)
    plain = {
        name
        for name, layer in network.named_modules()
        if isinstance(layer, SpectralLayer) and layer.spectral_u is None
    }
    assert plain == {"first", "last"}
    discriminator = ResNet5Discriminator(width=1 / 64).build(LARGE, 4, 3)
    layers = [layer for layer in discriminator.modules() if isinstance(layer, SpectralLayer)]
    assert len(layers) == 6 * 3 + 3
    assert all(layer.spectral_u is not None for layer in layers)


@pytest.mark.parametrize("resample", [Resample.NONE, Resample.DOWN])
def test_a_block_that_keeps_its_channels_may_pass_its_input_or_nothing(resample):
    torch.manual_seed(0)
    form = BlockConfig(Resample.DOWN, "1x1", spectral=False, fused=True)
    x = torch.randn(2, 4, 6, 6)
    halves = resample is Resample.DOWN

    def block(unchanged, in_channels=4):
        torch.manual_seed(1)
        return DownBlock(in_channels, 4, halves, form._replace(unchanged=unchanged))

    main = block("none")(x)
    passed = F.avg_pool2d(x, 2) if halves else x
    torch.testing.assert_close(block("identity")(x), main + passed)
    convolved = block("convolution")
    torch.testing.assert_close(convolved(x), main + convolved.shortcut(x))
    assert block("none", in_channels=3).shortcut.weight.shape == (4, 3, 1, 1)


def test_the_sum_is_the_mean_times_the_places():
    def features(pooling):
        torch.manual_seed(0)
        config = replace(FIVE, pooling=pooling)
        return config.build(LARGE, 0, 0)(torch.ones(1, 3, 128, 128)).features

    torch.testing.assert_close(features("sum"), 4 * features("mean"))
