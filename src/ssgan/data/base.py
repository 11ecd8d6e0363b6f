"""What a data source offers: a frozen spec that opens a numbered collection of images."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssgan.types import ImageShape, UserError

Pixels = NDArray[np.uint8]  # one image, [S, S, C]


class Rejected(NamedTuple):
    """An item that cannot be used, and why, in words for the reader of the manifest."""

    name: str
    reason: str


class DecodedWithWarning(NamedTuple):
    """A usable image with something the user should know, said once for all such images."""

    pixels: Pixels
    warning: str  # ends the sentence "3 images are ...", such as "animated: ..."


class Crop(NamedTuple):
    """A square of half to all of a picture's area, by where it is between its extremes.

    Each number is in [0, 1). Of a picture more than twice as long as wide no square has half of
    the area; there its side is the short one.
    """

    side: float  # 0: half of the area; towards 1: the largest square
    left: float  # 0: at the left edge; towards 1: at the right one
    top: float  # 0: at the upper edge; towards 1: at the lower one


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How a picture of any size and mode becomes a square of `shape`.

    Upright by its orientation tag, laid over `background` where transparent, cut to the largest
    centred square or to `crop`, resized with anti-aliasing.
    """

    shape: ImageShape
    background: tuple[int, int, int] = (255, 255, 255)  # red, green, blue, each 0 to 255
    crop: Crop | None = None  # None: the largest centred square


class HeaderStats(NamedTuple):
    """What a quick look at a collection's headers tells: enough to choose sizes."""

    num_images: int
    short_side: int  # median over the looked-at images of the shorter side, in pixels
    grey: bool  # whether every looked-at image is grey
    views: int = 1  # images that show the same picture, such as its crops

    @property
    def num_pictures(self) -> int:
        """Pictures that differ: what D could learn by heart."""
        return self.num_images // self.views


class DatasetInfo(NamedTuple):
    """What can be said of a source before anything is downloaded or decoded."""

    header_stats: HeaderStats
    classes: tuple[str, ...]  # empty when there are no labels
    download: str = ""  # what would be downloaded first, in words; empty: nothing

    @staticmethod
    def of(collection: "AbstractCollection") -> "DatasetInfo":
        """What an opened source says of itself."""
        return DatasetInfo(collection.header_stats(), collection.classes())


class AbstractCollection(ABC):
    """An opened source: its items by number."""

    @abstractmethod
    def __len__(self) -> int:
        """How many items there are, usable or not."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hex digest that changes whenever the content may have changed; cheap to compute."""

    @abstractmethod
    def read(
        self, numbers: range, preprocessing: Preprocessing
    ) -> Iterator[Pixels | DecodedWithWarning | Rejected]:
        """One result a number, in order; pixels are uint8 [S, S, C].

        Called from several threads on disjoint ranges. What cannot be used is a Rejected, never
        an exception.
        """

    def item(self, number: int) -> str:
        """What the user calls this item, in one printable line."""
        return f"item {number}"

    @abstractmethod
    def header_stats(self) -> HeaderStats:
        """Sizes and modes, from headers."""

    def labels(self) -> Sequence[int] | None:
        """The class number of every item, or None when there are no labels."""
        return None

    def classes(self) -> tuple[str, ...]:
        """The names of the classes, by number; empty when there are no labels."""
        return ()

    def warnings(self) -> tuple[str, ...]:
        """Sentences the user should read once, on the layout of the source for example."""
        return ()


class AbstractSource(ABC):
    """Where images come from: a frozen dataclass, comparable, printable, storable."""

    @abstractmethod
    def open(self) -> AbstractCollection:
        """Look at the source; raises UserError when nothing usable can be there."""

    def fetch(  # noqa: B027 - most sources have nothing to fetch
        self, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Download what `open` needs, if it does; `progress` gets bytes done and in total.

        `open` does it too, silently. Does nothing when everything is there.
        """

    def info(self) -> DatasetInfo:
        """Sizes and classes, without a download; raises UserError when they are not known so."""
        return DatasetInfo.of(self.open())

    def layout_warnings(self) -> tuple[str, ...]:
        """What is odd about the layout, in sentences, where no download is needed to see it."""
        return ()

    def held_out(self) -> "AbstractSource | None":
        """Images of the same kind that are none of these, to measure on; None: not known."""
        return None

    @abstractmethod
    def name(self) -> str:
        """The form on the command line, such as `folder:/home/me/photos`."""


@dataclass(frozen=True)
class UserProvided(AbstractSource):
    """A stand-in for a data set that is not downloaded here, by its licence or its size."""

    what: str  # the images and how they lie, as in "ImageNet's training images, ..."

    def open(self) -> AbstractCollection:
        """Raises UserError, which says what to give."""
        raise UserError(
            f"this recipe is for {self.what}, which it cannot download: give your copy with "
            "--data folder:PATH (or hub:ID#SPLIT)"
        )

    def name(self) -> str:
        """What is to be given: there is no form on the command line."""
        return self.what
