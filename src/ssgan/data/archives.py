"""`zip:PATH` and `tar:PATH`: every image in an archive, as if it were unpacked to a folder.

Nothing is unpacked: names stay names, and each image is read from its place. A compressed tar has
no places, so its images go through an unnamed temporary file in the cache.
"""

import functools
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import NamedTuple

from ssgan.data.base import AbstractSource
from ssgan.data.class_folders import layout_warnings
from ssgan.data.folder import Folder
from ssgan.data.image_files import NamedImageFiles
from ssgan.data.prepare import default_cache
from ssgan.data.preprocessing import MAX_FILE_BYTES
from ssgan.data.scan import ENDINGS, FoundFile, Listing, ending_of
from ssgan.data.unsupported import describe_missing
from ssgan.files.archive import ArchiveError, Member, Spool, open_archive, read_exactly
from ssgan.files.errors import explain
from ssgan.files.links import read_file_state
from ssgan.files.names import readable
from ssgan.files.own_outputs import MARK_BYTES, SHEET, find_mark, names_sheet
from ssgan.files.tar_archive import open_tar
from ssgan.files.zip_archive import SIGNATURES, list_zip, read_zip_member
from ssgan.types import UserError

_MOST_ENDING = 20  # characters of an ending that is named
_MOST_NAME = 4096  # bytes of a member's name, as of a path on Linux


@dataclass(frozen=True)
class Archive(AbstractSource):
    """Images in a zip or a tar, in the order of the bytes of their names.

    The order of the members does not matter. Of two with the same name the later one is used, as
    when it is unpacked. A folder that holds everything is left out of the names. Sheets and figures
    of ssgan are passed over.
    """

    path: str  # .zip, .tar, .tar.gz or .tar.bz2; the kind is read from the content

    def open(self) -> "ArchiveCollection":
        """List the members; UserError if the file is no whole archive or has no image."""
        try:
            state = read_file_state(self.path)
            content = _list(self.path, state)
        except OSError as error:
            raise UserError(f"{self.name()}: cannot be read: {explain(error)}") from None
        if all(item.reject for item in content.listing.found):
            reason = describe_missing(content.listing, content.names, "archive")
            raise UserError(f"{self.name()}: {reason}")
        return ArchiveCollection(self, content, state)

    def layout_warnings(self) -> tuple[str, ...]:
        """The warnings on the members; UserError as in `open`."""
        return self.open().warnings()

    def without_place(self) -> Folder:
        """An archive holds what its folder would hold, so either may take the other's place."""
        return Folder("")

    def name(self) -> str:
        """`zip:PATH` or `tar:PATH`, by the ending."""
        kind = "zip" if self.path.lower().endswith(".zip") else "tar"
        return f"{kind}:{readable(self.path)}"


class _Content(NamedTuple):
    """What an archive holds."""

    listing: Listing
    members: list[Member]  # of the images, in order
    names: set[str]  # of other files, without folders; a few
    read: Callable[[Member], Iterable[bytes]]


class ArchiveCollection(NamedImageFiles):
    """The images that were in an `Archive` when it was opened."""

    def __init__(self, spec: Archive, content: _Content, state: tuple[int, ...]) -> None:
        super().__init__(spec, content.listing)
        self._content, self._state = content, state

    def fingerprint(self) -> str:
        """A digest of the file's size and times, and of every image's name, place and checksum."""
        digest = hashlib.sha256(" ".join(map(str, self._state[:3])).encode())
        for item, member in zip(self._found, self._content.members, strict=True):
            digest.update(item.name + b"\0")
            digest.update(f"{member[1:-1]} {item.reject}\0".encode())
        return digest.hexdigest()

    def warnings(self) -> tuple[str, ...]:
        """Oddities of the layout, and other files."""
        return layout_warnings(None, self._listing, self._classes)

    def _read_file(self, number: int) -> bytes:
        return b"".join(self._content.read(self._content.members[number]))


@functools.lru_cache(maxsize=4)
def _list(path: str, state: tuple[int, ...]) -> _Content:
    """The content of an archive in this state of its file; listed once a process."""
    with open_archive(path) as file:
        is_zip = file.read(4) in SIGNATURES
    if is_zip:
        return _sort(list_zip(path), lambda member: read_zip_member(path, member))
    if path.lower().endswith(".zip"):
        raise ArchiveError("it does not begin as a zip archive does")
    with open_tar(path) as tar:
        if not tar.compressed:
            return _sort(tar, functools.partial(_read_place, path))
        spool = Spool(default_cache())
        members = [
            member._replace(offset=spool.add(tar.read(member.size)))
            if _is_image(member) and member.size <= MAX_FILE_BYTES
            else member
            for member in tar
        ]
        return _sort(members, lambda member: [spool.read(member.offset, member.size)])


def _read_place(path: str, member: Member) -> Iterator[bytes]:
    with open_archive(path) as file:
        file.seek(member.offset)
        yield from read_exactly(file, member.size)


def _sort(members: Iterable[Member], read: Callable[[Member], Iterable[bytes]]) -> _Content:
    """The images among the members by name, without a folder that holds all of them."""
    images: dict[bytes, tuple[FoundFile, Member]] = {}
    others: Counter[str] = Counter()
    names: set[str] = set()
    for member in members:
        parts = [part for part in member.name.split(b"/") if part not in (b"", b".")]
        if any((part.startswith(b".") and part != b"..") or part == b"__MACOSX" for part in parts):
            continue
        if not _is_image(member):
            others[ending_of(member.name)[:_MOST_ENDING] or "without an ending"] += 1
            if len(names) < 100:
                names.add(readable(parts[-1]) if parts else "")
            continue
        name = b"/".join(parts)
        reject = member.reject or _fault(member, parts)
        images[name] = FoundFile(name, member.size, 0, 0, reject), member
    ours = sorted(name for name, pair in images.items() if _is_sheet(*pair, read))
    for name in ours:
        del images[name]
    shared = _shared_folder([item.name for item, _ in images.values() if not item.reject])
    pairs = sorted(images.values(), key=lambda pair: pair[0].name)
    found = [replace(item, name=item.name.removeprefix(shared)) for item, _ in pairs]
    return _Content(Listing(found, others, ours), [member for _, member in pairs], names, read)


def _is_image(member: Member) -> bool:
    return ending_of(member.name) in ENDINGS


def _is_sheet(item: FoundFile, member: Member, read: Callable[[Member], Iterable[bytes]]) -> bool:
    """Whether ssgan drew it for people, by its name and the mark in it."""
    if item.reject or not names_sheet(os.path.basename(item.name)):
        return False
    try:
        return find_mark(next(iter(read(member)), b"")[:MARK_BYTES]) == SHEET
    except OSError:
        return False


def _fault(member: Member, parts: list[bytes]) -> str:
    """Why a member with the ending of an image cannot be used."""
    if b".." in parts or member.name.startswith(b"/") or parts[0][1:2] == b":":
        return "its name leads out of the archive"
    if len(member.name) > _MOST_NAME or b"\0" in member.name:
        return f"its name is longer than {_MOST_NAME} bytes or holds a zero byte"
    if member.size > MAX_FILE_BYTES:
        return f"larger than {MAX_FILE_BYTES:,} bytes"
    return ""


def _shared_folder(names: Sequence[bytes]) -> bytes:
    """The folders that all these names begin with, with a slash at the end; may be empty."""
    if not names:
        return b""
    first, last = (name.split(b"/")[:-1] for name in (min(names), max(names)))
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return b"".join(part + b"/" for part, _ in same)
