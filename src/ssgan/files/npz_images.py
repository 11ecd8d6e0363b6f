"""Images in one .npz file, in the form of guided-diffusion: arr_0, and labels as arr_1."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssgan.files.atomic import AtomicFile, open_atomic


class _Stream:
    """An atomic file as the stream that zipfile writes to, without seeking."""

    def __init__(self, file: AtomicFile) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        self._file.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """The atomic file is closed by its own block."""


@contextmanager
def open_npz_images(
    path: Path, shape: tuple[int, int, int, int], labels: NDArray[np.int64] | None
) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Write images uint8 of `shape` [N, S, S, C] as arr_0, and labels [N], if any, as arr_1.

    The block calls the function with batches [n, S, S, C] until all N are there; one is in memory
    at a time. The file appears whole after the block, and its folder is created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_atomic(path) as file, zipfile.ZipFile(_Stream(file), "w") as archive:
        with archive.open("arr_0.npy", "w", force_zip64=True) as entry:
            facts = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(entry, facts)

            def add(batch: NDArray[np.uint8]) -> None:
                entry.write(batch.tobytes())

            yield add
        if labels is not None:
            with archive.open("arr_1.npy", "w") as entry:
                np.lib.format.write_array(entry, labels, allow_pickle=False)
