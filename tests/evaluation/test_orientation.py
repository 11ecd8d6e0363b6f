"""Predicted orientations: right for a head that knows, and measured as they are counted by hand."""

import numpy as np
import pytest
import torch

from ssgan.evaluation.orientation import (
    Orientations,
    measure_orientations,
    predict_orientations,
)
from ssgan.types import UserError


def corner_head(pixels):
    """Knows the rotation by the brightest corner: top left, as upright, then counter-clockwise."""
    corners = pixels[:, [0, -1, -1, 0], [0, 0, -1, -1], 0].astype(np.float64)
    return torch.from_numpy(corners / 40)


def marked(count):
    images = np.random.default_rng(0).integers(0, 100, (count, 6, 6, 3), dtype=np.uint8)
    images[:, 0, 0] = 220
    return images


@pytest.mark.parametrize("rotation", range(4))
def test_the_rotation_is_counted_counter_clockwise_from_upright(rotation):
    pixels = np.ascontiguousarray(np.rot90(marked(7), rotation, axes=(1, 2)))
    found = predict_orientations(pixels, corner_head)
    assert found.shape == (7, 4)
    assert np.allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == rotation).all()


def test_a_rotated_picture_has_the_same_probabilities_shifted():
    upright = predict_orientations(marked(5), corner_head)
    rotated = np.ascontiguousarray(np.rot90(marked(5), 3, axes=(1, 2)))
    assert np.allclose(predict_orientations(rotated, corner_head), np.roll(upright, 3, axis=1))


def test_a_head_that_prefers_a_class_predicts_nothing():
    """A preference for a class is the same in all copies, so it cancels."""
    found = predict_orientations(
        marked(3), lambda x: torch.tensor([[5.0, 0, 0, 0]]).repeat(len(x), 1)
    )
    assert np.allclose(found, 0.25)


def test_quality_is_that_of_every_picture_in_every_rotation():
    """Against all four rotations one by one."""
    probabilities = np.random.default_rng(1).dirichlet(np.full(4, 0.3), 500)
    threshold, share = 0.6, 0.2
    found = measure_orientations(Orientations.of(probabilities), threshold)
    listed, right = np.zeros((4, 500), bool), np.zeros((4, 500), bool)
    for rotation in range(4):
        one = Orientations.of(np.roll(probabilities, rotation, axis=1))
        listed[rotation] = one.is_listed(threshold)
        right[rotation] = listed[rotation] & (one.rotation == rotation)
    assert found.recall == pytest.approx(right[1:].mean())
    assert found.false_alarms == pytest.approx(listed[0].mean())
    assert found.recall + found.misplaced == pytest.approx(listed[1:].mean())
    every = share * listed[1:].mean() + (1 - share) * listed[0].mean()
    assert found.precision(share) == pytest.approx(share * right[1:].mean() / every)
    estimate = found.estimate_rotated(round(10_000_000 * every), 10_000_000)
    assert estimate[0] == pytest.approx(share, abs=1e-3)
    assert 0 < estimate[1] < 0.1
    assert found.estimate_rotated(0, 100) == (0, 0)


def test_nothing_is_said_where_nothing_is_listed():
    upright = Orientations(np.zeros(3, np.int8), np.full(3, 0.5, np.float32))
    found = measure_orientations(upright, 0.9)
    assert found.precision(0.1) is None
    assert found.estimate_rotated(0, 3) is None
    with pytest.raises(UserError, match="no upright picture"):
        measure_orientations(Orientations(np.zeros(0, np.int8), np.zeros(0, np.float32)), 0.9)
