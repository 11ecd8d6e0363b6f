"""Links, pipes and devices where files should be: nothing is written through one or waits.

A directory that was unpacked from an archive holds links wherever its maker put them, and they
belong to whoever unpacked it. So the owner of a link says nothing, and every one is refused.
"""

import errno
import io
import os
import stat
from pathlib import Path

from ssgan.files.atomic import O_BINARY

FOLLOW = "SSGAN_FOLLOW_LINKS"  # environment variable: 1 allows folders that are links
O_NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)  # Windows has none
_READ = os.O_RDONLY | O_BINARY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def refuse_links(root: Path, *paths: Path) -> None:
    """Raise UserError if one of these paths below `root`, or a folder on its way, is a link.

    `root` itself may be one, because the user named it. With SSGAN_FOLLOW_LINKS=1 folders may be
    links too. Nothing is read or written.
    """
    for path in paths:
        place = root
        for part in path.relative_to(root).parts:
            place = place / part
            if _is_link(place) and not (os.environ.get(FOLLOW) == "1" and place.is_dir()):
                from ssgan.types import UserError  # which loads torch: not where a job waits

                raise UserError(_refusal(root, place))


def open_unlinked(path: Path | str, flags: int) -> int:
    """A descriptor of a file, as `opener` of `open`; OSError (ELOOP) when it is a link."""
    return os.open(path, flags | O_NOFOLLOW, 0o666)


def open_regular(path: Path | str | bytes, *, follow: bool = False) -> int:
    """A descriptor of a regular file, to read; OSError for anything else. A pipe does not block.

    A link is an error, too, unless links are to be followed.
    """
    if not follow and os.path.islink(path):  # where the system has no O_NOFOLLOW
        raise OSError(errno.ELOOP, "it is a link", path)
    descriptor = os.open(path, _READ | (0 if follow else O_NOFOLLOW))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", path)
    return descriptor


def read_file_state(file: Path | str | int) -> tuple[int, ...]:
    """Size in bytes, times of change in ns and inode: other content changes one of them."""
    status = os.stat(file)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def read_regular(path: Path) -> bytes:
    """The bytes of a regular file; OSError for a link or anything else."""
    with io.FileIO(open_regular(path)) as file:
        return file.readall()


def require_file(path: Path) -> None:
    """Raise UserError if something stands there that is no regular file, such as a device."""
    try:
        mode = path.stat().st_mode
    except OSError:  # whoever reads it says so
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        from ssgan.types import UserError

        raise UserError(f"{path} is no file but a pipe or a device: it is not read")


def _is_link(path: Path) -> bool:
    junction = getattr(os.path, "isjunction", None)  # of Windows, from Python 3.12 on
    return path.is_symlink() or (junction is not None and junction(path))


def _refusal(root: Path, place: Path) -> str:
    words = (
        f"{place} is a link to {os.readlink(place)}, and nothing is written through a link inside "
        f"{root}: its maker may have aimed it at a file of yours; "
    )
    if not place.is_dir():
        return words + "remove the link, or put the file itself there"
    return words + f"put the folder itself there, or set {FOLLOW}=1 if the link is yours"
