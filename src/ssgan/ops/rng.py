"""Random numbers from a key instead of a state.

Row i of a draw depends on the key and on index[i] alone: not on the rest of the batch, nor on
earlier draws. So resumed and accumulated runs draw the same numbers, and no generator state needs
to be stored. The generator is Philox 4x32-10 (Salmon et al. 2011), computed by NumPy: its many
small operations cost several times as much in PyTorch.
"""

import hashlib
import math
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

_MASK = np.uint64(0xFFFFFFFF)
_MULTIPLY = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_Words: TypeAlias = NDArray[np.uint64]  # of 32 bits each


class Key:
    """The name of one stream of random numbers: a seed, a purpose in words, further numbers."""

    def __init__(self, seed: int, purpose: str, *numbers: int) -> None:
        text = "/".join([str(seed), purpose, *map(str, numbers)])
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        self.words = (int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:], "big"))


def _multiply(a: int, b: _Words) -> tuple[_Words, _Words]:
    """High and low 32 bits of a * b, for 32-bit values; uint64 holds the product."""
    product = b * np.uint64(a)
    return product >> np.uint64(32), product & _MASK


def philox(key: Key, counter: Int[Tensor, "*#N"], lane: Int[Tensor, "*#N"]) -> list[Tensor]:
    """Four tensors of 32 random bits for every (counter, lane), each value in [0, 2^32).

    Both are on the CPU, of one shape or broadcast to one, and not negative.
    """
    whole, c2 = counter.numpy().astype(np.uint64), lane.numpy().astype(np.uint64)
    c0, c1, c3 = whole & _MASK, whole >> np.uint64(32), np.zeros_like(c2)
    k0, k1 = key.words
    for _ in range(10):
        high0, low0 = _multiply(_MULTIPLY[0], c0)
        high1, low1 = _multiply(_MULTIPLY[1], c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ np.uint64(k0), low1, high0 ^ c3 ^ np.uint64(k1), low0
        k0, k1 = (k0 + _WEYL[0]) & int(_MASK), (k1 + _WEYL[1]) & int(_MASK)
    return [torch.from_numpy(word.astype(np.int64)) for word in (c0, c1, c2, c3)]


def _bits(key: Key, index: Int[Tensor, " B"], size: int) -> Int[Tensor, "B size"]:
    """`size` values of 32 random bits per row."""
    lane = torch.arange(-(-size // 4))
    words = philox(key, index.to(torch.int64)[:, None], lane[None])
    return torch.stack(words, dim=-1).flatten(1)[:, :size]


def uniform(key: Key, index: Int[Tensor, " B"], size: int) -> Float[Tensor, "B size"]:
    """Uniform numbers in [0, 1), float32: multiples of 2^-24."""
    return (_bits(key, index, size) >> 8).float() * 2.0**-24


def normal(key: Key, index: Int[Tensor, " B"], size: int) -> Float[Tensor, "B size"]:
    """Standard normal numbers, float32 (Box-Muller in float64)."""
    half = -(-size // 2)
    bits = (_bits(key, index, 2 * half).double() + 0.5) * 2.0**-32  # in (0, 1)
    radius = (-2 * bits[:, :half].log()).sqrt()
    angle = 2 * math.pi * bits[:, half:]
    return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)[:, :size].float()


def integers(key: Key, index: Int[Tensor, " B"], high: int) -> Int[Tensor, " B"]:
    """One uniform integer in 0 ... high - 1 per row."""
    return (_bits(key, index, 1)[:, 0] * high) >> 32


def permutation(key: Key, size: int) -> Int[Tensor, " size"]:
    """A random permutation of 0 ... size - 1."""
    c0, c1, _, _ = philox(key, torch.arange(size), torch.zeros(size, dtype=torch.int64))
    return ((c0 << 31) ^ c1).argsort(stable=True)
