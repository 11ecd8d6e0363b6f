"""The residual networks: published counts, shapes, and the plain form as the reference."""

from dataclasses import replace

import pytest
import torch

from ssgan.models.layers import Conv2d
from ssgan.models.norms import BatchNorm, ConditionalBatchNorm, SelfModulatedBatchNorm
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.ops.spectral_norm import SpectralLayer, advance_spectral_norm
from ssgan.types import ImageShape, UserError
from tests.models.checks import (
    assert_all_close,
    livened,
    outputs_and_gradients,
    parameter_count,
    use_plain_form,
)

CIFAR = ImageShape(3, 32)
SMALL_G = ResNetGenerator(latent_size=6, width=4 / 256)
SMALL_D = ResNetDiscriminator(width=4 / 128)


@pytest.mark.parametrize(
    ("norm", "classes", "count"),
    [
        (BatchNorm(), 0, 5_849_603),
        (SelfModulatedBatchNorm(), 0, 5_993_187),
        (ConditionalBatchNorm(), 10, 5_881_859),
    ],
)
def test_the_generators_parameters_are_the_published_ones(norm, classes, count):
    assert parameter_count(ResNetGenerator(norm=norm).build(CIFAR, classes)) == count


@pytest.mark.parametrize(
    ("width", "classes", "count"),
    [(0, 0, 1_483_137), (4, 0, 1_483_137 + 516), (0, 10, 1_483_137 + 1_280)],
)
def test_the_discriminators_parameters_are_the_published_ones(width, classes, count):
    assert parameter_count(ResNetDiscriminator().build(CIFAR, width, classes)) == count


@pytest.mark.parametrize("size", [32, 48, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_and_ranges(size, channels):
    shape = ImageShape(channels, size)
    torch.manual_seed(0)
    generator = livened(SMALL_G.build(shape, 0)).float()
    images = generator(torch.randn(2, 6)).detach()
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() <= 1
    assert images.abs().max() > 0.5  # alive
    scores = SMALL_D.build(shape, 4, 0)(images)
    assert [tuple(part.shape) for part in scores] == [(2,), (2, 4), (2, 4)]


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        (32, [16, 8, 8, 8]),
        (48, [24, 12, 12, 12]),
        (64, [32, 16, 8, 8, 8]),
        (128, [64, 32, 16, 8, 8, 8]),
    ],
)
def test_the_last_two_blocks_of_the_discriminator_never_halve(size, sides):
    maps = SMALL_D.build(ImageShape(3, size), 0, 0).block_outputs(torch.randn(1, 3, size, size))
    assert [tuple(m.shape) for m in maps] == [(1, 4, side, side) for side in sides]


GENERATORS = [
    SMALL_G,
    replace(SMALL_G, upsampling="nearest"),
    replace(SMALL_G, upsampling="bilinear"),
    replace(SMALL_G, upsampling="bilinear", shortcut="1x1", spectral=True),
    replace(SMALL_G, shortcut="1x1"),
    replace(SMALL_G, upsampling="nearest", shortcut="1x1", spectral=True),
    replace(SMALL_G, norm=SelfModulatedBatchNorm(), spectral=True),
    replace(SMALL_G, norm=ConditionalBatchNorm()),
]


@pytest.mark.parametrize("config", GENERATORS)
def test_fused_and_plain_generators_agree_in_value_and_gradient(config):
    torch.manual_seed(0)
    generator = livened(config.build(CIFAR, 3))
    latents, labels = torch.randn(4, 6, dtype=torch.float64), torch.tensor([0, 2, 1, 2])
    fused = outputs_and_gradients(generator, latents, labels)
    use_plain_form(generator)
    assert_all_close(fused, outputs_and_gradients(generator, latents, labels))


@pytest.mark.parametrize("shortcut", ["3x3", "1x1"])
@pytest.mark.parametrize("spectral", [False, True])
def test_fused_and_plain_discriminators_agree_in_value_and_gradient(shortcut, spectral):
    torch.manual_seed(0)
    config = replace(SMALL_D, shortcut=shortcut, spectral=spectral)
    discriminator = livened(config.build(CIFAR, 4, 3))
    advance_spectral_norm(discriminator)
    images, labels = torch.rand(4, 3, 32, 32, dtype=torch.float64), torch.tensor([0, 2, 1, 2])
    fused = outputs_and_gradients(discriminator, images * 2 - 1, labels)
    use_plain_form(discriminator)
    assert_all_close(fused, outputs_and_gradients(discriminator, images * 2 - 1, labels))


@pytest.mark.parametrize("config", [SMALL_G, SMALL_D])
def test_fused_is_a_setting(config):
    def forms(config):
        network = (
            config.build(CIFAR, 0)
            if isinstance(config, ResNetGenerator)
            else config.build(CIFAR, 0, 0)
        )
        layers = [m for m in network.modules() if isinstance(m, Conv2d)]
        return {layer.fused for layer in layers if layer.resample.value != "none"}

    assert forms(config) == {True}
    assert forms(replace(config, fused=False)) == {False}


