"""Pictures within a page, as data URIs."""

import base64
import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Kind = Literal["png", "webp"]
_QUALITY = 88  # of lossy WebP


def picture_uri(pixels: NDArray[np.uint8], kind: Kind = "png") -> str:
    """A data URI of uint8 [H, W, C] or [H, W]; C is 1 or 3. PNG is exact, WebP small and lossy.

    Show small pictures enlarged with the class `pixels`: the browser repeats pixels, so the file
    stays small. Raises ValueError for another shape or type.
    """
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or pixels.shape[2:] in ((1,), (3,))):
        raise ValueError(f"uint8 [H, W], [H, W, 1] or [H, W, 3], not {pixels.dtype} {pixels.shape}")
    flat = pixels[..., 0] if pixels.shape[2:] == (1,) else pixels
    return encode_uri(Image.fromarray(np.ascontiguousarray(flat)), kind)


def encode_uri(image: Image.Image, kind: Kind = "png") -> str:
    """A data URI of an image of Pillow, without its metadata."""
    encoded = io.BytesIO()
    if kind == "webp":
        image.save(encoded, format="WEBP", quality=_QUALITY, method=4)
    else:
        image.save(encoded, format="PNG", optimize=True)
    return f"data:image/{kind};base64,{base64.b64encode(encoded.getvalue()).decode()}"


def join_pictures(images: NDArray[np.uint8], columns: int, gap: int = 0) -> NDArray[np.uint8]:
    """Pictures uint8 [N, S, S, C] as one uint8 [H, W, C], `columns` in a row.

    `gap` pixels between them, and places without a picture, are grey.
    """
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    page = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 128, dtype=np.uint8
    )
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        y, x = row * (height + gap), column * (width + gap)
        page[y : y + height, x : x + width] = image
    return page


def undo_enlargement(image: Image.Image) -> Image.Image:
    """The image with each block of equal pixels as one pixel, where it was enlarged by a factor.

    Sheets of samples are stored enlarged by an integer; a page needs their pixels once.
    """
    pixels = np.asarray(image)
    for zoom in range(min(16, *pixels.shape[:2]), 1, -1):
        if pixels.shape[0] % zoom or pixels.shape[1] % zoom:
            continue
        small = pixels[::zoom, ::zoom]
        if np.array_equal(small.repeat(zoom, axis=0).repeat(zoom, axis=1), pixels):
            return Image.fromarray(np.ascontiguousarray(small))
    return image
