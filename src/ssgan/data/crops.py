"""`crops:K:SOURCE`: K random square crops of every picture, for ImageNet as the authors show it.

Theirs are drawn anew at every view; these are K fixed ones, decoded once like all images here.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ssgan.data.base import (
    AbstractCollection,
    AbstractSource,
    Crop,
    DatasetInfo,
    DecodedWithWarning,
    HeaderStats,
    Pixels,
    Preprocessing,
    Rejected,
)
from ssgan.data.folder import Folder
from ssgan.data.huggingface import Hub
from ssgan.types import UserError

MOST = 1000  # crops of a picture


@dataclass(frozen=True)
class Crops(AbstractSource):
    """Square crops of half to all of a picture's area, in place of its centred square.

    Crop k of all pictures comes before crop k + 1 of any; each depends on the picture's number and
    on k alone, so fewer crops are the beginning of more.
    """

    source: AbstractSource  # a folder or a data set of the hub: pictures that are larger
    count: int  # crops of each picture, 1 to 1000

    def __post_init__(self) -> None:
        if not isinstance(self.source, Folder | Hub):
            raise UserError(
                f"crops: are cut from pictures in files, folder:PATH or hub:ID, not from "
                f"{self.source.name()}"
            )
        if not 1 <= self.count <= MOST:
            raise UserError(f"crops: needs 1 to {MOST} crops of a picture, not {self.count}")

    def open(self) -> "CropsCollection":
        """Open the source; UserError as it raises."""
        return CropsCollection(self.source.open(), self.count)

    def fetch(self, progress: Callable[[int, int], None] | None = None) -> None:
        """What the source needs."""
        self.source.fetch(progress)

    def info(self) -> DatasetInfo:
        """The source's, with so many times its images."""
        info = self.source.info()
        return info._replace(header_stats=_times(info.header_stats, self.count))

    def layout_warnings(self) -> tuple[str, ...]:
        """The source's."""
        return self.source.layout_warnings()

    def held_out(self) -> AbstractSource | None:
        """The source's, which are not cropped."""
        return self.source.held_out()

    def name(self) -> str:
        """`crops:K:SOURCE`."""
        return f"crops:{self.count}:{self.source.name()}"


class CropsCollection(AbstractCollection):
    """The items of a collection, `count` times over."""

    def __init__(self, inner: AbstractCollection, count: int) -> None:
        self._inner, self._count = inner, count

    def __len__(self) -> int:
        return len(self._inner) * self._count

    def fingerprint(self) -> str:
        """The source's; how many crops is in the name."""
        return self._inner.fingerprint()

    def read(
        self, numbers: range, preprocessing: Preprocessing
    ) -> Iterator[Pixels | DecodedWithWarning | Rejected]:
        """Decode these crops, [S, S, C] each."""
        for number in numbers:
            turn, picture = divmod(number, len(self._inner))
            cut = replace(preprocessing, crop=crop_of(picture, turn))
            yield from self._inner.read(range(picture, picture + 1), cut)

    def item(self, number: int) -> str:
        """The picture's name, and which of its crops."""
        turn, picture = divmod(number, len(self._inner))
        return f"{self._inner.item(picture)}, crop {turn + 1}"

    def header_stats(self) -> HeaderStats:
        """The source's, with so many times its images."""
        return _times(self._inner.header_stats(), self._count)

    def labels(self) -> Sequence[int] | None:
        """A crop has its picture's label."""
        labels = self._inner.labels()
        return None if labels is None else list(labels) * self._count

    def classes(self) -> tuple[str, ...]:
        """The source's."""
        return self._inner.classes()

    def warnings(self) -> tuple[str, ...]:
        """The source's, and how many crops there are of each picture."""
        crops = "one crop" if self._count == 1 else f"{self._count} crops"
        return (*self._inner.warnings(), f"{crops} of each picture: counts are of crops")


def crop_of(picture: int, number: int) -> Crop:
    """Where crop `number` of the picture of that number lies."""
    digest = hashlib.sha256(f"crop {number} of {picture}".encode()).digest()
    parts = [int.from_bytes(digest[k : k + 6], "big") for k in (0, 6, 12)]
    return Crop(*(part / 2**48 for part in parts))


def _times(header_stats: HeaderStats, count: int) -> HeaderStats:
    """`short_side` is that of a crop of middling size."""
    side = max(1, round(header_stats.short_side * (1 + math.sqrt(0.5)) / 2))
    return header_stats._replace(
        num_images=header_stats.num_images * count,
        short_side=side,
        views=header_stats.views * count,
    )
