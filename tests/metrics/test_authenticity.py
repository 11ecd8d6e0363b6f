import numpy as np
import pytest
import torch

from ssgan.metrics.authenticity import measure_authenticity
from ssgan.types import UserError


def normal(count, size, seed):
    return torch.randn(
        count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def test_the_share_is_the_definition():
    training, samples = normal(50, 3, 0), normal(40, 3, 1)
    across = np.linalg.norm(samples.numpy()[:, None] - training.numpy()[None], axis=-1)
    within = np.linalg.norm(training.numpy()[:, None] - training.numpy()[None], axis=-1)
    np.fill_diagonal(within, np.inf)
    nearest = across.argmin(1)
    found = measure_authenticity(training, samples)
    expected = (across.min(1) < within.min(1)[nearest]).mean()
    np.testing.assert_array_equal(found.nearest.numpy(), nearest)
    np.testing.assert_allclose(found.distances.numpy(), across.min(1), rtol=1e-10)
    assert found.authenticity == pytest.approx(1 - expected)
    assert 0 < found.authenticity < 1
    assert found.duplicates == 0
    assert found.median_spacing == pytest.approx(torch.from_numpy(within.min(1)).median().item())


def test_copies_are_counted_even_of_images_that_occur_twice():
    training = torch.cat([normal(20, 4, 0), normal(20, 4, 0)])
    samples = torch.cat([training[:5], normal(5, 4, 9) + 100])
    found = measure_authenticity(training, samples)
    assert found.duplicates == 0.5
    assert found.authenticity == 0.5


def test_near_copies_stand_out_against_held_out_images():
    training, held_out = normal(300, 8, 0), normal(300, 8, 1)
    level = measure_authenticity(training, held_out).authenticity
    leaked = measure_authenticity(training, training + 1e-3 * normal(300, 8, 2))
    assert leaked.authenticity == 0 < level - 0.3
    assert leaked.duplicates == 0


def test_one_training_image_has_no_spacing():
    with pytest.raises(UserError, match="1 training images are too few"):
        measure_authenticity(normal(1, 3, 0), normal(4, 3, 1))
