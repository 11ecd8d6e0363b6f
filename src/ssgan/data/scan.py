"""Find the images below a folder by their names, each once, in a fixed order."""

import os
import stat
from collections import Counter
from dataclasses import dataclass

from ssgan.data.heif import HEIF_ENDINGS, HEIF_INSTALLED

ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
    | {*(HEIF_ENDINGS if HEIF_INSTALLED else ())}
)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file with the ending of an image, or a path that cannot be read."""

    name: bytes  # path within the folder, parts joined by "/"
    size: int  # bytes
    modified: int  # time of the last change of the content, in ns
    changed: int  # time of the last change of the inode, in ns, which copying tools cannot set
    reject: str = ""  # why it cannot be used; empty if it may be usable


class _Walk:
    """Visits each folder and file once, real ones before those behind links."""

    def __init__(self) -> None:
        self.found: list[FoundFile] = []
        self.others: Counter[str] = Counter()
        self.folders: set[tuple[int, int]] = set()  # (device, inode)
        self.files: set[tuple[int, int]] = set()
        self.links: list[tuple[bytes, bytes]] = []  # (path, name within the folder)

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
        self._file(name, status)
        return False

    def link(self, path: bytes, name: bytes) -> None:
        """Visit the target of a symbolic link."""
        try:
            status = os.stat(path)
        except OSError as error:
            if ending_of(name) in ENDINGS or not ending_of(name):
                self._reject(name, f"a link without a target: {error.strerror}")
            return
        if stat.S_ISDIR(status.st_mode):
            self.folder(path, name)
        else:
            self._file(name, status)

    def _file(self, name: bytes, status: os.stat_result) -> None:
        ending = ending_of(name)
        if ending not in ENDINGS:
            self.others[ending or "without an ending"] += 1
            return
        if not stat.S_ISREG(status.st_mode):
            self._reject(name, "not a regular file")
            return
        if (status.st_dev, status.st_ino) not in self.files:
            self.files.add((status.st_dev, status.st_ino))
            times = status.st_mtime_ns, status.st_ctime_ns
            self.found.append(FoundFile(name, status.st_size, *times))

    def _reject(self, name: bytes, why: str) -> None:
        self.found.append(FoundFile(name, 0, 0, 0, why))


def scan(root: bytes) -> tuple[list[FoundFile], Counter[str]]:
    """The images below `root` sorted by name, and the number of other files by ending.

    Hidden names are ignored. Links are followed. A folder or file with several names, by links of
    either kind, counts once: under its real name, else under the first in order. The result
    does not depend on the file system's order. Raises OSError when `root` cannot be read.
    """
    walk = _Walk()
    walk.folder(root, b"")
    while walk.links:
        walk.links.sort(key=lambda link: link[1], reverse=True)
        walk.link(*walk.links.pop())
    return sorted(walk.found, key=lambda item: item.name), walk.others


def printable(text: str) -> str:
    """The text in one line, with unprintable characters escaped; what is printable stays.

    So it leaves alone what `readable` returned.
    """
    return "".join(c if c.isprintable() else _printable(c) for c in text)


def readable(name: str | bytes | os.PathLike[str]) -> str:
    """A file name as one printable line, with `\\` and unprintable characters escaped."""
    text = os.fsencode(name).decode("utf-8", "surrogateescape")
    return "".join(_printable(c) for c in text)


def _printable(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def ending_of(name: bytes) -> str:
    """The ending of a file name in lower case, such as `.png`; empty without one."""
    return readable(os.path.splitext(name)[1].lower())
