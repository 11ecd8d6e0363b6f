"""`scenes`: procedural labelled pictures that need no download.

One shaded, upright object of ten kinds stands on a ground under a sky. Picture i depends on the
seed and i alone, so a shorter set is the beginning of a longer one. Every ten pictures from a
multiple of ten hold each kind once, in an order of their own.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ssgan.config.check import check_count
from ssgan.data.base import AbstractCollection, AbstractSource, HeaderStats, Pixels, Preprocessing
from ssgan.data.scenes.objects import KINDS
from ssgan.data.scenes.rendering import DRAWS, SUPERSAMPLING, render
from ssgan.types import UserError

RENDERER_VERSION = 1  # raise it when the bytes of any picture change
NATURAL_SIZE = 64  # side in pixels that a survey reports: pictures are drawn at any size
HELD_OUT = 2000  # pictures of another seed that are drawn to measure on
RAYS_AT_ONCE = 2**15  # fits a core's cache
LUMA = (299, 587, 114)  # thousandths of red, green and blue


@dataclass(frozen=True, kw_only=True)
class Scenes(AbstractSource):
    """Ten kinds of object, drawn at whatever size is asked for."""

    num_images: int = 20_000  # how many pictures, at least 1
    seed: int = 0  # another seed, other pictures; 0 to 2**64 - 1

    def __post_init__(self) -> None:
        check_count("num_images", self.num_images, 1)
        if not 0 <= self.seed < 2**64:
            raise UserError(f"seed must be between 0 and 2**64 - 1, not {self.seed}")

    def open(self) -> "SceneCollection":
        """The pictures by number; nothing is drawn yet."""
        return SceneCollection(self)

    def held_out(self) -> "Scenes":
        """At most 2,000 pictures of the next seed."""
        seed = (self.seed + 1) % 2**64
        return replace(self, num_images=min(self.num_images, HELD_OUT), seed=seed)

    def name(self) -> str:
        """`scenes`, with the settings that are not the defaults: `scenes:num_images=500,seed=3`."""
        values = [(f.name, getattr(self, f.name), f.default) for f in fields(self)]
        changed = [f"{name}={value}" for name, value, default in values if value != default]
        return ":".join(["scenes", ",".join(changed)]) if changed else "scenes"


class SceneCollection(AbstractCollection):
    """The pictures of a `Scenes`, drawn when they are read."""

    def __init__(self, spec: Scenes) -> None:
        self._spec = spec

    def __len__(self) -> int:
        return self._spec.num_images

    def fingerprint(self) -> str:
        """A digest of the settings and the renderer's version."""
        content = f"scenes {RENDERER_VERSION} {self._spec.num_images} {self._spec.seed}"
        return hashlib.sha256(content.encode()).hexdigest()

    def read(self, numbers: range, preprocessing: Preprocessing) -> Iterator[Pixels]:
        """Pictures [S, S, C] in order; fastest for ranges of 100 and more."""
        channels, size = preprocessing.shape
        if channels not in (1, 3):
            raise UserError(f"scenes are drawn with 1 or 3 channels, not {channels}")
        if size < 1:
            raise UserError(f"scenes need a size of at least 1 pixel, not {size}")
        at_once = len(KINDS) * max(1, RAYS_AT_ONCE // (size * SUPERSAMPLING) ** 2)
        for start in range(0, len(numbers), at_once):
            pixels = _draw(self._spec.seed, numbers[start : start + at_once], size)
            yield from pixels if channels == 3 else _luma(pixels)

    def header_stats(self) -> HeaderStats:
        """Any size is possible; NATURAL_SIZE shows what there is to see."""
        return HeaderStats(num_images=len(self), short_side=NATURAL_SIZE, grey=False)

    def labels(self) -> Sequence[int]:
        """The kind of every picture."""
        return _kinds(self._spec.seed, range(len(self)))

    def classes(self) -> tuple[str, ...]:
        """The names of the kinds."""
        return tuple(KINDS)


def _draw(seed: int, numbers: range, size: int) -> NDArray[np.uint8]:
    """These pictures, [N, S, S, 3]: kind by kind, as one kind has one list of solids."""
    pixels = np.empty((len(numbers), size, size, 3), np.uint8)
    kinds = np.array(_kinds(seed, numbers))
    uniform = np.stack([_stream(seed, "picture", number).random(DRAWS) for number in numbers])
    for label, kind in enumerate(KINDS):
        rows = np.flatnonzero(kinds == label)
        most = max(1, RAYS_AT_ONCE // (size * SUPERSAMPLING) ** 2)
        for start in range(0, len(rows), most):
            some = rows[start : start + most]
            pixels[some] = render(kind, uniform[some], size)
    return pixels


def _kinds(seed: int, numbers: range) -> list[int]:
    """The class number of each picture."""
    tens = {number // len(KINDS) for number in numbers}
    orders = {ten: _stream(seed, "kinds", ten).random(len(KINDS)).argsort() for ten in tens}
    return [int(orders[number // len(KINDS)][number % len(KINDS)]) for number in numbers]


def _stream(seed: int, purpose: str, number: int) -> np.random.Generator:
    """Random numbers that depend on these three alone."""
    key = [seed, {"picture": 0, "kinds": 1}[purpose]]
    counter = [0, 0, 0, number]
    return np.random.Generator(
        np.random.Philox(key=np.array(key, np.uint64), counter=np.array(counter, np.uint64))
    )


def _luma(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightness as the eye sees it, [N, S, S, 1]; in whole numbers, so exact everywhere."""
    red, green, blue = (pixels[..., k].astype(np.int32) * LUMA[k] for k in range(3))
    return ((red + green + blue + 500) // 1000).astype(np.uint8)[..., None]
