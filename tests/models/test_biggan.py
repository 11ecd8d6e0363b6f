"""BigGAN's networks: published counts, and the layer lists by hand."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from ssgan.models.attention import Attention
from ssgan.models.biggan import BigGANDiscriminator, BigGANGenerator
from ssgan.models.norms import BatchNorm, ConditionalBatchNorm, SelfModulatedBatchNorm
from ssgan.ops.spectral_norm import SpectralLayer
from ssgan.types import ImageShape, UserError
from tests.models.checks import (
    assert_all_close,
    convolved,
    livened,
    normed,
    parameter_count,
    zeros_inserted,
)

# spectral norm and the start's distribution change no count, and cost time
G = BigGANGenerator(spectral=False, initial="normal")
D = BigGANDiscriminator(spectral=False, initial="normal")
SMALL_G = replace(G, latent_size=20, width=1 / 48, attention=16, label_features=3)
SMALL_D = replace(D, width=1 / 24, attention=8)
SMALL = ImageShape(3, 32)
CONDITIONAL = ConditionalBatchNorm()


def counts(size, latent_size, attention):
    shape = ImageShape(3, size)
    generator = replace(G, latent_size=latent_size, attention=attention, norm=CONDITIONAL)
    with torch.device("meta"):
        return (
            parameter_count(generator.build(shape, 1000)),
            parameter_count(D.build(shape, 0, 1000)),
        )


def test_the_parameters_with_labels_are_the_published_ones():
    """The official code's own figures; at 256 pixels it has G's attention at 128x128."""
    assert counts(128, 120, 64) == (70_433_988, 87_982_370)
    assert counts(256, 140, 128) == (82_097_604, 98_635_298)
    assert counts(512, 160, 64) == (82_468_068, 98_801_378)


def test_the_parameters_without_labels_are_the_published_ones():
    shape = ImageShape(3, 128)
    with torch.device("meta"):
        assert parameter_count(G.build(shape, 0)) == 68_612_548
        assert parameter_count(D.build(shape, 0, 0)) == 86_446_370
        assert parameter_count(D.build(shape, 4, 0)) == 86_446_370 + 6_148


@pytest.mark.parametrize(
    ("size", "generator", "discriminator"),
    [
        (32, ([384] * 4, None), ([192] * 4, None)),
        (64, ([1536, 1536, 768, 384, 192], 3), ([192, 384, 768, 1536, 1536], None)),
        (128, ([1536, 1536, 768, 384, 192, 96], 3), ([96, 192, 384, 768, 1536, 1536], 0)),
        (
            256,
            ([1536, 1536, 768, 768, 384, 192, 96], 3),
            ([96, 192, 384, 768, 768, 1536, 1536], 1),
        ),
    ],
)
def test_channels_and_the_place_of_attention(size, generator, discriminator):
    """Where a map is 64x64: 4 doubles to 64 in four blocks, 128 halves to it in one."""
    shape = ImageShape(3, size)
    with torch.device("meta"):
        ours = replace(G, chunked=False, norm=BatchNorm()).build(shape, 0)
        theirs = D.build(shape, 0, 0)
    first = ours.first.weight.shape[0] // 16
    assert (
        [first] + [b.conv2.weight.shape[0] for b in ours.blocks],
        ours.attention_after,
    ) == generator
    channels = [block.conv2.weight.shape[0] for block in theirs.blocks]
    assert (channels, theirs.attention_after) == discriminator
    for network, place in ((ours, generator[1]), (theirs, discriminator[1])):
        assert sum(isinstance(m, Attention) for m in network.modules()) == (place is not None)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_the_generator_is_the_published_layer_list(conditional, chunked):
    """Chunks of five: the first to the start, one to each block, beside the label's numbers."""
    torch.manual_seed(0)
    norm = CONDITIONAL if conditional else SelfModulatedBatchNorm()
    generator = livened(replace(SMALL_G, norm=norm, chunked=chunked).build(SMALL, 3))
    z, y = torch.randn(4, 20, dtype=torch.float64), torch.tensor([0, 2, 1, 2])

    def modulated(module, x, code):
        x = F.batch_norm(x, None, None, training=True)
        if conditional:
            gain, shift = code @ module.gain.weight.T, code @ module.shift.weight.T
        else:
            hidden = F.relu(F.linear(code, module.hidden.weight, module.hidden.bias))
            gain = F.linear(hidden, module.gain.weight, module.gain.bias)
            shift = F.linear(hidden, module.shift.weight, module.shift.bias)
        return F.relu(x * gain[:, :, None, None] + shift[:, :, None, None])

    start = z[:, :5] if chunked else z
    x = F.linear(start, generator.first.weight, generator.first.bias)
    x = x.reshape(4, 4, 4, 8).permute(0, 3, 1, 2)
    for number, block in enumerate(generator.blocks):
        parts = [z[:, 5 * number + 5 : 5 * number + 10]] if chunked else [] if conditional else [z]
        if conditional:
            parts.append(generator.embedding.weight[y])
        code = torch.cat(parts, dim=1)
        assert block.shortcut.weight.shape[-1] == 1
        main = convolved(block.conv1, zeros_inserted(modulated(block.norm1, x, code)))
        x = convolved(block.conv2, modulated(block.norm2, main, code)) + convolved(
            block.shortcut, zeros_inserted(x)
        )
        x = generator.attention(x) if number == 1 else x  # at 16x16
    expected = convolved(generator.last, normed(generator.norm, x)).tanh()
    torch.testing.assert_close(generator(z, y), expected, atol=1e-9, rtol=0)


