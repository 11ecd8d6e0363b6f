"""Decode the pieces of a preparation, shared among threads, processes and machines.

A worker claims a piece by the lock of a file, decodes it and writes it. The system frees the lock
of a process that ends, so the others take over its pieces. Where locks do not reach another
machine, a piece may be decoded twice, to the same bytes; so later processes shuffle the order.
"""

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from PIL import __version__ as pillow_version
from PIL import features

from ssgan.data.assemble import Preparation, make_chunk, read_chunk, write_chunk
from ssgan.data.base import Progress
from ssgan.data.preprocessing import quiet_pillow
from ssgan.files.environment import package_version
from ssgan.files.locks import claim
from ssgan.types import UserError

_POLL_SECONDS = 0.2
_MADE_BY = "made-by-"  # begins the name of a file that names versions

_T = TypeVar("_T")


class Pieces:
    """The pieces of a preparation, of which other processes may make a part.

    `progress` gets the items of the pieces on disk, and all items.
    """

    def __init__(self, job: Preparation, progress: Progress | None, workers: int) -> None:
        """Create the folder of the pieces; UserError where other versions made some of them."""
        self._job, self._progress, self._workers = job, progress, workers
        self._kept: dict[int, int] = {}  # usable images in each piece that is known to be whole
        self._stop = threading.Event()
        self._claims = {index: job.claim_path(group[0]) for group in job.groups for index in group}
        while True:
            job.partial.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # another process finished and removed the folder
                _refuse_mixed_versions(job.partial)
                self._is_first = not any(job.partial.glob("claim-*"))
                self._there = set(job.list_chunks())
                break

    def make(self) -> None:
        """Decode the pieces that nobody has made or claimed, until the data set is there."""
        order = list(self._job.groups)
        if not self._is_first:
            random.Random(f"{socket.gethostname()} {os.getpid()}").shuffle(order)
        self._run(self._make_group, order)

    def complete(self) -> int:
        """Verify what others made, and decode what is missing; returns the usable images.

        It waits for pieces that others decode. The caller holds the lock of the preparation.
        """
        unknown = [k for k in range(len(self._job.ranges)) if k not in self._kept]
        self._run(self._verify_piece, unknown)
        return sum(self._kept.values())

    def _run(self, work: Callable[[_T], None], parts: Sequence[_T]) -> None:
        """Do the work on every part, in threads; after an error no further part is begun."""

        def guarded(part: _T) -> None:
            try:
                if not self._stop.is_set():
                    work(part)
            except BaseException:
                self._stop.set()
                raise

        if self._there:
            self._report()  # these are not counted in the rate
        with quiet_pillow(), ThreadPoolExecutor(self._workers, "ssgan-prepare") as threads:
            waiting: set[Future[None]] = {threads.submit(guarded, part) for part in parts}
            try:
                while waiting:
                    finished, waiting = wait(waiting, _POLL_SECONDS, FIRST_EXCEPTION)
                    for future in finished:
                        future.result()
                    self._report()
            finally:
                self._stop.set()
        self._stop.clear()

    def _make_group(self, group: range) -> None:
        """Decode the missing pieces of a group in order, unless another process does."""
        try:
            if all(self._is_there(index) for index in group):
                return
            with claim(self._claims[group[0]]) as ours:
                for index in group if ours else ():
                    if self._stop.is_set() or self.is_done():
                        return
                    if not self._is_there(index):
                        self._make_piece(index)
        except FileNotFoundError:  # the folder of the pieces is removed with the last step
            if not self.is_done():
                raise

    def _verify_piece(self, index: int) -> None:
        """Count the usable images of a piece, after decoding it if it is missing or damaged."""
        chunk = read_chunk(self._job, index)
        while chunk is None and not self._stop.is_set():
            with claim(self._claims[index]) as ours:
                chunk = read_chunk(self._job, index)
                if chunk is None and ours:
                    self._make_piece(index)
                    return
            time.sleep(0 if ours else _POLL_SECONDS)
        if chunk is not None:
            self._kept[index] = len(chunk.kept)
            self._there.add(index)

    def _make_piece(self, index: int) -> None:
        chunk = make_chunk(self._job, index)
        write_chunk(self._job.chunk_path(index), chunk)
        self._kept[index] = len(chunk.kept)
        self._there.add(index)

    def _is_there(self, index: int) -> bool:
        if index not in self._there and self._job.chunk_path(index).exists():
            self._there.add(index)
        return index in self._there

    def is_done(self) -> bool:
        """Whether another process has finished the data set since this one began."""
        return find_inode(self._job.folder) not in (None, self._job.before)

    def _report(self) -> None:
        if self._progress is not None:
            done = sum(len(self._job.ranges[index]) for index in self._there.copy())
            self._progress(done, len(self._job.collection))


def find_inode(folder: Path) -> int | None:
    """The number of a folder on its disk, which a rename keeps; None without a folder."""
    try:
        return folder.stat().st_ino
    except OSError:
        return None


def _refuse_mixed_versions(partial: Path) -> None:
    """Note the versions that decode here; UserError where a file notes others.

    Each process notes its own before it looks: of two that begin at once, one or both see it.
    """
    decoder = features.version("libjpeg_turbo") or features.version("jpg")
    versions = {"ssgan": package_version("ssgan"), "pillow": pillow_version, "jpeg": decoder}
    ours = _MADE_BY + "-".join(f"{name}-{version}" for name, version in versions.items())
    is_new = not (partial / ours).exists()
    (partial / ours).touch()
    others = sorted(path.name for path in partial.glob(f"{_MADE_BY}*") if path.name != ours)
    if others:
        if is_new:
            (partial / ours).unlink(missing_ok=True)
        theirs, here = (name.removeprefix(_MADE_BY) for name in (others[0], ours))
        raise UserError(
            f"{partial} has images decoded by {theirs}, and this process is {here}: use the same "
            "versions, or remove that folder to begin again"
        )
