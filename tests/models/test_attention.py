"""Attention over a map, against loops over its places."""

import pytest
import torch

from ssgan.models.attention import Attention
from tests.models.checks import parameter_count


def started(channels=8, spectral=False):
    torch.manual_seed(0)
    module = Attention(channels, spectral)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return module.double()


def by_hand(module, maps):
    """Place by place, for one image [C, S, S]."""
    side = maps.shape[1]

    def at(layer, y, x):
        return layer.weight @ maps[:, y, x]

    def largest(layer, y, x):
        square = [at(layer, 2 * y + dy, 2 * x + dx) for dy in (0, 1) for dx in (0, 1)]
        return torch.stack(square).amax(0)

    low = [(y, x) for y in range(side // 2) for x in range(side // 2)]
    output = maps.clone()
    for y in range(side):
        for x in range(side):
            scores = torch.stack([at(module.query, y, x) @ largest(module.key, *p) for p in low])
            shares = scores.exp() / scores.exp().sum()
            read = sum(s * largest(module.value, *p) for s, p in zip(shares, low, strict=True))
            output[:, y, x] += module.sigma * (module.out.weight @ read)
    return output


def test_attention_is_its_formula():
    module = started()
    maps = torch.randn(2, 8, 4, 4, dtype=torch.float64)
    expected = torch.stack([by_hand(module, image) for image in maps])
    torch.testing.assert_close(module(maps), expected, atol=1e-10, rtol=0)


def test_attention_does_nothing_at_the_start_but_learns_to():
    maps = torch.randn(2, 8, 4, 4)
    module = Attention(8, spectral=False)
    output = module(maps)
    assert torch.equal(output, maps)
    (output * torch.randn_like(output)).sum().backward()
    assert module.sigma.grad != 0


def test_its_parameters_are_four_maps_without_bias_and_sigma():
    assert parameter_count(Attention(96, spectral=True)) == 2 * 96 * 12 + 2 * 96 * 48 + 1


def test_channels_stay_last():
    maps = torch.randn(2, 8, 4, 4).contiguous(memory_format=torch.channels_last)
    output = Attention(8, spectral=True)(maps)
    assert output.is_contiguous(memory_format=torch.channels_last)


def test_a_second_derivative_goes_through():
    """As a gradient penalty needs it."""
    module = started()
    maps = torch.randn(1, 8, 4, 4, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(module(maps).square().sum(), maps, create_graph=True)
    gradient.square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in module.parameters())


@pytest.mark.parametrize("spectral", [False, True])
def test_all_its_maps_are_spectrally_normed_or_none(spectral):
    module = Attention(8, spectral)
    maps = (module.query, module.key, module.value, module.out)
    assert {layer.spectral_u is not None for layer in maps} == {spectral}
