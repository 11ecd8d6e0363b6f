"""The interface of a data source: a frozen spec that opens a numbered collection of images."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ssgan.types import ImageShape, UserError

Pixels = NDArray[np.uint8]  # one image, [S, S, C]
Fit: TypeAlias = Literal["crop", "pad", "squash"]
Progress: TypeAlias = Callable[[int, int], None]  # (items done, items in total)
DECODING_VERSION = 2  # raise it when the pixels of some files change; earlier ones stay


class Rejected(NamedTuple):
    """An item that cannot be used, with the reason in words for the manifest."""

    name: str
    reason: str


class DecodedWithWarning(NamedTuple):
    """A usable image with warnings, each reported once for all images that have it."""

    pixels: Pixels
    warnings: tuple[str, ...]  # each completes the sentence "3 images are ...": "animated: ..."


class Crop(NamedTuple):
    """A square of half to all of a picture's area, as fractions in [0, 1).

    In a picture more than twice as long as wide no square has half of the area: its side is then
    the short one.
    """

    side: float  # 0: half of the area; towards 1: the largest square
    left: float  # 0: at the left edge; towards 1: at the right one
    top: float  # 0: at the upper edge; towards 1: at the lower one


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """The steps from a picture of any size and mode to a square of `shape`.

    The picture is rotated upright by its orientation tag, converted to sRGB and put over
    `background` where it is transparent. A shape with 4 channels keeps alpha, and colours are
    multiplied by it: transparent pixels are black. The picture becomes a square by `fit`, or is cut
    to `crop`, and is resized with anti-aliasing.
    """

    shape: ImageShape
    background: tuple[int, int, int] = (255, 255, 255)  # red, green, blue, each 0 to 255
    # crop: the largest centred square; pad: all of the picture, over the background; squash: all
    # of it, with its sides made equal
    fit: Fit = "crop"
    crop: Crop | None = None  # a square, which needs no `fit`; None: the whole picture
    decoding: int = DECODING_VERSION  # 1: without profiles and named ranges, as before them


class HeaderStats(NamedTuple):
    """Sizes and modes from a sample of the headers of a collection."""

    num_images: int
    short_side: int  # median of the shorter side over the sample, in pixels
    grey: bool  # whether every image of the sample is grey
    views: int = 1  # images that show the same picture, such as its crops
    ratio: float = 1.0  # median of width / height of the upright pictures of the sample

    @property
    def num_pictures(self) -> int:
        """The number of different pictures, which D could memorise."""
        return self.num_images // self.views


class DatasetInfo(NamedTuple):
    """Facts on a source that need no download and no decoding."""

    header_stats: HeaderStats
    classes: tuple[str, ...]  # those with an image; empty when there are no labels
    download: str = ""  # the download that is needed first, in words; empty: none
    num_unlabelled: int = 0  # images without a label, where others have one

    @staticmethod
    def of(collection: "AbstractCollection") -> "DatasetInfo":
        """The facts on an opened source."""
        classes, missing = collection.used_classes(), collection.num_unlabelled()
        return DatasetInfo(collection.header_stats(), classes, num_unlabelled=missing)


class AbstractCollection(ABC):
    """An opened source with numbered items."""

    views = 1  # items that show the same picture, such as its crops

    @abstractmethod
    def __len__(self) -> int:
        """The number of items, usable or not."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hex digest that changes if the content may have changed; cheap to compute."""

    @abstractmethod
    def read(
        self, numbers: range, preprocessing: Preprocessing
    ) -> Iterator[Pixels | DecodedWithWarning | Rejected]:
        """One result for each number, in order; pixels are uint8 [S, S, C].

        Called from several threads on disjoint ranges. For an unusable item the result is a
        Rejected; it raises nothing.
        """

    def spans(self) -> Sequence[range] | None:
        """Ranges of items that are read in order, as from a stream; None where any order will do.

        Together they are all items, ascending.
        """
        return None

    def item(self, number: int) -> str:
        """The user's name for this item, in one printable line."""
        return f"item {number}"

    @abstractmethod
    def header_stats(self) -> HeaderStats:
        """Sizes and modes of the images."""

    def stored_size(self) -> tuple[int, int] | None:
        """Width and height of every item in pixels; None where they differ or may be any."""
        return None

    def labels(self) -> Sequence[int] | None:
        """The class number of every item, or None without labels.

        UNLABELLED is the number of an item without a label, and of one that cannot be used.
        """
        return None

    def classes(self) -> tuple[str, ...]:
        """The names of the classes, by number; empty without labels.

        A filtered set may name classes that have no item.
        """
        return ()

    def used_classes(self) -> tuple[str, ...]:
        """The classes that have an item."""
        labels = self.labels()
        used = set() if labels is None else set(labels)
        return tuple(name for number, name in enumerate(self.classes()) if number in used)

    def num_unlabelled(self) -> int:
        """The items without a label, where others have one."""
        return 0

    def warnings(self) -> tuple[str, ...]:
        """Sentences for the user, for example on the layout of the source."""
        return ()

    def notes(self) -> tuple[str, ...]:
        """Sentences on the present state of the source; they are not stored with the images."""
        return ()

    def label_warnings(self) -> tuple[str, ...]:
        """Sentences on labels that are missing, which concern all who use labels."""
        return ()


class AbstractSource(ABC):
    """The origin of images: a frozen dataclass that configs store."""

    @abstractmethod
    def open(self) -> AbstractCollection:
        """List the items; raises UserError when none can be usable."""

    def fetch(  # noqa: B027 - most sources have nothing to fetch
        self, progress: Progress | None = None
    ) -> None:
        """Download the files that `open` needs, unless they exist.

        `progress` gets bytes done and in total. `open` downloads them without progress.
        """

    def info(self) -> DatasetInfo:
        """Sizes and classes without a download; raises UserError if that is impossible."""
        return DatasetInfo.of(self.open())

    def layout_warnings(self) -> tuple[str, ...]:
        """Sentences on oddities of the layout, from sources that need no download."""
        return ()

    def label_advice(self) -> str:
        """What to do, as a command, when labels are needed and this source lacks them."""
        return "use folders of at least two classes"

    def held_out(self) -> "AbstractSource | None":
        """Other images of the same kind, for evaluation; None if unknown."""
        return None

    def without_place(self) -> "AbstractSource":
        """This source without the path of its files, which may move: no setting of the images."""
        return self

    @abstractmethod
    def name(self) -> str:
        """The notation on the command line, such as `folder:/home/me/photos`."""


@dataclass(frozen=True)
class UserProvided(AbstractSource):
    """The source of a recipe whose images the user must provide.

    Its licence or its size forbids the download.
    """

    what: str  # the images and their layout, as in "ImageNet's training images, ..."

    def open(self) -> AbstractCollection:
        """Raise UserError with the option to give."""
        raise UserError(
            f"this recipe is for {self.what}, which it cannot download: give your copy with "
            "--data folder:PATH (or hub:ID#SPLIT)"
        )

    def name(self) -> str:
        """The description; the command line has no notation for it."""
        return self.what
