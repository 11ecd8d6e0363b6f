"""Smooth noise, and the backdrops of `objects`: two colours mixed by noise."""

import numpy as np
from numpy.typing import NDArray

from ssgan.data.scenes.random import Colour, RandomStream
from ssgan.data.scenes.shapes import Field, Number

LINE = np.zeros(1, np.float32)  # for noise that varies in one direction only
BACKDROP_COLOURS = (
    "e8dcc4 c9b79a 8f7f6a 5d5348 f0e9dd b9c9a8 7f9a6a 4d6a52 a9c7d6 6f94b0 3f5f80 2f3f56 "
    "d9b3a0 b5785f 84463a e3c48d c9955c d0c3dd 8f7fa8 54486f 9ea7a8 5f686b e6b9c4 33302e"
)
FULL_CIRCLE = 2.0 * np.pi


def paint_backdrop(rng: RandomStream, side: int) -> Colour:
    """Linear light of backdrops without an up, [3, N, side, side].

    The noise is isotropic or stretched along one direction; the direction is uniform over the
    circle. A third of the backdrops has two tones with a sharp border.
    """
    first, second = rng.colour(BACKDROP_COLOURS), rng.colour(BACKDROP_COLOURS)
    angle, scale = rng.uniform(0.0, FULL_CIRCLE), rng.uniform(0.8, 3.0)
    stretch = np.where(rng.bernoulli(0.5), 1.0, rng.uniform(0.1, 0.4))
    place = (np.arange(side, dtype=np.float32) + 0.5) * (2.0 / side) - 1.0
    right, up = place[None, None, :], -place[None, :, None]
    sine, cosine = np.sin(angle) * scale, np.cos(angle) * scale
    u = right * cosine + up * sine + rng.uniform(20.0, 120.0)
    v = (up * cosine - right * sine) * stretch + rng.uniform(20.0, 120.0)
    amount = 0.7 * noise(u, v) + 0.3 * noise(u * 2.6, v * 2.6)
    width = np.where(rng.bernoulli(0.33), 0.04, 0.45)
    return mix(first, second, ramp(amount, 0.5 - width, 0.5 + width))


def mix(first: Number, second: Number, share: Number) -> Field:
    """`first` where share is 0, `second` where it is 1."""
    return np.asarray(first + (second - first) * share)


def ramp(x: Field, low: Number, high: Number) -> Field:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def noise(x: Field, z: Field) -> Field:
    """Smooth noise in [0, 1] with a grid of 1."""
    column, row = np.floor(x), np.floor(z)
    u, v = x - column, z - row
    u, v = u * u * (3.0 - 2.0 * u), v * v * (3.0 - 2.0 * v)
    i, j = (np.asarray(a).astype(np.int32).view(np.uint32) for a in (column, row))
    near = mix(_hash(i, j), _hash(i + np.uint32(1), j), u)
    j = j + np.uint32(1)
    return mix(near, mix(_hash(i, j), _hash(i + np.uint32(1), j), u), v)


def _hash(i: NDArray[np.uint32], j: NDArray[np.uint32]) -> Field:
    """A number in [0, 1) a grid point."""
    h = i * np.uint32(374761393) + j * np.uint32(668265263)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(1274126177)
    return ((h ^ (h >> np.uint32(16))) & np.uint32(0xFFFF)).astype(np.float32) * (1.0 / 65536.0)
