"""`objects` and `scenes`: rendered labelled pictures that need no download.

Each picture shows an upright object of one of ten classes: before a backdrop without an up
(`objects`), or on a ground under a sky (`scenes`). Picture i depends on the seed and i only, so a
smaller set is the beginning of a larger one. Every ten pictures from a multiple of ten contain each
class once, in random order.
"""

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ssgan.config.schema import check_count
from ssgan.data.base import AbstractCollection, AbstractSource, HeaderStats, Pixels, Preprocessing
from ssgan.data.scenes.objects import KINDS
from ssgan.data.scenes.rendering import DRAWS, SUPERSAMPLING, render_object, render_scene
from ssgan.types import UserError

NATURAL_SIZE = 64  # side in pixels in the header statistics; any size can be rendered
RAYS_AT_ONCE = 2**15  # fits in the cache of a core
LUMA = (299, 587, 114)  # thousandths of red, green and blue


@dataclass(frozen=True, kw_only=True)
class RenderedSource(AbstractSource):
    """Ten object classes, rendered at any size."""

    kind: ClassVar[str]  # the first word of its name
    version: ClassVar[int]  # of the renderer; raise it when the bytes of any picture change
    most_held_out: ClassVar[int]  # pictures of another seed for evaluation

    num_images: int = 20_000  # number of pictures, at least 1
    seed: int = 0  # determines the pictures; 0 to 2**64 - 1

    def __post_init__(self) -> None:
        check_count("num_images", self.num_images, 1)
        if not 0 <= self.seed < 2**64:
            raise UserError(f"seed must be between 0 and 2**64 - 1, not {self.seed}")

    @abstractmethod
    def render(self, kind: str, uniform: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
        """Colour pictures of one class from rows of random numbers, [N, size, size, 3]."""

    def open(self) -> "RenderedCollection":
        """The numbered pictures; none is rendered yet."""
        return RenderedCollection(self)

    def held_out(self) -> "RenderedSource":
        """At most 10,000 pictures of the next seed, 2,000 for scenes."""
        seed = (self.seed + 1) % 2**64
        return replace(self, num_images=min(self.num_images, self.most_held_out), seed=seed)

    def name(self) -> str:
        """Its kind and the changed settings, such as `scenes:num_images=500,seed=3`."""
        values = [(f.name, getattr(self, f.name), f.default) for f in fields(self)]
        changed = [f"{name}={value}" for name, value, default in values if value != default]
        return ":".join([self.kind, ",".join(changed)]) if changed else self.kind


@dataclass(frozen=True, kw_only=True)
class Objects(RenderedSource):
    """Ten object classes before backdrops without an up, rendered at any size."""

    kind: ClassVar[str] = "objects"
    version: ClassVar[int] = 1
    most_held_out: ClassVar[int] = 10_000

    def render(self, kind: str, uniform: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
        """Pictures before backdrops."""
        return render_object(kind, uniform, size)


@dataclass(frozen=True, kw_only=True)
class Scenes(RenderedSource):
    """Ten object classes on a ground under a sky, rendered at any size."""

    kind: ClassVar[str] = "scenes"
    version: ClassVar[int] = 1
    most_held_out: ClassVar[int] = 2000

    def render(self, kind: str, uniform: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
        """Pictures on a ground under a sky."""
        return render_scene(kind, uniform, size)


class RenderedCollection(AbstractCollection):
    """The pictures of a rendered source, made when they are read."""

    def __init__(self, spec: RenderedSource) -> None:
        self._spec = spec

    def __len__(self) -> int:
        return self._spec.num_images

    def fingerprint(self) -> str:
        """A digest of the settings and the version of the renderer."""
        spec = self._spec
        content = f"{spec.kind} {spec.version} {spec.num_images} {spec.seed}"
        return hashlib.sha256(content.encode()).hexdigest()

    def read(self, numbers: range, preprocessing: Preprocessing) -> Iterator[Pixels]:
        """Pictures [S, S, C] in order; fastest for ranges of 100 and more."""
        channels, size = preprocessing.shape
        if channels not in (1, 3, 4):
            raise UserError(f"{self._spec.kind}: channels must be 1, 3 or 4, not {channels}")
        if size < 1:
            raise UserError(f"{self._spec.kind}: size must be at least 1 pixel, not {size}")
        at_once = len(KINDS) * max(1, RAYS_AT_ONCE // (size * SUPERSAMPLING) ** 2)
        for start in range(0, len(numbers), at_once):
            pixels = _render(self._spec, numbers[start : start + at_once], size)
            if channels == 4:
                pixels = _add_alpha(pixels)
            yield from _luma(pixels) if channels == 1 else pixels

    def header_stats(self) -> HeaderStats:
        """NATURAL_SIZE, which shows the details; any size is possible."""
        return HeaderStats(num_images=len(self), short_side=NATURAL_SIZE, grey=False)

    def labels(self) -> Sequence[int]:
        """The class of every picture."""
        return _kinds(self._spec.seed, range(len(self)))

    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(KINDS)


def _render(spec: RenderedSource, numbers: range, size: int) -> NDArray[np.uint8]:
    """Render these pictures, [N, S, S, 3], class by class, as a class has one list of solids."""
    pixels = np.empty((len(numbers), size, size, 3), np.uint8)
    kinds = np.array(_kinds(spec.seed, numbers))
    uniform = np.stack([_stream(spec.seed, "picture", number).random(DRAWS) for number in numbers])
    for label, kind in enumerate(KINDS):
        rows = np.flatnonzero(kinds == label)
        if len(rows):
            pixels[rows] = spec.render(kind, uniform[rows], size)
    return pixels


def _kinds(seed: int, numbers: range) -> list[int]:
    """The class number of each picture."""
    tens = {number // len(KINDS) for number in numbers}
    orders = {ten: _stream(seed, "kinds", ten).random(len(KINDS)).argsort() for ten in tens}
    return [int(orders[number // len(KINDS)][number % len(KINDS)]) for number in numbers]


def _stream(seed: int, purpose: str, number: int) -> np.random.Generator:
    """Random numbers that depend on these three values only."""
    key = [seed, {"picture": 0, "kinds": 1}[purpose]]
    counter = [0, 0, 0, number]
    return np.random.Generator(
        np.random.Philox(key=np.array(key, np.uint64), counter=np.array(counter, np.uint64))
    )


def _add_alpha(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pictures, opaque, [N, S, S, 4]."""
    return np.pad(pixels, [(0, 0)] * 3 + [(0, 1)], constant_values=255)


def _luma(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Perceived brightness, [N, S, S, 1], in integers and so the same on every machine."""
    red, green, blue = (pixels[..., k].astype(np.int32) * LUMA[k] for k in range(3))
    return ((red + green + blue + 500) // 1000).astype(np.uint8)[..., None]
