"""Collections of image files, wherever their bytes lie: in a folder, an archive or a table."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import islice

from ssgan.data.base import (
    AbstractCollection,
    AbstractSource,
    DecodedWithWarning,
    HeaderStats,
    Pixels,
    Preprocessing,
    Rejected,
)
from ssgan.data.class_folders import assign_classes, passed_over_notes
from ssgan.data.preprocessing import (
    decode,
    describe_failure,
    header_decodes_as_before,
    quiet_pillow,
    read_header,
)
from ssgan.data.scan import Listing
from ssgan.files.errors import explain
from ssgan.files.names import readable
from ssgan.types import UserError

_MAX_HEADERS = 256  # headers in the sample, evenly spread
_MAX_TRIED = 1024  # items to try in a collection of broken files


class ImageFiles(AbstractCollection):
    """Items that are image files, whose decoding has versions."""

    _spec: AbstractSource  # set by subclasses

    @abstractmethod
    def encoded(self, number: int) -> bytes:
        """The bytes of an item; may raise anything."""

    def decodes_as_before(self, number: int) -> bool:
        """Whether every version of the decoding makes the same of an item, by its header."""
        data = self.read_bytes(number)
        return isinstance(data, Rejected) or header_decodes_as_before(data)

    def read(
        self, numbers: range, preprocessing: Preprocessing
    ) -> Iterator[Pixels | DecodedWithWarning | Rejected]:
        """Decode these files, [S, S, C] each."""
        for number in numbers:
            data = self.read_bytes(number)
            if isinstance(data, bytes):
                yield decode(self.item(number), data, preprocessing)
            else:
                yield data

    def header_stats(self) -> HeaderStats:
        """From up to 256 headers of `sample_numbers`; UserError when none can be read."""
        headers: list[tuple[int, int, bool]] = []
        first_reject: Rejected | None = None
        with quiet_pillow():
            for number in islice(self.sample_numbers(), _MAX_TRIED):
                header = self._read_header(number)
                if isinstance(header, Rejected):
                    first_reject = first_reject or header
                else:
                    headers.append(header)
                if len(headers) == _MAX_HEADERS:
                    break
        if not headers and first_reject is not None:
            reason = f"no image can be read; the first: {': '.join(first_reject)}"
            raise UserError(f"{self._spec.name()}: {reason}")
        sides = sorted(min(width, height) for width, height, _ in headers)
        ratios = sorted(width / height for width, height, _ in headers)
        return HeaderStats(
            len(self),
            sides[len(sides) // 2],
            all(grey for *_, grey in headers),
            ratio=ratios[len(ratios) // 2],
        )

    def sample_numbers(self) -> Sequence[int]:
        """The items whose headers say what the others are like: 256 evenly spread ones first."""
        return _spread(len(self))

    def read_bytes(self, number: int) -> bytes | Rejected:
        """The bytes of an item, or why they cannot be read; raises nothing."""
        try:
            return self.encoded(number)
        except Exception as error:
            return Rejected(self.item(number), self._describe_unread(error))

    def _read_header(self, number: int) -> tuple[int, int, bool] | Rejected:
        data = self.read_bytes(number)
        if isinstance(data, Rejected):
            return data
        try:
            return read_header(data)
        except Exception as error:
            return Rejected(self.item(number), describe_failure(error))

    def _describe_unread(self, error: Exception) -> str:
        """Why `encoded` failed, in one line."""
        return explain(error) if isinstance(error, OSError) else describe_failure(error)


class NamedImageFiles(ImageFiles):
    """Files with the names of a folder: the folders at its first level are classes."""

    def __init__(self, spec: AbstractSource, listing: Listing) -> None:
        self._spec, self._listing, self._found = spec, listing, listing.found
        self._classes, self._labels = assign_classes(listing.found)

    def __len__(self) -> int:
        return len(self._found)

    def encoded(self, number: int) -> bytes:
        """The bytes of the file; OSError when it cannot be read."""
        if reason := self._found[number].reject:
            raise OSError(reason)
        return self._read_file(number)

    def item(self, number: int) -> str:
        """The name within the folder, with unprintable bytes escaped."""
        return readable(self._found[number].name)

    def labels(self) -> Sequence[int] | None:
        """The number of the first-level folder of each file, if every image is in one."""
        return self._labels

    def file_sizes(self) -> Sequence[int]:
        """The bytes of every file, as listed; 0 for one that cannot be used."""
        return [item.size for item in self._found]

    def path_in_folder(self, number: int) -> bytes:
        """The name of a file as it is stored, parts joined by "/"."""
        return self._found[number].name

    def classes(self) -> tuple[str, ...]:
        """The names of the first-level folders with images, sorted by their bytes."""
        return self._classes

    def notes(self) -> tuple[str, ...]:
        """Output of ssgan that is passed over."""
        return passed_over_notes(self._listing.passed_over)

    @abstractmethod
    def _read_file(self, number: int) -> bytes:
        """The bytes of a file that may be usable."""


def _spread(count: int) -> list[int]:
    """Numbers below `count`: 256 evenly spread ones, then the others."""
    step = max(1.0, count / _MAX_HEADERS)
    first = [int(k * step) for k in range(min(_MAX_HEADERS, count))]
    return list(dict.fromkeys([*first, *range(min(count, 4 * _MAX_TRIED))]))
