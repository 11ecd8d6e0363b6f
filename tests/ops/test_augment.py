"""Differentiable augmentation: what moves, what stays, and that gradients pass."""

import pytest
import torch

from ssgan.ops.augment import augment, cutout, jitter_color, jitter_transparent, translate
from ssgan.ops.rng import Key, uniform


def column(*values):
    return torch.tensor(values)[:, None, None, None]


def test_no_move_is_the_identity_and_a_move_leaves_black():
    images = torch.rand(2, 3, 16, 16)
    middle = torch.tensor([0.5, 0.5])
    torch.testing.assert_close(translate(images, middle, middle), images)
    moved = translate(images, torch.tensor([0.99, 0.5]), middle)  # rows come from 2 below
    torch.testing.assert_close(moved[0, :, :14], images[0, :, 2:])
    assert torch.equal(moved[0, :, 14:], torch.full((3, 2, 16), -1.0))
    torch.testing.assert_close(moved[1], images[1])


def test_colour_in_the_middle_of_its_ranges_is_the_identity():
    images = torch.rand(2, 3, 8, 8)
    half = column(0.5, 0.5)
    torch.testing.assert_close(jitter_color(images, half, half, half), images)
    grey = jitter_color(images, half, column(0.0, 0.0), half)
    torch.testing.assert_close(grey[:, 0], grey[:, 1])
    bright = jitter_color(images, column(1.0, 0.5), half, half)
    torch.testing.assert_close(bright[0], images[0] + 0.5)


@pytest.mark.parametrize("size", [16, 32, 48, 64, 128])
def test_the_cut_is_half_the_side(size):
    cut = cutout(torch.ones(1, 3, size, size), column(0.5), column(0.5))
    dark = (cut[0, 0] == 0).nonzero()
    assert len(dark) == (size // 2) ** 2
    assert dark.amin(dim=0).tolist() == [size // 4] * 2
    assert dark.amax(dim=0).tolist() == [3 * size // 4 - 1] * 2


def test_the_middle_of_the_cut_is_anywhere_from_edge_to_edge():
    """17 places for 16 pixels, each from as many chances; at the edges half of it is outside."""
    chances = (torch.arange(170) + 0.5) / 170
    cut = cutout(torch.ones(170, 1, 16, 16), chances[:, None, None, None], column(0.5))
    rows = [frozenset((image == 0).any(dim=1).nonzero().flatten().tolist()) for image in cut[:, 0]]
    places = [
        frozenset(r for r in range(middle - 4, middle + 4) if 0 <= r < 16) for middle in range(17)
    ]
    assert rows == [place for place in places for _ in range(10)]


def test_the_same_key_gives_the_same_images_and_gradients_pass():
    images = torch.rand(4, 3, 16, 16, requires_grad=True)
    rows = torch.arange(4)
    first = augment(images, Key(0, "augment", 1), rows)
    assert torch.equal(first, augment(images, Key(0, "augment", 1), rows))
    assert not torch.equal(first, augment(images, Key(0, "augment", 2), rows))
    first.square().sum().backward()
    assert images.grad is not None
    assert (images.grad != 0).float().mean() > 0.4


def test_a_row_is_changed_by_its_number_alone():
    images, rows = torch.rand(6, 3, 16, 16), torch.arange(6)
    whole = augment(images, Key(0, "augment"), rows)
    torch.testing.assert_close(augment(images[1::2], Key(0, "augment"), rows[1::2]), whole[1::2])


def transparent(seed):
    """Two images of 4 channels: opaque colours, and the same multiplied by an alpha."""
    generator = torch.Generator().manual_seed(seed)
    colours = torch.rand(2, 3, 8, 8, generator=generator, dtype=torch.float64)
    alpha = torch.ones(2, 1, 8, 8, dtype=torch.float64)
    alpha[1, :, :3] = 0
    alpha[1, :, 3:5] = 0.5
    return 2 * torch.cat([colours * alpha, alpha], dim=1) - 1


def test_colour_of_transparent_images_leaves_alpha_and_transparent_pixels_as_they_are():
    images = transparent(0)
    numbers = (torch.tensor(v).view(2, 1, 1, 1).double() for v in ([0.9, 0.1], [0.2, 0.8], [1, 0]))
    found = jitter_transparent(images, *numbers)
    assert torch.equal(found[:, 3], images[:, 3])
    assert not torch.equal(found[:, :3], images[:, :3])
    torch.testing.assert_close(found[1, :3, :3], torch.full((3, 3, 8), -1.0).double())


def test_colour_of_an_opaque_image_is_that_without_alpha():
    images = transparent(1)[:1]
    numbers = [torch.full((1, 1, 1, 1), value).double() for value in (0.7, 0.3, 0.9)]
    torch.testing.assert_close(
        jitter_transparent(images, *numbers)[:, :3], jitter_color(images[:, :3], *numbers)
    )


def test_a_half_transparent_pixel_has_half_of_the_colour_that_it_would_have_opaque():
    """Colour c and alpha a become a times what c becomes, where the mean colour is the same."""
    images = transparent(2)[1:]
    alpha = (images[:, 3:] + 1) / 2
    images[:, :3] = alpha * (0.5 + 1) - 1  # straight colour 0.5 everywhere
    numbers = [torch.full((1, 1, 1, 1), value).double() for value in (0.7, 0.3, 0.9)]
    straight = torch.full((1, 3, 8, 8), 0.5).double()
    wanted = alpha * (jitter_color(straight, *numbers) + 1) - 1
    torch.testing.assert_close(jitter_transparent(images, *numbers)[:, :3], wanted)


def test_augmentation_moves_alpha_with_the_colours():
    """An image that is alpha in every channel stays so, but for its colour."""
    images = transparent(3)
    rows = torch.arange(2)
    found = augment(images, Key(0, "augment"), rows)
    random = uniform(Key(0, "augment"), rows, 7).double()
    moved = translate(images[:, 3:], random[:, 3], random[:, 4])
    cut = [one.view(2, 1, 1, 1) for one in (random[:, 5], random[:, 6])]
    assert torch.equal(found[:, 3:], cutout(moved, *cut))
