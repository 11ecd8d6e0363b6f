"""Transparency of uint8 images [..., H, W, 4]: multiplied into the colours, or beside them.

The networks read and make colours multiplied by alpha, because the colour of a transparent pixel
means nothing. Files and arrays for people have straight colours, as other programs expect.
"""

import numpy as np
from numpy.typing import NDArray

_SQUARE, _LIGHT, _DARK = 8, 255, 204  # of the checkerboard: pixels, and its two greys


def has_alpha(pixels: NDArray[np.uint8]) -> bool:
    """Whether the last axis is red, green, blue and alpha."""
    return int(pixels.shape[-1]) == 4


def premultiply(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Straight colours multiplied by alpha, rounded; images without alpha stay as they are."""
    if not has_alpha(pixels):
        return pixels
    alpha = pixels[..., 3:]
    colours = (pixels[..., :3].astype(np.uint16) * alpha + 127) // 255
    return np.concatenate([colours.astype(np.uint8), alpha], axis=-1)


def straighten(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Multiplied colours divided by alpha, black where it is 0; the inverse of `premultiply`.

    A colour above its alpha, which a generator may make, becomes 255.
    """
    if not has_alpha(pixels):
        return pixels
    alpha = pixels[..., 3:].astype(np.uint32)
    half = alpha // 2
    colours = (pixels[..., :3] * np.uint32(255) + half) // np.maximum(alpha, 1)
    colours = np.where(alpha == 0, 0, colours.clip(max=255))
    return np.concatenate([colours.astype(np.uint8), pixels[..., 3:]], axis=-1)


def over_checkerboard(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Straight colours over squares of two greys, [..., H, W, 3]; others stay as they are."""
    if not has_alpha(pixels):
        return pixels
    rows, columns = np.indices(pixels.shape[-3:-1]) // max(1, min(_SQUARE, pixels.shape[-2] // 8))
    ground = np.where((rows + columns) % 2 == 0, _LIGHT, _DARK)[..., None]
    alpha = pixels[..., 3:].astype(np.uint16)
    mixed = (pixels[..., :3] * alpha + ground * (255 - alpha) + 127) // 255
    return mixed.astype(np.uint8)
