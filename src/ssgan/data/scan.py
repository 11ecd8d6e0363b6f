"""Find the images below a folder by their names, each once, in a fixed order."""

import logging
import os
import stat
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from ssgan.data.decoding.heif import HEIF_ENDINGS, HEIF_INSTALLED
from ssgan.files.names import readable
from ssgan.files.own_outputs import (
    SAMPLE_IMAGES,
    SHEET,
    count_samples,
    find_own_names,
    is_run_directory,
    read_mark,
)

ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
    | {*(HEIF_ENDINGS if HEIF_INSTALLED else ())}
)

_EVERY, _LINE_SECONDS = 1000, 10.0  # files between readings of the clock; seconds between lines
_LOG = logging.getLogger("ssgan")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file with the ending of an image, or a path that cannot be read."""

    name: bytes  # path within the folder, parts joined by "/"
    size: int  # bytes
    modified: int  # time of the last change of the content, in ns
    changed: int  # time of the last change of the inode, in ns, which copying tools cannot set
    reject: str = ""  # why it cannot be used; empty if it may be usable


class Listing(NamedTuple):
    """What is in a folder or an archive."""

    found: list[FoundFile]  # sorted by name
    others: Counter[str]  # the number of other files by ending
    passed_over: list[bytes]  # output of ssgan: files, and folders with a "/" at the end; sorted


class _Walk:
    """Visits each folder and file once, real ones before those behind links."""

    def __init__(self, root: bytes) -> None:
        self.given = [b""]  # folders whose samples are images, as the user gave them
        if count_samples(root) is not None:
            self.given.append(os.fsencode(SAMPLE_IMAGES))
        self.passed_over: set[bytes] = set()
        self.found: list[FoundFile] = []
        self.others: Counter[str] = Counter()
        self.folders: set[tuple[int, int]] = set()  # (device, inode)
        self.files: defaultdict[int, set[int]] = defaultdict(set)  # inodes by device
        self.links: list[tuple[bytes, bytes]] = []  # (path, name within the folder)
        self.next_line = time.monotonic() + _LINE_SECONDS

    def folder(self, path: bytes, name: bytes) -> None:
        """Visit a folder and its subfolders; `name` is empty for the root, which may raise."""
        waiting = [(path, name)]
        while waiting:
            path, name = waiting.pop()
            try:
                status = os.stat(path)
                if (status.st_dev, status.st_ino) in self.folders:
                    continue
                self.folders.add((status.st_dev, status.st_ino))
                names = sorted(entry for entry in os.listdir(path) if not entry.startswith(b"."))
            except OSError as error:
                if not name:
                    raise
                self._reject(name + b"/", f"the folder cannot be read: {error.strerror}")
                continue
            if name and is_run_directory(path):
                self.passed_over.add(name + b"/")
                continue
            own = find_own_names(path, names, given=name in self.given)
            self._pass_over(name, own)
            names = [entry for entry in names if entry not in own]
            below = [(os.path.join(path, n), name + b"/" + n if name else n) for n in names]
            folders = [(p, n) for p, n in below if self._entry(p, n)]
            waiting.extend(reversed(folders))

    def _entry(self, path: bytes, name: bytes) -> bool:
        """Record a file or link; True for a real folder, which must be visited."""
        try:
            status = os.lstat(path)
        except OSError as error:
            self._reject(name, f"cannot be read: {error.strerror}")
            return False
        if stat.S_ISLNK(status.st_mode):
            self.links.append((path, name))
            return False
        if stat.S_ISDIR(status.st_mode):
            return os.path.basename(name) != b"__MACOSX"
        self._file(path, name, status)
        return False

    def _pass_over(self, folder: bytes, own: set[bytes]) -> None:
        """Record these files of a folder; many samples count as one folder."""
        samples = {name for name in own if name.startswith(b"image-")}
        for name in own - samples:
            self.passed_over.add(folder + b"/" + name if folder else name)
        if samples:
            self.passed_over.add(folder + b"/")

    def link(self, path: bytes, name: bytes) -> None:
        """Visit the target of a symbolic link."""
        try:
            status = os.stat(path)
        except OSError as error:
            if ending_of(name) in ENDINGS or not ending_of(name):
                self._reject(name, f"a link without a target: {error.strerror}")
            return
        if stat.S_ISDIR(status.st_mode):
            if _is_in_run(path):
                self.passed_over.add(name + b"/")
            else:
                self.folder(path, name)
        else:
            self._file(path, name, status)

    def _file(self, path: bytes, name: bytes, status: os.stat_result) -> None:
        ending = ending_of(name)
        if ending not in ENDINGS:
            self.others[ending or "without an ending"] += 1
            return
        if not stat.S_ISREG(status.st_mode):
            self._reject(name, "not a regular file")
            return
        if ending in (".png", ".gif") and read_mark(path) == SHEET:
            self.passed_over.add(name)
            return
        if status.st_ino not in self.files[status.st_dev]:
            self.files[status.st_dev].add(status.st_ino)
            times = status.st_mtime_ns, status.st_ctime_ns
            self.found.append(FoundFile(name, status.st_size, *times))
            if len(self.found) % _EVERY == 0 and time.monotonic() > self.next_line:
                self.next_line = time.monotonic() + _LINE_SECONDS
                _LOG.info("listing files: %s so far", f"{len(self.found):,}")

    def _reject(self, name: bytes, why: str) -> None:
        self.found.append(FoundFile(name, 0, 0, 0, why))


def scan(root: bytes) -> Listing:
    """The images below `root`, and the other files.

    Hidden names are ignored. Output of ssgan is passed over, but samples are images where `root`
    itself is their folder. Links are followed. A folder or file with several names, by links of
    either kind, counts once: under its real name, else under the first in order. The result
    does not depend on the file system's order. Raises OSError when `root` cannot be read.
    """
    walk = _Walk(root)
    walk.folder(root, b"")
    while walk.links:
        walk.links.sort(key=lambda link: link[1], reverse=True)
        walk.link(*walk.links.pop())
    found = sorted(walk.found, key=lambda item: item.name)
    return Listing(found, walk.others, sorted(walk.passed_over))


def _is_in_run(link: bytes) -> bool:
    """Whether the folder that a link leads to is a run directory or lies in one."""
    folder = os.path.realpath(link)
    while folder != os.path.dirname(folder):
        if is_run_directory(folder):
            return True
        folder = os.path.dirname(folder)
    return False


def ending_of(name: bytes) -> str:
    """The ending of a file name in lower case, such as `.png`; empty without one."""
    return _readable_ending(os.path.splitext(name)[1].lower())


@lru_cache(1024)
def _readable_ending(ending: bytes) -> str:
    return readable(ending)
