"""Rotations against index arithmetic: a reflection also passes "four times is the identity"."""

import pytest
import torch

from ssgan.ops.rotation import NUM_ROTATIONS, rotated_copies, rotation_labels
from tests.reference.losses import rotate_by_index


def test_every_copy_is_the_image_rotated_counter_clockwise():
    images = torch.rand(3, 2, 5, 5)
    rotated = rotated_copies(images).unflatten(0, (NUM_ROTATIONS - 1, 3))
    for r in range(1, NUM_ROTATIONS):
        for image in range(3):
            assert torch.equal(rotated[r - 1, image], rotate_by_index(images[image], r))


def test_what_was_on_the_right_is_on_top_after_a_quarter():
    image = torch.zeros(1, 1, 3, 3)
    image[0, 0, :, 2] = 1
    assert torch.equal(rotated_copies(image)[0, 0, 0], torch.ones(3))


def test_a_rotation_is_not_a_reflection():
    """The centre of mass goes round; a transposition would swap rows and columns instead."""
    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 0, 1] = 1  # top, left of the middle
    quarter, half, three = rotated_copies(image)[:, 0]
    assert quarter[2, 0] == 1
    assert half[3, 2] == 1
    assert three[1, 3] == 1


def test_classes_follow_the_copies():
    assert rotation_labels(2, torch.device("cpu")).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_images_that_are_not_square_cannot_be_stacked_with_their_rotations():
    with pytest.raises(Exception, match=r"(size|annotation|[Tt]ype)"):
        rotated_copies(torch.zeros(1, 3, 4, 5))
