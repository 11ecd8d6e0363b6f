"""Residual networks whose blocks are computed anew in backward: less is kept, nothing changes."""

from dataclasses import replace

import pytest
import torch

from ssgan.models.attention import Attention
from ssgan.models.blocks import BlockConfig, DownBlock, UpBlock
from ssgan.models.layers import Resample
from ssgan.models.norms import BatchNorm, ConditionalBatchNorm
from ssgan.ops.activation_checkpointing import checkpointed_modules
from ssgan.types import ImageShape
from tests.models.checks import livened, outputs_and_gradients
from tests.models.families import FAMILIES

RESIDUAL = [name for name in FAMILIES if hasattr(FAMILIES[name].generator, "fused")]


def recomputing(network, on=True):
    for module in checkpointed_modules(network):
        module.activation_checkpointing = on
    return network


def kept_bytes(network, *inputs):
    """Of all that a forward pass keeps for backward, each storage once, but for the weights."""
    own = {t.untyped_storage().data_ptr() for t in (*network.parameters(), *network.buffers())}
    held = {}  # the storages live until all are counted, so that none takes another's place

    def note(tensor):
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        network(*inputs)
    return sum(storage.nbytes() for place, storage in held.items() if place not in own)


def networks(name, classes=0):
    """A family's two networks with what they are called with, in float64."""
    family = FAMILIES[name]
    shape = ImageShape(3, family.sizes[0])
    torch.manual_seed(0)
    norm = {"norm": ConditionalBatchNorm()} if classes else {}
    generator = livened(replace(family.generator, **norm).build(shape, classes))
    discriminator = livened(family.discriminator.build(shape, 4, classes))
    latents = torch.randn(4, family.generator.latent_size, dtype=torch.float64)
    images = torch.rand(4, 3, shape.size, shape.size, dtype=torch.float64) * 2 - 1
    labels = torch.tensor([0, 2, 1, 1]) if classes else None
    return ((generator, latents), (discriminator, images)), labels


@pytest.mark.parametrize("name", RESIDUAL)
@pytest.mark.parametrize("classes", [0, 3])
def test_outputs_gradients_and_statistics_are_the_same_to_the_bit(name, classes):
    pairs, labels = networks(name, classes)
    given = () if labels is None else (labels,)
    for network, inputs in pairs:
        before = {key: value.clone() for key, value in network.state_dict().items()}
        expected = outputs_and_gradients(network, inputs, *given)
        once = {key: value.clone() for key, value in network.state_dict().items()}
        network.load_state_dict(before)
        found = outputs_and_gradients(recomputing(network), inputs, *given)
        assert all(map(torch.equal, found, expected))
        moved = [key for key, value in network.state_dict().items() if key.endswith("running_mean")]
        assert moved or inputs.ndim == 4  # G has statistics, D has none
        assert not any(torch.equal(before[key], once[key]) for key in moved)
        for key, value in network.state_dict().items():
            assert torch.equal(value, once[key]), key


@pytest.mark.parametrize("name", RESIDUAL)
def test_two_thirds_at_most_are_kept_for_backward(name):
    pairs, _ = networks(name)
    for network, inputs in pairs:
        usual = kept_bytes(network, inputs)
        assert kept_bytes(recomputing(network), inputs) < 2 / 3 * usual
        assert kept_bytes(recomputing(network, on=False), inputs) == usual


@pytest.mark.parametrize("name", RESIDUAL)
def test_of_frozen_weights_too_less_is_kept(name):
    """As of D in G's update, whose convolutions keep nothing: the signs of the ReLUs remain."""
    (_, (discriminator, images)), _ = networks(name)
    discriminator.requires_grad_(False)
    expected = outputs_and_gradients(discriminator, images)[:4]
    usual = kept_bytes(discriminator, images.requires_grad_())
    recomputing(discriminator)
    assert kept_bytes(discriminator, images) < 2 / 3 * usual
    found = outputs_and_gradients(discriminator, images.detach())[:4]
    assert all(map(torch.equal, found, expected))


def test_a_block_or_attention_keeps_its_inputs_alone():
    form = BlockConfig(Resample.DOWN, "3x3", True, True)
    up = form._replace(resample=Resample.UP_ZERO)
    norm = lambda channels: BatchNorm().build(channels, 5, 0)  # noqa: E731
    maps, latents = torch.randn(2, 4, 8, 8, requires_grad=True), torch.randn(2, 5)
    for module, inputs in (
        (UpBlock(4, 6, True, up, norm), (maps, latents, None)),
        (DownBlock(4, 6, True, form), (maps,)),
        (Attention(4, True), (maps,)),
    ):
        expected = sum(each.nbytes for each in inputs if each is not None)
        assert kept_bytes(module, *inputs) > expected
        assert kept_bytes(recomputing(module), *inputs) == expected
