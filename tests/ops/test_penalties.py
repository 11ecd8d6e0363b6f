"""Where gradients are taken, and their norm."""

import numpy as np
import torch

from ssgan.ops.penalties import dragan, std_over_ranks
from ssgan.types import Scores


def scoring(seen):
    """A D that records its inputs, with a gradient that differs between pixels."""

    def D(images, labels):
        seen.append(images.detach())
        real = images.pow(3).sum(dim=(1, 2, 3))
        return Scores(real, real[:, None], real[:, None])

    return D


def test_noise_is_as_wide_as_the_images_differ_and_stays_within_their_range():
    torch.manual_seed(0)
    real = (torch.randn(5, 3, 4, 4, dtype=torch.float64)).clamp(-1, 1)
    noise, seen = torch.rand_like(real), []
    dragan(scoring(seen), real, None, noise)
    expected = np.clip(real.numpy() + real.numpy().std() * (noise.numpy() - 0.5), -1, 1)
    np.testing.assert_allclose(seen[0].numpy(), expected, rtol=0, atol=1e-12)
    assert (np.abs(expected) == 1).any()


def test_the_gradient_is_for_images_in_zero_to_one_also_where_the_point_was_clamped():
    real, noise = (torch.full((2, 1, 2, 2), value, dtype=torch.float64) for value in (1.0, 0.9))
    real[0] = -1.0  # so that there is a standard deviation of 1: points at -0.6 and, clamped, at 1
    found = dragan(scoring([]), real, None, noise)
    norms = [np.sqrt(1e-4 + 4 * (2 * 3 * x**2) ** 2) for x in (-0.6, 1.0)]
    assert abs(found.item() - np.mean([(s - 1) ** 2 for s in norms])) < 1e-12


def test_the_standard_deviation_is_that_of_a_population_over_all_axes_and_has_no_gradient():
    numbers = torch.tensor([[1.0, 2.0], [3.0, 6.0]], requires_grad=True)
    assert abs(std_over_ranks(numbers).item() - 3.5**0.5) < 1e-6
    assert not std_over_ranks(numbers).requires_grad
