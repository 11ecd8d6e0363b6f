"""The generator's norms, by hand."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ssgan.models.norms import (
    AbstractNorm,
    BatchNorm,
    ConditionalBatchNorm,
    LayerNorm,
    SelfModulatedBatchNorm,
)
from ssgan.types import UserError

CHANNELS, LATENT_SIZE, NUM_CLASSES = 5, 7, 3
NORMS = [
    BatchNorm(),
    SelfModulatedBatchNorm(),
    SelfModulatedBatchNorm(hidden=0),
    ConditionalBatchNorm(),
    ConditionalBatchNorm(gamma_offset=True),
]


def built(norm: AbstractNorm, spectral: bool = False):
    torch.manual_seed(0)
    module = norm.build(CHANNELS, LATENT_SIZE, NUM_CLASSES, spectral)
    for parameter in module.parameters():  # nothing at its start, so that nothing hides
        torch.nn.init.normal_(parameter)
    return module


def inputs(flat: bool = False):
    generator = torch.Generator().manual_seed(1)
    size = (4, CHANNELS) if flat else (4, CHANNELS, 6, 6)
    x = 3 * torch.randn(size, generator=generator) + 2
    z = torch.randn(4, LATENT_SIZE, generator=generator)
    return x, z, torch.tensor([0, 2, 2, 1])


def normalised(x):
    axes = [axis for axis in range(x.ndim) if axis != 1]
    mean = x.mean(axes, keepdim=True)
    variance = (x - mean).square().mean(axes, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


def gain_and_shift(norm, module, z, y):
    """What the module should multiply by and add, each [B, C] or [C], from its weights."""
    if isinstance(norm, BatchNorm):
        return module.gain.expand(len(z), -1), module.shift.expand(len(z), -1)
    if isinstance(norm, ConditionalBatchNorm):
        one_hot = F.one_hot(y, NUM_CLASSES).float()
        gain = one_hot @ module.gain.weight + (1 if norm.gamma_offset else 0)
        return gain, one_hot @ module.shift.weight
    h = z
    if norm.hidden:
        h = (z @ module.hidden.weight.T + module.hidden.bias).clamp(min=0)
    gain = h @ module.gain.weight.T + module.gain.bias
    return gain, h @ module.shift.weight.T + module.shift.bias


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("flat", [False, True])
def test_a_norm_is_its_formula(norm, flat):
    module = built(norm)
    x, z, y = inputs(flat)
    gain, shift = gain_and_shift(norm, module, z, y)
    shape = gain.shape + (1,) * (x.ndim - 2)
    expected = normalised(x) * gain.view(shape) + shift.view(shape)
    torch.testing.assert_close(module(x, z, y), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("norm", NORMS)
def test_running_statistics_move_by_a_tenth_in_training_and_not_in_evaluation(norm):
    module = built(norm)
    x, z, y = inputs()
    module(x, z, y)
    mean = x.mean((0, 2, 3))
    variance = x.transpose(0, 1).flatten(1).var(1)  # unbiased, as torch has it
    torch.testing.assert_close(module.statistics.running_mean, 0.1 * mean)
    torch.testing.assert_close(module.statistics.running_var, 0.9 + 0.1 * variance)
    module.eval()
    first = module(x, z, y)
    assert torch.equal(first, module(x, z, y))
    torch.testing.assert_close(module.statistics.running_mean, 0.1 * mean)
    alone = module(x[:1], z[:1], y[:1])
    torch.testing.assert_close(alone, first[:1])


@pytest.mark.parametrize("flat", [False, True])
def test_layer_norm_is_its_formula_sample_by_sample_in_numpy(flat):
    module = built(LayerNorm()).double()
    x, z, y = inputs(flat)
    found = module(x.double(), z, y).detach().numpy()
    gain, shift = (p.detach().numpy() for p in (module.gain, module.shift))
    for sample, ours in zip(x.double().numpy(), found, strict=True):
        spread = np.sqrt(((sample - sample.mean()) ** 2).mean() + 1e-5)
        normed = (sample - sample.mean()) / spread
        expected = normed.T * gain + shift  # channels last
        np.testing.assert_allclose(ours.T, expected, atol=1e-12)


def test_layer_norm_has_no_memory_starts_plain_and_keeps_form_and_type():
    module, (x, z, y) = LayerNorm().build(CHANNELS, LATENT_SIZE, 0), inputs()
    assert dict(module.named_buffers()) == {}
    assert module.gain.tolist() == [1.0] * CHANNELS
    assert module.shift.tolist() == [0.0] * CHANNELS
    whole = module(x.contiguous(memory_format=torch.channels_last), z, y)
    assert whole.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(module(x[:1], z[:1], None), whole[:1])
    assert torch.equal(module.eval()(x, z, y), module.train()(x, z, y))
    with torch.autocast("cpu", torch.bfloat16):
        half = module(x.bfloat16(), z, y)
    assert half.dtype == torch.bfloat16
    assert (half.float() - whole).abs().max() < 0.02 * whole.abs().max()


def test_starts():
    x, z, _ = inputs()
    plain = BatchNorm().build(CHANNELS, LATENT_SIZE, 0)
    torch.testing.assert_close(plain(x, z, None), normalised(x), atol=1e-4, rtol=0)
    modulated = SelfModulatedBatchNorm().build(CHANNELS, LATENT_SIZE, 0)
    assert modulated.gain.bias.tolist() == [1.0] * CHANNELS
    assert modulated.shift.bias.tolist() == [0.0] * CHANNELS
    assert modulated.hidden.bias.tolist() == [0.0] * 32
    torch.manual_seed(0)
    conditional = ConditionalBatchNorm().build(400, LATENT_SIZE, 10)
    assert conditional.gain.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert conditional.gain.weight.mean().item() == pytest.approx(0, abs=2e-3)
    assert sum(p.numel() for p in conditional.parameters()) == 2 * 10 * 400


def test_a_conditional_norm_answers_to_the_label_and_to_nothing_else():
    module = built(ConditionalBatchNorm()).eval()
    x, z, y = inputs()
    assert not torch.allclose(module(x, z, y), module(x, z, (y + 1) % NUM_CLASSES))
    assert torch.equal(module(x, z, y), module(x, z + 1, y))


def test_a_self_modulated_norm_answers_to_the_latents_and_to_nothing_else():
    module = built(SelfModulatedBatchNorm()).eval()
    x, z, y = inputs()
    assert not torch.allclose(module(x, z, y), module(x, z + 1, y))
    assert torch.equal(module(x, z, y), module(x, z, None))


@pytest.mark.parametrize("norm", NORMS)
def test_under_autocast_maps_are_bfloat16_and_statistics_float32(norm):
    module = built(norm)
    x, z, y = inputs()
    with torch.autocast("cpu", torch.bfloat16):
        half = module(x.bfloat16(), z, y)
    assert half.dtype == torch.bfloat16
    assert module.statistics.running_var.dtype == torch.float32
    exact = module(x, z, y)
    assert (half.float() - exact).abs().max() < 0.02 * exact.abs().max()


@pytest.mark.parametrize("norm", NORMS)
def test_channels_stay_last(norm):
    x, z, y = inputs()
    output = built(norm)(x.contiguous(memory_format=torch.channels_last), z, y)
    assert output.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("norm", NORMS[1:])
def test_a_modulated_norm_is_spectrally_normed_as_told(norm):
    module = built(norm, spectral=True)
    assert module.gain.spectral_u is not None
    assert module.shift.spectral_u is not None
    assert built(norm).gain.spectral_u is None


def test_refusals():
    with pytest.raises(UserError, match="ConditionalBatchNorm needs labels"):
        ConditionalBatchNorm().build(CHANNELS, LATENT_SIZE, 0)
    with pytest.raises(UserError, match="hidden must be at least 0, not -1"):
        SelfModulatedBatchNorm(hidden=-1)
    x, z, _ = inputs()
    with pytest.raises(ValueError, match="without labels"):
        built(ConditionalBatchNorm())(x, z, None)


def test_specs_are_values():
    assert SelfModulatedBatchNorm() == SelfModulatedBatchNorm(hidden=32)
    assert ConditionalBatchNorm() != ConditionalBatchNorm(gamma_offset=True)
    assert len({BatchNorm(), BatchNorm(), ConditionalBatchNorm()}) == 2
