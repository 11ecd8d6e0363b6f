"""Spectral norm against the singular value decomposition, and when its vectors move."""

import pytest
import torch
from torch import nn

from ssgan.models.layers import Conv2d, Embedding, Linear, Resample
from ssgan.ops.spectral_norm import advance_spectral_norm, spectral_layers, spectral_sigma


def layers():
    torch.manual_seed(0)
    return {
        "conv": Conv2d(5, 7, spectral=True),
        "down": Conv2d(5, 7, resample=Resample.DOWN, spectral=True),
        "pointwise": Conv2d(5, 7, 1, resample=Resample.UP_ZERO, spectral=True),
        "linear": Linear(9, 4, spectral=True),
        "embedding": Embedding(6, 8, spectral=True),
    }


NAMES = ("conv", "down", "pointwise", "linear", "embedding")


def called(layer):
    if isinstance(layer, Embedding):
        return layer(torch.tensor([0, 5, 2]))
    size = (3, 9) if isinstance(layer, Linear) else (3, 5, 6, 6)
    generator = torch.Generator().manual_seed(1)
    return layer(torch.randn(size, generator=generator).to(layer.weight.dtype))


def vectors(layer):
    return layer.spectral_u.clone(), layer.spectral_v.clone()


@pytest.mark.parametrize("name", NAMES)
def test_sigma_is_the_largest_singular_value_after_fifty_iterations(name):
    layer = layers()[name]
    for _ in range(50):
        advance_spectral_norm(layer)
    largest = torch.linalg.svdvals(layer.weight.detach().flatten(1))[0]
    sigma = spectral_sigma(layer.weight, layer.spectral_u, layer.spectral_v).detach()
    torch.testing.assert_close(sigma, largest, rtol=1e-3, atol=0)
    used = torch.linalg.svdvals(layer.effective_weight().detach().flatten(1))[0]
    assert used.item() == pytest.approx(1, rel=1e-3)


def test_fifteen_iterations_have_run_at_construction():
    for layer in layers().values():
        largest = torch.linalg.svdvals(layer.weight.detach().flatten(1))[0].item()
        sigma = spectral_sigma(layer.weight, layer.spectral_u, layer.spectral_v).item()
        assert 0.95 * largest < sigma < 1.0001 * largest


def test_one_call_is_one_power_iteration():
    layer = Linear(9, 4, spectral=True)
    u, _ = vectors(layer)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(4, 9))
    advance_spectral_norm(layer)
    v = layer.weight.detach().T @ u
    v /= v.norm()
    moved = layer.weight.detach() @ v
    torch.testing.assert_close(layer.spectral_v, v)
    torch.testing.assert_close(layer.spectral_u, moved / moved.norm())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("training", [True, False])
def test_a_forward_never_moves_the_vectors(name, training):
    layer = layers()[name].train(training)
    with torch.no_grad():
        layer.weight.mul_(3).add_(0.1)  # so that an iteration would move them
    before = vectors(layer)
    called(layer).sum().backward()
    for old, new in zip(before, vectors(layer), strict=True):
        assert torch.equal(old, new)
    advance_spectral_norm(layer)
    assert not torch.equal(before[1], layer.spectral_v)


@pytest.mark.parametrize("name", NAMES)
def test_vectors_are_float32_of_norm_one(name):
    layer = layers()[name]
    for vector in vectors(layer):
        assert vector.dtype == torch.float32
        assert vector.norm().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_that_of_weight_over_sigma_with_constant_vectors(name):
    layer = layers()[name].double()
    target = torch.randn(layer.weight.shape, dtype=torch.float64)
    (layer.effective_weight() * target).sum().backward()

    W = layer.weight.detach()
    u, v = vectors(layer)
    sigma = u @ W.flatten(1) @ v
    outer = torch.outer(u, v).reshape(W.shape)
    by_hand = target / sigma - (target * W).sum() / sigma**2 * outer
    torch.testing.assert_close(layer.weight.grad, by_hand, atol=1e-12, rtol=1e-12)


def test_the_gradient_differs_from_that_of_a_constant_sigma():
    layer = Linear(9, 4, spectral=True)
    layer.effective_weight().sum().backward()
    sigma = spectral_sigma(layer.weight, layer.spectral_u, layer.spectral_v).detach()
    assert not torch.allclose(layer.weight.grad, torch.ones(4, 9) / sigma)


def test_in_float64_everything_is_float64():
    layer = Conv2d(5, 7, spectral=True).double()
    advance_spectral_norm(layer)
    assert layer.spectral_u.dtype == called(layer).dtype == torch.float64


def test_under_autocast_sigma_stays_float32():
    layer = Linear(9, 4, spectral=True)
    exact = layer.effective_weight()
    before = vectors(layer)
    with torch.autocast("cpu", torch.bfloat16):
        assert called(layer).dtype == torch.bfloat16
        assert torch.equal(layer.effective_weight(), exact)
        advance_spectral_norm(layer)
    under = vectors(layer)
    layer.spectral_u.copy_(before[0])
    layer.spectral_v.copy_(before[1])
    advance_spectral_norm(layer)
    assert torch.equal(layer.spectral_u, under[0])


def test_every_normed_layer_moves_once_and_no_other():
    torch.manual_seed(0)
    shared = Linear(4, 4, spectral=True)
    network = nn.Sequential(shared, Linear(4, 4), nn.ModuleList([shared]))
    assert list(spectral_layers(network, shared)) == [shared]
    assert list(spectral_layers(nn.Linear(2, 2))) == []
    plain = Linear(4, 4)
    assert plain.spectral_u is None
    assert plain.effective_weight() is plain.weight


def test_moving_the_vectors_between_forward_and_backward_is_an_error():
    layer = Linear(9, 4, spectral=True)
    output = called(layer).sum()
    advance_spectral_norm(layer)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.backward()


def test_a_second_backward_between_two_iterations_adds_the_same_gradient():
    """Two parts share one sigma, and the second is not lost."""
    layer = layers()["conv"]
    with torch.no_grad():
        called(layer)
    called(layer).sum().backward()
    once = layer.weight.grad.clone()
    called(layer).sum().backward()
    torch.testing.assert_close(layer.weight.grad, 2 * once)


def test_the_vector_is_drawn_after_the_weight_from_the_global_generator():
    torch.manual_seed(3)
    plain = Linear(9, 4)
    torch.manual_seed(3)
    normed = Linear(9, 4, spectral=True)
    assert torch.equal(plain.weight, normed.weight)
