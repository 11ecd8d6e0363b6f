"""Differentiable augmentation: what D sees is changed, reals and fakes alike.

Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", NeurIPS 2020: colour,
translation and cutout keep D from learning a small data set by heart. Every number is keyed, and
gradients pass through to the images.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ssgan.ops.rng import Key, uniform

_Images = Float[Tensor, "B C S S"]


def augment(images: _Images, key: Key, rows: Int[Tensor, " B"]) -> _Images:
    """Each image with its own colour, translation (up to 1/8) and cutout (half the side).

    `rows` numbers the images: those of one number are changed alike, whatever they are beside.
    """
    chance = uniform(key, rows, 7).to(images.device, images.dtype)
    chance = chance[:, :, None, None, None]
    images = jitter_color(images, chance[:, 0], chance[:, 1], chance[:, 2])
    images = translate(images, chance[:, 3, 0, 0, 0], chance[:, 4, 0, 0, 0])
    return cutout(images, chance[:, 5], chance[:, 6])


def jitter_color(
    images: _Images, brightness: Tensor, saturation: Tensor, contrast: Tensor
) -> _Images:
    """Brightness moved by up to 0.5, saturation scaled by 0 ... 2, contrast by 0.5 ... 1.5.

    Each is given as a number in [0, 1) an image, [B, 1, 1, 1], which spans that range evenly.
    """
    images = images + (brightness - 0.5)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (2 * saturation)
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    return middle + (images - middle) * (contrast + 0.5)


def translate(images: _Images, down: Float[Tensor, " B"], across: Float[Tensor, " B"]) -> _Images:
    """Moved by whole pixels, up to an eighth of the side each way; black where nothing was.

    Both ways are given as a number in [0, 1) an image; 0 moves furthest down, or to the right.
    """
    size = images.shape[-1]
    reach = size // 8
    steps = torch.arange(size, device=images.device)
    rows = steps + ((down * (2 * reach + 1)).floor() - reach).long()[:, None]
    columns = steps + ((across * (2 * reach + 1)).floor() - reach).long()[:, None]
    padded = F.pad(images + 1, (1, 1, 1, 1)).permute(0, 2, 3, 1)  # black is -1: pad with it
    which = torch.arange(len(images), device=images.device)[:, None, None]
    rows, columns = ((i + 1).clamp(0, size + 1) for i in (rows, columns))
    return padded[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2) - 1


def cutout(images: _Images, down: Tensor, across: Tensor) -> _Images:
    """A square of half the side set to mid grey (0); up to half of it may be beyond each edge.

    Its middle is at one of the size + 1 lines between pixels and at the edges, each equally
    likely, down and across: given as a number in [0, 1) an image, [B, 1, 1, 1], from the top left.
    """
    size = images.shape[-1]
    cut = size // 2
    steps = torch.arange(size, device=images.device)

    def inside(chance: Tensor) -> Tensor:
        first = (chance * (size + 1)).floor().flatten(1) - cut // 2
        return (steps >= first) & (steps < first + cut)

    return images * ~(inside(down)[:, None, :, None] & inside(across)[:, None, None, :])
