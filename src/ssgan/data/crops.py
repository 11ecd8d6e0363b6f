"""`crops:K:SOURCE`: K random square crops of every picture, as the authors use for ImageNet.

They draw a new crop each time an image is used. Here the K crops are fixed and decoded once.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ssgan.data.archives import Archive
from ssgan.data.base import (
    AbstractSource,
    Crop,
    DatasetInfo,
    DecodedWithWarning,
    HeaderStats,
    Pixels,
    Preprocessing,
    Progress,
    Rejected,
)
from ssgan.data.folder import Folder
from ssgan.data.huggingface import Hub
from ssgan.data.image_files import ImageFiles
from ssgan.types import UserError

MAX_CROPS = 1000  # of a picture


@dataclass(frozen=True)
class Crops(AbstractSource):
    """Square crops of half to all of a picture's area, in place of its centred square.

    Crop k of all pictures comes before crop k + 1 of any. A crop depends on the picture's number
    and k only, so a smaller set is the beginning of a larger one.
    """

    source: AbstractSource  # a folder, an archive or a data set of the hub
    count: int  # crops of each picture, 1 to 1000

    def __post_init__(self) -> None:
        if not isinstance(self.source, Folder | Archive | Hub):
            raise UserError(
                f"crops: requires pictures in files, folder:PATH, zip:PATH, tar:PATH or hub:ID, "
                f"not {self.source.name()}"
            )
        if not 1 <= self.count <= MAX_CROPS:
            raise UserError(
                f"crops: requires 1 to {MAX_CROPS} crops of a picture, not {self.count}"
            )

    def open(self) -> "CropsCollection":
        """Open the source, with its errors."""
        opened = self.source.open()
        assert isinstance(opened, ImageFiles)
        return CropsCollection(opened, self.count)

    def fetch(self, progress: Progress | None = None) -> None:
        """Download the files of the source."""
        self.source.fetch(progress)

    def info(self) -> DatasetInfo:
        """The facts on the source, with `count` times its images."""
        info = self.source.info()
        return info._replace(header_stats=_multiply(info.header_stats, self.count))

    def layout_warnings(self) -> tuple[str, ...]:
        """The warnings of the source."""
        return self.source.layout_warnings()

    def label_advice(self) -> str:
        """The advice of the source, with its crops."""
        return self.source.label_advice().replace("'hub:", f"'crops:{self.count}:hub:")

    def held_out(self) -> AbstractSource | None:
        """The held-out images of the source, without crops."""
        return self.source.held_out()

    def without_place(self) -> "Crops":
        """As many crops of a source at any place."""
        return replace(self, source=self.source.without_place())

    def name(self) -> str:
        """`crops:K:SOURCE`."""
        return f"crops:{self.count}:{self.source.name()}"


class CropsCollection(ImageFiles):
    """The items of a collection, `count` times over."""

    def __init__(self, inner: ImageFiles, count: int) -> None:
        self._inner, self._count = inner, count
        self.views = count

    def __len__(self) -> int:
        return len(self._inner) * self._count

    def fingerprint(self) -> str:
        """The fingerprint of the source; the number of crops is in the name."""
        return self._inner.fingerprint()

    def read(
        self, numbers: range, preprocessing: Preprocessing
    ) -> Iterator[Pixels | DecodedWithWarning | Rejected]:
        """Decode these crops, [S, S, C] each."""
        for number in numbers:
            index, picture = divmod(number, len(self._inner))
            cut = replace(preprocessing, crop=crop_of(picture, index))
            yield from self._inner.read(range(picture, picture + 1), cut)

    def spans(self) -> Sequence[range] | None:
        """Those of the source, as many times."""
        spans, size = self._inner.spans(), len(self._inner)
        if spans is None:
            return None
        starts = range(0, len(self), size)
        return [range(span.start + at, span.stop + at) for at in starts for span in spans]

    def encoded(self, number: int) -> bytes:
        """The file of the picture."""
        return self._inner.encoded(number % len(self._inner))

    def item(self, number: int) -> str:
        """The name of the picture and the number of its crop, from 1."""
        index, picture = divmod(number, len(self._inner))
        return f"{self._inner.item(picture)}, crop {index + 1}"

    def header_stats(self) -> HeaderStats:
        """The sizes of the crops."""
        return _multiply(self._inner.header_stats(), self._count)

    def labels(self) -> Sequence[int] | None:
        """Each crop has the label of its picture."""
        labels = self._inner.labels()
        return None if labels is None else list(labels) * self._count

    def classes(self) -> tuple[str, ...]:
        """The classes of the source."""
        return self._inner.classes()

    def num_unlabelled(self) -> int:
        """The crops of pictures without a label."""
        return self._inner.num_unlabelled() * self._count

    def label_warnings(self) -> tuple[str, ...]:
        """Those of the source."""
        return self._inner.label_warnings()

    def warnings(self) -> tuple[str, ...]:
        """The warnings of the source, and one that crops are counted."""
        crops = "one crop" if self._count == 1 else f"{self._count} crops"
        return (*self._inner.warnings(), f"{crops} of each picture: counts are crops")

    def notes(self) -> tuple[str, ...]:
        """The notes of the source."""
        return self._inner.notes()


def crop_of(picture: int, number: int) -> Crop:
    """Crop `number`, from 0, of the picture of that number."""
    digest = hashlib.sha256(f"crop {number} of {picture}".encode()).digest()
    parts = [int.from_bytes(digest[k : k + 6], "big") for k in (0, 6, 12)]
    return Crop(*(part / 2**48 for part in parts))


def _multiply(stats: HeaderStats, count: int) -> HeaderStats:
    """The sizes of `count` crops of each picture; `short_side` is that of a medium crop."""
    side = max(1, round(stats.short_side * (1 + math.sqrt(0.5)) / 2))
    return stats._replace(
        num_images=stats.num_images * count, short_side=side, views=stats.views * count
    )
