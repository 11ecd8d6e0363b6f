"""The average of weights against its closed form."""

import pytest
import torch
from torch import nn

from ssgan.ops.ema import ema_decay, update_ema


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))
        self.register_buffer("running_mean", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("spectral_u", torch.zeros(2, dtype=torch.float64))


def test_a_value_fades_by_half_in_the_half_life():
    average, network = Small(), Small()
    with torch.no_grad():
        average.weight.fill_(1.0)
    for _ in range(10):
        update_ema(average, network, halflife_steps=10.0)
    torch.testing.assert_close(average.weight.detach(), torch.full((3,), 0.5).double())


def test_linear_weights_lag_by_the_closed_form():
    average, network = Small(), Small()
    decay = ema_decay(5.0)
    expected = 0.0
    for step in range(1, 40):
        with torch.no_grad():
            network.weight.fill_(float(step))
            network.running_mean.fill_(2.0 * step)
        update_ema(average, network, 5.0)
        expected = decay * expected + (1 - decay) * step
    torch.testing.assert_close(average.weight[0].item(), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(average.running_mean[0].item(), 2 * expected, rtol=1e-12, atol=0)


def test_integers_and_spectral_vectors_are_copied():
    average, network = Small(), Small()
    network.count.fill_(7)
    network.spectral_u.copy_(torch.tensor([0.6, 0.8]))
    update_ema(average, network, 100.0)
    assert average.count == 7
    assert torch.equal(average.spectral_u, network.spectral_u)


def test_without_a_half_life_the_average_is_a_copy():
    average, network = Small(), Small()
    with torch.no_grad():
        network.weight.normal_()
    update_ema(average, network, 0.0)
    assert torch.equal(average.weight, network.weight)
    assert ema_decay(0.0) == 0
    assert ema_decay(1.0) == pytest.approx(0.5)
