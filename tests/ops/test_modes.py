"""Temporary modes of a network end with their block, whatever happens in it."""

import pytest
import torch
from torch import nn

from ssgan.ops.modes import eval_mode, frozen, unfrozen


def network_with_a_fixed_bias():
    network = nn.Linear(3, 2)
    network.bias.requires_grad_(False)
    return network


def learns(network):
    return [parameter.requires_grad for parameter in network.parameters()]


@pytest.mark.parametrize(("mode", "within"), [(frozen, False), (unfrozen, True)])
def test_every_weight_has_the_mode_within_the_block_and_its_own_after_an_error(mode, within):
    network = network_with_a_fixed_bias()
    with mode(network):
        assert learns(network) == [within, within]
    with pytest.raises(RuntimeError), mode(network):
        network(torch.zeros(1, 5))
    assert learns(network) == [True, False]


def test_gradients_pass_through_frozen_weights():
    network, inputs = nn.Linear(3, 2), torch.randn(1, 3, requires_grad=True)
    with frozen(network):
        network(inputs).sum().backward()
    assert network.weight.grad is None
    torch.testing.assert_close(inputs.grad, network.weight.detach().sum(0, keepdim=True))


def test_unfrozen_restores_the_outer_freezing():
    network = nn.Linear(3, 2)
    with frozen(network):
        with unfrozen(network):
            assert learns(network) == [True, True]
        assert learns(network) == [False, False]


def test_evaluation_leaves_modes_and_random_numbers_as_they_were():
    network = nn.Sequential(nn.Dropout(), nn.Dropout())
    network[1].eval()
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with eval_mode(network):
        assert not any(module.training for module in network.modules())
        assert not torch.is_grad_enabled()
        torch.rand(5)
    assert [module.training for module in network] == [True, False]
    assert torch.equal(torch.rand(3), expected)
