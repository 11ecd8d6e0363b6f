"""The pixels of prepared images on disk, read row by row and verified block by block.

The file is read and not mapped: one that is cut short while it is in use is an error, where a
mapped file would end the process. A batch of 64 takes 0.1 ms longer at 32 pixels, 0.2 ms at 128.
"""

import contextlib
import hashlib
import io
import math
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssgan.data.base import Progress
from ssgan.files.links import open_regular, read_file_state
from ssgan.files.sealed_file import Damaged
from ssgan.types import UserError

HASHES = "hashes.json"  # beside the file; see `dataset`
_BLOCK_BYTES = 256 * 1024  # about; a block is whole rows
_DIGEST_BYTES = 16  # of each block's sha256: enough for damage
WHOLE_BYTES = 2**30  # files up to this size are verified whole when they are opened: 0.6 s
_SAMPLED = 64  # blocks of a larger file that are; each other one before its first use


class PixelFile:
    """An .npy file of uint8 rows, [N, S, S, C], that stands in for the array.

    Without digests its blocks are not verified; see `hash_blocks`.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        """Open the file; ValueError unless it holds exactly this shape, OSError for a link."""
        self.path, self.shape, self.ndim = path, shape, len(shape)
        self._descriptor = open_regular(path)
        weakref.finalize(self, os.close, self._descriptor)
        self._moving = threading.Lock()
        self._row_bytes = math.prod(shape[1:])
        self._state = read_file_state(self._descriptor)
        head = io.BytesIO(self._read(0, min(self._state[0], 4096)))
        version = np.lib.format.read_magic(head)
        if version != (1, 0):
            raise ValueError(f"{path} has another version of its header")
        try:
            found, fortran, kind = np.lib.format.read_array_header_1_0(head)
        except Exception as error:  # numpy parses it as Python: syntax and token errors too
            raise ValueError(f"{path} has a damaged header") from error
        self._start = head.tell()
        size = self._start + math.prod(shape)
        if found != shape or kind != self.dtype or fortran or self._state[0] != size:
            raise ValueError(f"{path} does not match its manifest")
        self.rows_per_block = max(1, _BLOCK_BYTES // self._row_bytes)
        self.num_blocks = -(-shape[0] // self.rows_per_block)
        self._digests: bytes | None = None
        self._verified = np.zeros(self.num_blocks, bool)
        # whether all rows of a batch are announced to the system before the first is read: a disk
        # then reads them at once, several times as fast; smaller files are in memory
        self.reads_ahead = self._state[0] > WHOLE_BYTES

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def num_bytes(self) -> int:
        """The size of the file when it was last read."""
        return self._state[0]

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        """As of an array, and always a copy."""
        first, *others = index if isinstance(index, tuple) else (index,)
        numbers = np.arange(len(self))[first]
        rows = self.rows(numbers.reshape(-1)).reshape(*numbers.shape, *self.shape[1:])
        return np.asarray(rows[(*[slice(None)] * numbers.ndim, *others)])

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[number] for number in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:] if dtype is None else self[:].astype(dtype)

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """These rows, [B, S, S, C]; UserError when the file has changed since it was opened.

        The block of a row is verified before its first use, and again when the file was written.
        """
        found = np.empty((len(numbers), *self.shape[1:]), np.uint8)
        flat = memoryview(found.reshape(-1).data)
        numbers = np.where(numbers < 0, numbers + len(self), numbers)
        try:
            if (state := read_file_state(self._descriptor)) != self._state:
                self._state, self._verified[:] = state, False
            if self.reads_ahead and len(numbers) > 1:
                self._announce(numbers)
            for place, number in enumerate(numbers.tolist()):
                if not 0 <= number < len(self):
                    raise IndexError(f"no image {number}: there are {len(self)}")
                target = flat[place * self._row_bytes : (place + 1) * self._row_bytes]
                block, row = divmod(number, self.rows_per_block)
                if self._digests is None or self._verified[block]:
                    self._fill(target, self._start + number * self._row_bytes)
                else:
                    start = row * self._row_bytes
                    target[:] = self._verify(block)[start : start + self._row_bytes]
        except Damaged as damage:
            self._forget_digests()
            raise UserError(
                f"{damage}: it changed while it was in use; the same command prepares the images "
                "again and continues"
            ) from None
        except OSError as error:
            raise UserError(f"{self.path} cannot be read: {error.strerror}") from error
        return found

    def _announce(self, numbers: NDArray[np.int64]) -> None:
        """Have the system read these rows, or their blocks where those are to be verified."""
        blocks, row = self.rows_per_block * self._row_bytes, self._row_bytes
        whole = np.zeros(len(numbers), bool)
        if self._digests is not None:
            whole = ~self._verified[np.clip(numbers // self.rows_per_block, 0, self.num_blocks - 1)]
        for number, is_whole in zip(numbers.tolist(), whole.tolist(), strict=True):
            start, size = max(0, number) * row, row
            if is_whole:
                start, size = start - start % blocks, blocks
            if sys.platform == "linux":
                advice = os.POSIX_FADV_WILLNEED
                os.posix_fadvise(self._descriptor, self._start + start, size, advice)

    def set_digests(self, digests: bytes) -> None:
        """Give what `hash_blocks` returned for the right bytes; Damaged for another number."""
        if len(digests) != self.num_blocks * _DIGEST_BYTES:
            raise Damaged(f"{self.path} has digests of another number of blocks")
        self._digests = digests

    def verify(self, every: bool, progress: Progress | None = None) -> None:
        """Compare blocks with their digests: all, or enough to see a file that is all wrong.

        Raises Damaged, OSError. `progress` gets rows done and in total.
        """
        chosen = np.arange(self.num_blocks)
        if not every and self._state[0] > WHOLE_BYTES:
            random = np.random.default_rng()  # other blocks every time
            chosen = np.unique([0, *random.integers(self.num_blocks, size=_SAMPLED), chosen[-1]])
        for block in chosen.tolist():
            self._verify(block)
            self._report(block, progress)

    def hash_blocks(self, whole: Any, progress: Progress | None = None) -> bytes:
        """The digests of all blocks; `whole`, a hash object, is updated with all pixels."""
        digests = []
        for block in range(self.num_blocks):
            data = self._block(block)
            whole.update(data)
            digests.append(hashlib.sha256(data).digest()[:_DIGEST_BYTES])
            self._report(block, progress)
        return b"".join(digests)

    def _report(self, block: int, progress: Progress | None) -> None:
        if progress is not None:
            progress(min(len(self), (block + 1) * self.rows_per_block), len(self))

    def _verify(self, block: int) -> bytes:
        """The bytes of a block, which are right; Damaged when they are not."""
        assert self._digests is not None
        data, start = self._block(block), block * _DIGEST_BYTES
        wanted = self._digests[start : start + _DIGEST_BYTES]
        if hashlib.sha256(data).digest()[:_DIGEST_BYTES] != wanted:
            first = block * self.rows_per_block
            raise Damaged(f"{self.path} has other bytes than were written, at image {first}")
        self._verified[block] = True
        return data

    def _block(self, block: int) -> bytes:
        first = block * self.rows_per_block
        count = min(self.rows_per_block, len(self) - first)
        return self._read(self._start + first * self._row_bytes, count * self._row_bytes)

    def _read(self, offset: int, count: int) -> bytes:
        data = bytearray(count)
        self._fill(memoryview(data), offset)
        return bytes(data)

    def _fill(self, target: memoryview, offset: int) -> None:
        while target:
            count = self._read_at(target, offset)
            if count == 0:
                raise Damaged(f"{self.path} is cut short")
            target, offset = target[count:], offset + count

    def _read_at(self, target: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            count: int = os.preadv(self._descriptor, [target], offset)
            return count
        with self._moving:  # Windows
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            data = os.read(self._descriptor, len(target))
        target[: len(data)] = data
        return len(data)

    def _forget_digests(self) -> None:
        """Remove the digests, so that the next start verifies every byte."""
        with contextlib.suppress(OSError):  # of a cache that this user may not write
            (self.path.parent / HASHES).unlink()
