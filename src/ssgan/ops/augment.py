"""Differentiable augmentation of the images that D reads, real and fake alike.

Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", NeurIPS 2020: color,
translation and cutout keep D from memorizing a small data set. All random numbers are keyed, and
gradients reach the images.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ssgan.ops.rng import Key, uniform

_Images = Float[Tensor, "B C S S"]


def augment(images: _Images, key: Key, rows: Int[Tensor, " B"]) -> _Images:
    """Each image with its own color, translation (up to 1/8) and cutout (half the side).

    Of 4 channels the color leaves alpha as it is; the others move and cut alpha with the colours.

    `rows` numbers the images: the augmentation of an image depends on its number and the key alone.
    """
    random = uniform(key, rows, 7).to(images.device, images.dtype)
    random = random[:, :, None, None, None]
    jitter = jitter_transparent if images.shape[1] == 4 else jitter_color
    images = jitter(images, random[:, 0], random[:, 1], random[:, 2])
    images = translate(images, random[:, 3, 0, 0, 0], random[:, 4, 0, 0, 0])
    return cutout(images, random[:, 5], random[:, 6])


def jitter_color(
    images: _Images, brightness: Tensor, saturation: Tensor, contrast: Tensor
) -> _Images:
    """Brightness shifted by up to 0.5, saturation scaled by 0 ... 2, contrast by 0.5 ... 1.5.

    Each argument is one number in [0, 1) per image, [B, 1, 1, 1]; it maps linearly to the range.
    """
    images = images + (brightness - 0.5)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (2 * saturation)
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    return middle + (images - middle) * (contrast + 0.5)


def jitter_transparent(
    images: _Images, brightness: Tensor, saturation: Tensor, contrast: Tensor
) -> _Images:
    """`jitter_color` of colours that are multiplied by the alpha of their fourth channel.

    Transparent pixels stay black, and opaque images become those of `jitter_color`.
    """
    alpha = (images[:, 3:] + 1) / 2
    colours = images[:, :3] + (1 - alpha)  # alpha times colours in [-1, 1]: 0 where transparent
    colours = colours + alpha * (brightness - 0.5)
    grey = colours.mean(dim=1, keepdim=True)
    colours = grey + (colours - grey) * (2 * saturation)
    area = alpha.mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-3)
    middle = alpha * (colours.mean(dim=(1, 2, 3), keepdim=True) / area)
    colours = middle + (colours - middle) * (contrast + 0.5)
    return torch.cat([colours - (1 - alpha), images[:, 3:]], dim=1)


def translate(images: _Images, down: Float[Tensor, " B"], across: Float[Tensor, " B"]) -> _Images:
    """Shifted by whole pixels, up to an eighth of the side each way; uncovered pixels are black.

    Both arguments are one number in [0, 1) per image; 0 shifts furthest down, or to the right.
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
    """A square of half the side set to mid grey (0); up to half of it may be outside the image.

    Its center is at one of the size + 1 lines between pixels or at the edges, with equal
    probability. Both arguments are one number in [0, 1) per image, [B, 1, 1, 1], from the top left.
    """
    size = images.shape[-1]
    side = size // 2
    steps = torch.arange(size, device=images.device)

    def is_inside(random: Tensor) -> Tensor:
        first = (random * (size + 1)).floor().flatten(1) - side // 2
        return (steps >= first) & (steps < first + side)

    return images * ~(is_inside(down)[:, None, :, None] & is_inside(across)[:, None, None, :])
