"""Differentiable augmentation: what moves, what stays, and that gradients pass."""

import torch

from ssgan.ops.augment import augmented, coloured, cut_out, translated
from ssgan.ops.keyed import Key


def column(*values):
    return torch.tensor(values)[:, None, None, None]


def test_no_move_is_the_identity_and_a_move_leaves_black():
    images = torch.rand(2, 3, 16, 16)
    middle = torch.tensor([0.5, 0.5])
    torch.testing.assert_close(translated(images, middle, middle), images)
    moved = translated(images, torch.tensor([0.99, 0.5]), middle)  # rows come from 2 below
    torch.testing.assert_close(moved[0, :, :14], images[0, :, 2:])
    assert torch.equal(moved[0, :, 14:], torch.full((3, 2, 16), -1.0))
    torch.testing.assert_close(moved[1], images[1])


def test_colour_in_the_middle_of_its_ranges_is_the_identity():
    images = torch.rand(2, 3, 8, 8)
    half = column(0.5, 0.5)
    torch.testing.assert_close(coloured(images, half, half, half), images)
    grey = coloured(images, half, column(0.0, 0.0), half)
    torch.testing.assert_close(grey[:, 0], grey[:, 1])
    bright = coloured(images, column(1.0, 0.5), half, half)
    torch.testing.assert_close(bright[0], images[0] + 0.5)


def test_the_cut_is_half_the_side():
    images = torch.ones(1, 3, 16, 16)
    cut = cut_out(images, column(0.5), column(0.5))
    assert (cut[0, 0] == 0).sum() == 9 * 9  # |row - 8| <= 4
    assert cut[0, 0, 0, 0] == 1


def test_the_same_key_gives_the_same_images_and_gradients_pass():
    images = torch.rand(4, 3, 16, 16, requires_grad=True)
    first = augmented(images, Key(0, "augment", 1))
    assert torch.equal(first, augmented(images, Key(0, "augment", 1)))
    assert not torch.equal(first, augmented(images, Key(0, "augment", 2)))
    first.square().sum().backward()
    assert images.grad is not None
    assert (images.grad != 0).float().mean() > 0.4
