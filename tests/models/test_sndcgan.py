"""The SNDCGAN networks: published counts, shapes, and the layer list by hand."""

import pytest
import torch
from torch.nn import functional as F

from ssgan.models.norms import BatchNorm, ConditionalBatchNorm, SelfModulatedBatchNorm
from ssgan.models.sndcgan import SNDCGANDiscriminator, SNDCGANGenerator
from ssgan.ops.spectral_norm import SpectralLayer
from ssgan.types import ImageShape, UserError
from tests.models.checks import assert_all_close, livened, parameter_count

CIFAR = ImageShape(3, 32)
SMALL_G = SNDCGANGenerator(latent_size=6, width=1 / 32)
SMALL_D = SNDCGANDiscriminator(width=1 / 32)


@pytest.mark.parametrize(("size", "count"), [(32, 3_828_739), (128, 19_926_019)])
def test_the_generators_parameters_are_the_published_ones(size, count):
    assert parameter_count(SNDCGANGenerator().build(ImageShape(3, size), 0)) == count


@pytest.mark.parametrize(
    ("size", "count", "head"), [(32, 5_860_865, 32_772), (128, 5_983_745, 524_292)]
)
def test_the_discriminators_parameters_are_the_published_ones(size, count, head):
    shape = ImageShape(3, size)
    assert parameter_count(SNDCGANDiscriminator().build(shape, 0, 0)) == count
    assert parameter_count(SNDCGANDiscriminator().build(shape, 4, 0)) == count + head


@pytest.mark.parametrize("size", [32, 48, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_and_ranges(size, channels):
    shape = ImageShape(channels, size)
    torch.manual_seed(0)
    images = livened(SMALL_G.build(shape, 0)).float()(torch.randn(2, 6)).detach()
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() <= 1
    assert images.abs().max() > 0.5
    scores = SMALL_D.build(shape, 4, 0)(images)
    features = 16 * (size // 8) ** 2
    assert [tuple(part.shape) for part in scores] == [(2,), (2, 4), (2, features)]


def test_the_generator_is_the_published_layer_list():
    torch.manual_seed(0)
    generator = livened(SMALL_G.build(CIFAR, 0))

    def norm(module, x):
        return F.relu(F.batch_norm(x, None, None, module.gain, module.shift, training=True))

    z = torch.randn(4, 6, dtype=torch.float64)
    flat = norm(generator.first_norm, F.linear(z, generator.first.weight, generator.first.bias))
    x = flat.reshape(4, 4, 4, 16).permute(0, 3, 1, 2)
    for conv, module in zip(generator.convs, generator.norms, strict=True):
        x = norm(module, F.conv_transpose2d(x, conv.weight, conv.bias, stride=2, padding=1))
    x = F.conv2d(x, generator.last.weight, generator.last.bias, padding=1)
    torch.testing.assert_close(generator(z), x.tanh(), atol=1e-10, rtol=0)


def test_the_discriminator_is_the_published_layer_list():
    torch.manual_seed(0)
    discriminator = livened(SNDCGANDiscriminator(width=1 / 32, spectral=False).build(CIFAR, 4, 0))
    images = torch.rand(4, 3, 32, 32, dtype=torch.float64) * 2 - 1
    x, maps = images, []
    for conv, size in zip(discriminator.convs, [3, 4, 3, 4, 3, 4, 3], strict=True):
        assert conv.weight.shape[-1] == size
        x = F.conv2d(x, conv.weight, conv.bias, stride=1 if size == 3 else 2, padding=1)
        x = torch.where(x > 0, x, 0.1 * x)
        maps.append(x)
    scores = discriminator(images)
    features = x.permute(0, 2, 3, 1).flatten(1)
    torch.testing.assert_close(scores.features, features, atol=1e-10, rtol=0)
    rotation = discriminator.heads.auxiliary
    expected = features @ rotation.weight.T + rotation.bias
    torch.testing.assert_close(scores.auxiliary, expected, atol=1e-10, rtol=0)
    assert_all_close(discriminator.block_outputs(images), maps)


def test_the_norm_is_on_the_maps_and_plain_on_the_flat_vector():
    norm = SelfModulatedBatchNorm()
    generator = SNDCGANGenerator(latent_size=6, width=1 / 32, norm=norm).build(CIFAR, 0)
    plain = type(BatchNorm().build(4, 6, 0))
    assert isinstance(generator.first_norm, plain)
    assert not any(isinstance(module, plain) for module in generator.norms)


def test_a_label_reaches_the_generators_image_and_the_discriminators_logit():
    torch.manual_seed(0)
    config = SNDCGANGenerator(latent_size=6, width=1 / 32, norm=ConditionalBatchNorm())
    generator = livened(config.build(CIFAR, 3)).eval()
    z = torch.randn(1, 6, dtype=torch.float64).expand(2, 6)
    one, other = generator(z, torch.tensor([0, 1]))
    assert not torch.allclose(one, other)
    discriminator = livened(SMALL_D.build(CIFAR, 0, 3))
    first, second = discriminator(torch.stack([one, one]), torch.tensor([0, 1])).real
    assert first != second


@pytest.mark.parametrize("spectral", [False, True])
def test_the_whole_discriminator_is_spectrally_normed_or_nothing_is(spectral):
    network = SNDCGANDiscriminator(width=1 / 32, spectral=spectral).build(CIFAR, 4, 10)
    layers = [layer for layer in network.modules() if isinstance(layer, SpectralLayer)]
    assert len(layers) == 7 + 3
    assert {layer.spectral_u is not None for layer in layers} == {spectral}


def test_channels_are_last_in_the_generator_without_a_copy():
    images = SMALL_G.build(CIFAR, 0)(torch.randn(2, 6))
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_refusals_say_what_would_do():
    with pytest.raises(UserError, match="sizes 32, 48, 64, 96, 128, not 20"):
        SMALL_G.build(ImageShape(3, 20), 0)
    with pytest.raises(UserError, match="1, 3 or 4 channels, not 2"):
        SMALL_D.build(ImageShape(2, 32), 0, 0)
    with pytest.raises(UserError, match="needs labels"):
        SNDCGANGenerator(width=0.1, norm=ConditionalBatchNorm()).build(CIFAR, 0)
    with pytest.raises(UserError, match="width must be above 0, not -1"):
        SNDCGANDiscriminator(width=-1.0)
