"""What holds for every network family."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ssgan.config.serialize import dump, load
from ssgan.data.dataset import Dataset
from ssgan.data.scenes.source import Scenes
from ssgan.methods.gan import ConditionalGAN
from ssgan.methods.ssgan import SSGAN
from ssgan.models.norms import BatchNorm, ConditionalBatchNorm, SelfModulatedBatchNorm
from ssgan.ops.spectral_norm import advance_spectral_norm
from ssgan.runs import config_io
from ssgan.runs.config import DataConfig, RunConfig
from ssgan.training.loop import train
from ssgan.types import ImageShape, UserError
from tests.models.checks import assert_all_close, livened, outputs_and_gradients, use_plain_form
from tests.models.families import EVERY_SIZE, FAMILIES

CLASSES = tuple("abc")
RESIDUAL = [name for name in FAMILIES if hasattr(FAMILIES[name].generator, "fused")]


def smallest(name, channels=3):
    return ImageShape(channels, FAMILIES[name].sizes[0])


def conditional(generator):
    return replace(generator, norm=ConditionalBatchNorm())


@pytest.mark.parametrize(("name", "size"), EVERY_SIZE)
def test_shapes_ranges_and_what_the_heads_read(name, size):
    family, shape = FAMILIES[name], ImageShape(1 if size == 48 else 3, size)
    torch.manual_seed(0)
    latent_size = family.generator.latent_size
    generator = livened(family.generator.build(shape, 0)).float()
    with torch.no_grad():
        images = generator(torch.randn(2, latent_size))
        assert images.shape == (2, shape.channels, size, size)
        assert images.abs().max() <= 1
        assert images.abs().max() > 0.5  # alive
        discriminator = family.discriminator.build(shape, 4, 0)
        scores = discriminator(images)
        features = family.features.get(size, min(family.features.values()))
        assert [tuple(part.shape) for part in scores] == [(2,), (2, 4), (2, features)]
        expected = scores.features @ discriminator.heads.auxiliary.effective_weight().T
        torch.testing.assert_close(scores.auxiliary, expected)  # biases start at 0


@pytest.mark.parametrize("name", FAMILIES)
def test_a_map_for_every_block_and_each_depends_on_the_image(name):
    family, shape = FAMILIES[name], smallest(name)
    torch.manual_seed(0)
    discriminator = livened(family.discriminator.build(shape, 0, 0)).float()
    images = torch.rand(2, 3, shape.size, shape.size) * 2 - 1
    maps = discriminator.block_outputs(images)
    assert len(maps) == family.maps
    sides = [each.shape[2] for each in maps]
    assert sides == sorted(sides, reverse=True)
    assert all(not torch.allclose(each[0], each[1]) for each in maps)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("method", [SSGAN(), ConditionalGAN()])
def test_a_step_of_training_moves_every_weight(name, method):
    """But for the real head's bias: at the start the hinge's two halves pull it equally."""
    family, size = FAMILIES[name], FAMILIES[name].sizes[0]
    config = RunConfig(
        method=method,
        data=DataConfig(source=Scenes(num_images=8), image_size=size),
        generator=conditional(family.generator) if method.conditional else family.generator,
        discriminator=family.discriminator,
        total_steps=2,
        batch_size=4,
        precision="float32",
        device="cpu",
    )
    assert load(dump(config)) == config
    assert config_io.REGISTRY  # imported so that any stored kind of setting can be read
    pixels = np.random.default_rng(0).integers(0, 256, (8, size, size, 3), dtype=np.uint8)
    dataset = Dataset(pixels, np.arange(8) % 3, CLASSES, "noise", {})
    before = None
    for report in train(config, dataset):
        networks = (report.state.generator, report.state.discriminator)
        if report.step == 1:
            before = [p.detach().clone() for n in networks for p in n.parameters()]
    after = [(key, p) for n in networks for key, p in n.named_parameters()]
    for old, (key, new) in zip(before, after, strict=True):
        assert new.isfinite().all(), key
        assert not torch.equal(old, new) or key == "heads.real.bias", key
    assert all(value.isfinite() for value in report.terms.values())


@pytest.mark.parametrize("name", RESIDUAL)
@pytest.mark.parametrize("norm", [SelfModulatedBatchNorm(), ConditionalBatchNorm()])
def test_fused_and_plain_networks_agree_in_value_and_gradient(name, norm):
    family, shape = FAMILIES[name], smallest(name)
    torch.manual_seed(0)
    labels = torch.tensor([0, 2, 1])
    latents = torch.randn(3, family.generator.latent_size, dtype=torch.float64)
    images = torch.rand(3, 3, shape.size, shape.size, dtype=torch.float64) * 2 - 1
    generator = livened(replace(family.generator, norm=norm).build(shape, 3))
    discriminator = livened(family.discriminator.build(shape, 4, 3))
    advance_spectral_norm(discriminator, generator)
    for network, inputs in ((generator, latents), (discriminator, images)):
        fused = outputs_and_gradients(network, inputs, labels)
        use_plain_form(network)
        assert_all_close(fused, outputs_and_gradients(network, inputs, labels))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_label_reaches_the_generators_image_and_the_discriminators_logit(name):
    family, shape = FAMILIES[name], smallest(name)
    torch.manual_seed(0)
    generator = livened(conditional(family.generator).build(shape, 3)).eval()
    z = torch.randn(1, family.generator.latent_size, dtype=torch.float64).expand(2, -1)
    one, other = generator(z, torch.tensor([0, 1]))
    assert not torch.allclose(one, other)
    discriminator = livened(family.discriminator.build(shape, 4, 3))
    first, second = discriminator(torch.stack([one, one]), torch.tensor([0, 1])).real
    assert first != second
    with pytest.raises(ValueError, match="without labels"):
        generator(z)
    with pytest.raises(ValueError, match="without labels"):
        discriminator(one[None])


@pytest.mark.parametrize("name", FAMILIES)
def test_channels_are_last_in_the_generator(name):
    family, shape = FAMILIES[name], smallest(name)
    maps = []
    generator = family.generator.build(shape, 0)
    for module in generator.modules():
        if hasattr(module, "weight") and module.weight.ndim == 4:
            module.register_forward_hook(lambda _module, inputs, _output: maps.extend(inputs))
    generator(torch.randn(2, family.generator.latent_size))
    assert len(maps) >= 4
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in maps)


@pytest.mark.parametrize("name", FAMILIES)
def test_width_multiplies_and_is_checked(name):
    for config in FAMILIES[name][:2]:
        with pytest.raises(UserError, match="width must be above 0, not 0"):
            replace(config, width=0.0)

        def count(width, config=config):
            arguments = (0,) if hasattr(config, "latent_size") else (0, 0)
            network = replace(config, width=width).build(smallest(name), *arguments)
            return sum(p.numel() for p in network.parameters() if p.ndim == 4)

        assert 3 < count(2 * config.width) / count(config.width) < 4.5


@pytest.mark.parametrize("name", FAMILIES)
def test_refusals_say_what_would_do(name):
    family = FAMILIES[name]
    known = ", ".join(str(size) for size in family.sizes)
    for config, arguments in ((family.generator, (0,)), (family.discriminator, (0, 0))):
        with pytest.raises(UserError, match=f"sizes {known}.*, not 40"):
            config.build(ImageShape(3, 40), *arguments)
        with pytest.raises(UserError, match="1, 3 or 4 channels, not 2"):
            config.build(ImageShape(2, family.sizes[0]), *arguments)
    with pytest.raises(UserError, match="needs labels"):
        conditional(family.generator).build(smallest(name), 0)


@pytest.mark.parametrize("name", FAMILIES)
def test_one_seed_is_one_network(name):
    def weights():
        torch.manual_seed(5)
        family, shape = FAMILIES[name], smallest(name)
        generator, discriminator = family.generator, family.discriminator
        states = (generator.build(shape, 0), discriminator.build(shape, 4, 3))
        return [value for network in states for value in network.state_dict().values()]

    assert all(map(torch.equal, weights(), weights()))


@pytest.mark.parametrize("name", RESIDUAL)
def test_the_generators_options_change_it(name):
    """Other upsampling, shortcuts and spectral norm are other functions of one seed."""
    family, shape = FAMILIES[name], smallest(name)
    z = torch.randn(2, family.generator.latent_size)
    plain = replace(family.generator, norm=SelfModulatedBatchNorm())
    options = [
        {},
        *(
            {"upsampling": kind}
            for kind in ("zero", "nearest", "bilinear")
            if kind != plain.upsampling
        ),
        {"spectral": not plain.spectral},
        {"shortcut": "1x1" if plain.shortcut == "3x3" else "3x3"},
        {"norm": BatchNorm()} if name != "biggan" else {"chunked": False},
    ]
    images = []
    for option in options:
        torch.manual_seed(0)
        images.append(replace(plain, **option).build(shape, 0)(z).flatten())
    distances = torch.cdist(torch.stack(images), torch.stack(images))
    assert (distances + torch.eye(len(options)) > 1e-6).all()
