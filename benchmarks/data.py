"""Images a second of preparation, and of reading batches, against what a step consumes.

    python benchmarks/data.py

Preparation decodes JPEG pictures of 500 x 375 pixels, or files as small as thumbnails, in one
process of two threads and in two processes of one thread, which share the pieces. Batches are read
at random from a file of prepared images, whose pages are in memory, or are removed from it first
(`posix_fadvise`, which needs Linux). `ahead`, as in files above 1 GiB, announces all images of the
batch to the system before the first is read. `verified` is the first use of each block of images.
All actions are measured in turns.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.report import begin, finish, parser_of, table
from benchmarks.timing import Times, alternate, timed
from ssgan.data.base import Preprocessing
from ssgan.data.folder import Folder
from ssgan.data.pixel_file import PixelFile
from ssgan.data.prepare import prepare
from ssgan.types import ImageShape

_PIECE = 2**26  # bytes of the file that are written at once
_KINDS = {"photo": (500, 375, "jpg"), "thumbnail": (32, 32, "png")}


def preparation(options: argparse.Namespace, root: Path) -> dict[str, dict[str, Times]]:
    """Seconds of the preparation of each kind of files, by the number of processes."""
    found = {}
    for kind, (width, height, ending) in _KINDS.items():
        folder = root / kind
        _write_pictures(folder, options.pictures, width, height, ending)
        caches = iter(range(10**6))

        def with_processes(count: int, folder: Path = folder, caches: Any = caches) -> float:
            cache = folder.with_name(f"cache-{folder.name}-{next(caches)}")
            workers = max(1, 2 // count)
            return timed(lambda: _prepare(folder, cache, count, workers, options.size))

        actions = {
            f"{count} x {2 // count}": lambda count=count, f=with_processes: f(count)
            for count in (1, 2)
        }
        found[kind] = alternate(actions, options.repeats)
    return found


def _prepare(folder: Path, cache: Path, processes: int, workers: int, size: int) -> None:
    children = []
    for _ in range(processes):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                shape = ImageShape(3, size)
                prepare(Folder(str(folder)), Preprocessing(shape=shape), cache, workers=workers)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    if any(os.waitpid(child, 0)[1] for child in children):
        raise RuntimeError("a preparation failed")


def reading(options: argparse.Namespace, root: Path) -> dict[str, Times]:
    """Seconds of one batch at random, from memory and from the disk."""
    shape = (options.megabytes * 10**6 // (3 * options.size**2), options.size, options.size, 3)
    path = root / "images.npy"
    _write_file(path, shape)
    pixels, random = PixelFile(path, shape), np.random.default_rng(0)
    unverified = PixelFile(path, shape)
    unverified.set_digests(unverified.hash_blocks(_Nothing()))
    descriptor = os.open(path, os.O_RDONLY)

    def take(file: PixelFile, cold: bool, ahead: bool) -> float:
        numbers = random.integers(len(file), size=options.batch)
        file.reads_ahead = ahead
        if cold:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        else:
            file.rows(numbers)
        return timed(lambda: file.rows(numbers))

    cases = {
        "memory": (pixels, False),
        "disk": (pixels, True),
        "disk, verified": (unverified, True),
    }
    actions: dict[str, Callable[[], float]] = {
        f"{name}, {'ahead' if ahead else 'one by one'}": lambda case=case, ahead=ahead: take(
            *case, ahead
        )
        for name, case in cases.items()
        for ahead in (False, True)
    }
    return alternate(actions, options.batches)


class _Nothing:
    def update(self, data: bytes) -> None:
        """Leave the digest of all pixels out."""


def _write_pictures(folder: Path, count: int, width: int, height: int, ending: str) -> None:
    folder.mkdir()
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (count, 12, 16, 3), dtype=np.uint8)
    for number, values in enumerate(coarse):
        picture = Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:06d}.{ending}")


def _write_file(path: Path, shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).bytes(_PIECE)
    with path.open("wb") as file:
        facts = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, facts)
        left = int(np.prod(shape))
        while left > 0:
            file.write(noise[:left])
            left -= _PIECE
        file.flush()
        os.fsync(file.fileno())


def print_all(options: argparse.Namespace, prepared: Any, read: dict[str, Times]) -> None:
    for kind, times in prepared.items():
        first = times["1 x 2"]
        rows = [
            {
                f"{kind}: processes x threads": name,
                "images/s": options.pictures / found.minimum,
                "median": options.pictures / found.median,
                "ratio of minima": first.minimum / found.minimum,
                "of medians": first.median / found.median,
            }
            for name, found in times.items()
        ]
        print(table(rows), "\n")
    step = options.step_images
    rows = [
        {
            "batches of": name,
            "images/s": options.batch / found.minimum,
            "median": options.batch / found.median,
            "ms a batch": 1000 * found.median,
            f"times {step:g}/s": options.batch / found.median / step,
        }
        for name, found in read.items()
    ]
    print(table(rows))


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = parser_of(__doc__, repeats=3)
    parser.add_argument("--pictures", type=int, default=1000, help="files of each kind")
    parser.add_argument("--size", type=int, default=128, help="side of prepared images")
    parser.add_argument("--megabytes", type=int, default=3000, help="of the file of batches")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--batches", type=int, default=10, help="measurements of each reading")
    parser.add_argument("--step-images", type=float, default=2000, help="real images a second")
    parser.add_argument("--folder", type=Path, help="where files are written; default: temporary")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    options = parse(argv)
    header = begin(options)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        prepared = preparation(options, Path(folder))
        read = reading(options, Path(folder))
    print_all(options, prepared, read)
    finish(
        options,
        header,
        preparation={
            kind: {name: found.row() for name, found in times.items()}
            for kind, times in prepared.items()
        },
        reading={name: found.row() for name, found in read.items()},
    )


if __name__ == "__main__":
    main()
