"""Image grids and arrays of images in files."""

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ssgan.files.alpha import over_checkerboard
from ssgan.files.atomic import open_atomic, write_atomic
from ssgan.files.own_outputs import SAMPLE, SHEET, png_info

_BICUBIC = Image.Resampling.BICUBIC
_GAP = 1  # white pixels between images
_SHEET_PIXELS = 768  # small images are enlarged by an integer factor up to this width


def image_grid(images: NDArray[np.uint8], columns: int) -> Image.Image:
    """Arrange uint8 [N, H, W, C] row by row, `columns` in a row; C is 1, 3 or 4.

    Transparent images, with straight colours, are drawn over a checkerboard.
    """
    images = over_checkerboard(images)
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    shape = (rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, channels)
    page = np.full(shape, 255, dtype=np.uint8)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        y, x = row * (height + _GAP) + _GAP, column * (width + _GAP) + _GAP
        page[y : y + height, x : x + width] = image
    zoom = max(1, _SHEET_PIXELS // page.shape[1])
    page = page.repeat(zoom, axis=0).repeat(zoom, axis=1)
    return to_picture(page)


def stretch(images: NDArray[np.uint8], ratio: float | None) -> NDArray[np.uint8]:
    """Squares uint8 [N, S, S, C] at width / height `ratio`: the shorter side stays S pixels.

    They are resized by bicubic interpolation. None and 1 change nothing.
    """
    size = images.shape[1]
    width, height = find_stretched(size, ratio)
    if (width, height) == (size, size):
        return images
    shape = (len(images), height, width, images.shape[-1])
    pictures = (to_picture(image).resize((width, height), _BICUBIC) for image in images)
    return np.stack([np.asarray(picture) for picture in pictures]).reshape(shape)


def find_stretched(size: int, ratio: float | None) -> tuple[int, int]:
    """Width and height of a square of `size` pixels at width / height `ratio`."""
    return round(size * max(1.0, ratio or 1.0)), round(size / min(1.0, ratio or 1.0))


def to_picture(image: NDArray[np.uint8]) -> Image.Image:
    """An image, uint8 [H, W, C], for Pillow: grey, RGB or RGBA with straight colours."""
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def save_png(path: Path, image: Image.Image, mark: str = SHEET) -> None:
    """Write a PNG with a mark (`own_outputs`) atomically; create its folder if necessary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = io.BytesIO()
    image.save(encoded, format="PNG", pnginfo=png_info(mark))
    write_atomic(path, encoded.getvalue())


@contextmanager
def open_npz_images(
    path: Path, shape: tuple[int, int, int, int], labels: NDArray[np.int64] | None
) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Write images uint8 of `shape` [N, S, S, C] as arr_0 of a .npz file, and labels [N] as arr_1.

    It is the form of guided-diffusion. The block calls the function with batches [n, S, S, C]
    until all N are there; one is in memory at a time. The file appears whole after the block, and
    its folder is created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_atomic(path) as file, zipfile.ZipFile(cast(BinaryIO, file), "w") as archive:
        archive.comment = SAMPLE.encode()
        with archive.open("arr_0.npy", "w", force_zip64=True) as entry:
            facts = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(entry, facts)

            def add(batch: NDArray[np.uint8]) -> None:
                entry.write(batch.tobytes())

            yield add
        if labels is not None:
            with archive.open("arr_1.npy", "w") as entry:
                np.lib.format.write_array(entry, labels, allow_pickle=False)