def test_the_first_blocks_relu_sees_the_image():
    """Below the image range the main path is cut off; on [0, 1] it is not."""
    discriminator = SMALL_D.build(CIFAR, 0, 0)
    block = discriminator.blocks[0]
    low = torch.full((1, 3, 4, 4), -0.5)
    expected = block(torch.zeros_like(low)) - block.shortcut(torch.zeros_like(low))
    torch.testing.assert_close(block(low) - block.shortcut(low), expected, atol=1e-6, rtol=0)


def test_a_label_reaches_the_generators_image_and_the_discriminators_logit():
    torch.manual_seed(0)
    generator = livened(replace(SMALL_G, norm=ConditionalBatchNorm()).build(CIFAR, 3)).eval()
    z = torch.randn(1, 6, dtype=torch.float64).expand(2, 6)
    one, other = generator(z, torch.tensor([0, 1]))
    assert not torch.allclose(one, other)
    discriminator = livened(SMALL_D.build(CIFAR, 4, 3))
    first, second = discriminator(torch.stack([one, one]), torch.tensor([0, 1])).real
    assert first != second


def test_every_layer_is_spectrally_normed_or_none():
    def normed(network):
        return {
            layer.spectral_u is not None
            for layer in network.modules()
            if isinstance(layer, SpectralLayer)
        }

    sbn = replace(SMALL_G, norm=SelfModulatedBatchNorm())
    assert normed(SMALL_G.build(CIFAR, 0)) == {False}
    assert normed(replace(sbn, spectral=True).build(CIFAR, 0)) == {True}
    assert normed(SMALL_D.build(CIFAR, 4, 10)) == {True}
    assert normed(replace(SMALL_D, spectral=False).build(CIFAR, 4, 10)) == {False}


def test_second_derivatives_reach_every_discriminator_weight_but_the_last_biases():
    """As a gradient penalty needs them."""
    torch.manual_seed(0)
    discriminator = SMALL_D.build(CIFAR, 0, 0)
    images = (torch.rand(2, 3, 32, 32) * 2 - 1).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(images).real.sum(), images, create_graph=True)
    gradient.square().sum().backward()
    for name, parameter in discriminator.named_parameters():
        assert ("bias" in name) or parameter.grad.abs().sum() > 0, name


def test_channels_are_last_from_the_latents_to_the_features():
    """In the generator every map; in the discriminator every map of images that have them last."""
    generator, discriminator = SMALL_G.build(CIFAR, 0), SMALL_D.build(CIFAR, 0, 0)
    seen = []

    def look(_module, inputs, output):
        seen.extend(t.is_contiguous(memory_format=torch.channels_last) for t in (*inputs, output))

    for network in (generator, discriminator):
        for module in network.modules():
            if isinstance(module, Conv2d):
                module.register_forward_hook(look)
    discriminator(generator(torch.randn(2, 6)))
    assert len(seen) == 2 * (3 * 3 + 1 + 4 * 3)
    assert all(seen)


def test_under_autocast_the_networks_run():
    generator, discriminator = SMALL_G.build(CIFAR, 0), SMALL_D.build(CIFAR, 4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        scores = discriminator(generator(torch.randn(2, 6)), torch.tensor([0, 1]))
    (scores.real.float().sum() + scores.auxiliary.float().sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in generator.parameters())


def test_width_multiplies_the_channels():
    generator = ResNetGenerator(width=0.25).build(CIFAR, 0)
    assert generator.first.weight.shape == (64 * 16, 128)
    assert generator.last.weight.shape == (3, 64, 3, 3)
    discriminator = ResNetDiscriminator(width=0.5).build(CIFAR, 0, 0)
    assert discriminator.heads.real.weight.shape == (1, 64)


@pytest.mark.parametrize("config", [ResNetGenerator, ResNetDiscriminator])
def test_refusals_say_what_would_do(config):
    def build(shape):
        arguments = (0,) if config is ResNetGenerator else (0, 0)
        return config(width=0.01).build(shape, *arguments)

    with pytest.raises(UserError, match="sizes 32, 48, 64, 96, 128, not 40"):
        build(ImageShape(3, 40))
    with pytest.raises(UserError, match="1, 3 or 4 channels, not 2"):
        build(ImageShape(2, 32))
    with pytest.raises(UserError, match="width must be above 0, not 0"):
        config(width=0.0)
    with pytest.raises(UserError, match="width must be above 0, not nan"):
        config(width=float("nan"))


def test_a_conditional_generator_without_classes_is_refused():
    with pytest.raises(UserError, match="needs labels"):
        replace(SMALL_G, norm=ConditionalBatchNorm()).build(CIFAR, 0)


def test_one_seed_is_one_network():
    def weights():
        torch.manual_seed(5)
        return SMALL_D.build(CIFAR, 4, 0).state_dict()

    for one, other in zip(weights().values(), weights().values(), strict=True):
        assert torch.equal(one, other)