def test_the_discriminator_is_the_published_layer_list():
    """No shortcut from the second block on, which keep their channels; a sum at the end."""
    torch.manual_seed(0)
    discriminator = livened(SMALL_D.build(SMALL, 4, 0))

    images = torch.rand(4, 3, 32, 32, dtype=torch.float64) * 2 - 1
    x, maps = (images + 1) / 2, []
    for number, block in enumerate(discriminator.blocks):
        whole = convolved(block.conv2, F.relu(convolved(block.conv1, F.relu(x))))
        if number == 0:
            whole = whole + convolved(block.shortcut, x)
        x = whole if number == 3 else F.avg_pool2d(whole, 2)
        x = discriminator.attention(x) if number == 1 else x  # at 8x8
        maps.append(x)
    scores = discriminator(images)
    torch.testing.assert_close(scores.features, F.relu(x).sum((2, 3)), atol=1e-9, rtol=0)
    assert_all_close(discriminator.block_outputs(images), maps)


def test_every_layer_is_spectrally_normed_but_the_labels_embedding():
    config = replace(SMALL_G, spectral=True, norm=CONDITIONAL)
    plain = {
        name
        for network in (config.build(SMALL, 3), replace(SMALL_D, spectral=True).build(SMALL, 4, 3))
        for name, layer in network.named_modules()
        if isinstance(layer, SpectralLayer) and layer.spectral_u is None
    }
    assert plain == {"embedding"}


def test_weights_start_orthogonal_and_the_projection_from_glorots_normal():
    torch.manual_seed(0)
    generator = replace(SMALL_G, initial="orthogonal", spectral=True).build(SMALL, 0)
    discriminator = replace(SMALL_D, initial="orthogonal", width=1.0).build(SMALL, 4, 300)
    layers = dict(generator.named_modules()) | dict(discriminator.named_modules())
    projection = layers.pop("heads.projection").weight
    for name, layer in layers.items():
        if isinstance(layer, SpectralLayer):
            matrix = layer.weight.flatten(1)
            matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
            product = matrix @ matrix.T
            torch.testing.assert_close(
                product, torch.eye(len(product)), atol=1e-4, rtol=0, msg=name
            )
            if layer.spectral_u is not None:  # fitted to the new weight, whose largest value is 1
                effective = layer.effective_weight()
                torch.testing.assert_close(effective, layer.weight, atol=1e-4, rtol=1e-4, msg=name)
    assert projection.std().item() == pytest.approx((2 / (300 + 192)) ** 0.5, rel=0.02)


def test_the_projections_spectral_vectors_are_fitted_to_its_weight():
    torch.manual_seed(0)
    config = replace(SMALL_D, spectral=True)
    projection = config.build(SMALL, 0, 12).heads.projection
    largest = torch.linalg.matrix_norm(projection.effective_weight(), 2)
    assert largest.item() == pytest.approx(1, abs=0.05)


def test_refusals_say_what_would_do():
    with pytest.raises(
        UserError, match=r"a multiple of 7 .* 256 pixels, not 120; nearest: 119, 126"
    ):
        G.build(ImageShape(3, 256), 0)
    with pytest.raises(UserError, match=r"a multiple of 4 .*, not 3; nearest: 4"):
        replace(G, latent_size=3).build(SMALL, 0)
    with pytest.raises(
        UserError, match=r"chunked latents need SelfModulatedBatchNorm or Cond.*, not BatchNorm"
    ):
        BigGANGenerator(norm=BatchNorm())
    with pytest.raises(UserError, match="label_features must be at least 1, not 0"):
        BigGANGenerator(label_features=0)
    with pytest.raises(UserError, match="sizes 32, 64, 96, 128, 192, 256, 512, not 48"):
        D.build(ImageShape(3, 48), 0, 0)
