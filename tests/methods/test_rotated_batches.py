"""Of any batch, however it is cut, D reads as many images in each rotation, rightly labelled."""

import numpy as np
import pytest
import torch

from ssgan.methods.forward import rotate
from ssgan.methods.rotation import all_rotations
from ssgan.methods.ssgan import SSGAN
from ssgan.types import Batch


def batch_of(index: torch.Tensor, size: int) -> Batch:
    """Images without any symmetry, a different one at each place of the global batch."""
    pixels = torch.arange(9.0).reshape(1, 1, 3, 3) + 100 * index.reshape(-1, 1, 1, 1)
    return Batch(pixels, None, index, size)


@pytest.mark.parametrize("fraction", [0.25, 0.5, 1.0])
@pytest.mark.parametrize(("size", "parts"), [(4, 1), (8, 2), (12, 1), (24, 3), (64, 4), (36, 9)])
def test_every_batch_has_as_many_images_of_each_rotation(
    size: int, parts: int, fraction: float
) -> None:
    """Part p holds the places p, p + parts, ... of the batch."""
    labels, seen = [], []
    for part in range(parts):
        real = batch_of(torch.arange(part, size, parts), size)
        rows = real.last(fraction)
        upright, rotated = real.images[rows].flatten(1), rotate(real, rows).images.flatten(1)
        images, r = all_rotations(upright, rotated)
        for image, turns in zip(images, r.tolist(), strict=True):
            place = int(image.min()) // 100
            plain = np.arange(9.0).reshape(3, 3) + 100 * place
            for _ in range(turns):  # counter-clockwise: the last column becomes the first row
                plain = np.array([[plain[i][2 - j] for i in range(3)] for j in range(3)])
            assert (image.reshape(3, 3).numpy() == plain).all()
            seen.append((place, turns))
        labels += r.tolist()
    count = SSGAN(rotated_fraction=fraction).num_rotated(size)
    assert count == round(fraction * size)
    assert np.bincount(labels, minlength=4).tolist() == [count] * 4
    last = range(size - count, size)
    assert sorted(seen) == [(place, turns) for place in last for turns in range(4)]
