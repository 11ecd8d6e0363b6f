"""Pixels as PNG, alone, as a sheet or in an archive; and pictures that somebody sends."""

import base64
import io
import json
import zipfile
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ssgan.data.base import DecodedWithWarning, Preprocessing, Rejected
from ssgan.data.preprocessing import decode, describe_failure, quiet_pillow, read_header
from ssgan.files.alpha import premultiply, straighten
from ssgan.files.image_grid import stretch, to_picture
from ssgan.types import UserError

MOST_PIXELS = 24_000_000  # of a picture that is sent, by its header
_FAST = 1  # compression of zlib; images here are small
_DATE = (1980, 1, 1, 0, 0, 0)  # the same choice gives the same bytes


def encode_png(pixels: NDArray[np.uint8], ratio: float = 1.0) -> bytes:
    """An image uint8 [S, S, C] as PNG, without any text in it.

    It shows what `ssgan sample` writes: colours are divided by alpha, and width / height is
    `ratio`.
    """
    (shown,) = stretch(straighten(pixels[None]), ratio)
    content = io.BytesIO()
    to_picture(shown).save(content, format="PNG", compress_level=_FAST)
    return content.getvalue()


def encode_address(pixels: NDArray[np.uint8], ratio: float = 1.0) -> str:
    """The same as an address of its own, for a page."""
    return f"data:image/png;base64,{base64.b64encode(encode_png(pixels, ratio)).decode()}"


def join_thumbnails(images: NDArray[np.uint8], columns: int, side: int) -> NDArray[np.uint8]:
    """Images uint8 [N, S, S, C] in rows without gaps, each at most `side` pixels wide."""
    if images.shape[1] > side:
        straight = straighten(images)  # which Pillow resizes by alpha
        shrunk = [np.asarray(to_picture(one).resize((side, side))) for one in straight]
        images = premultiply(np.stack(shrunk).reshape(len(images), side, side, -1))
    rows, size = -(-len(images) // columns), images.shape[1]
    page = np.zeros((rows * size, columns * size, images.shape[-1]), np.uint8)
    for number, image in enumerate(images):
        y, x = number // columns * size, number % columns * size
        page[y : y + size, x : x + size] = image
    return page


def pack_images(
    named: Iterable[tuple[str, NDArray[np.uint8]]],
    facts: Sequence[object],
    command: str,
    ratio: float = 1.0,
) -> bytes:
    """A zip with a PNG for each name, and images.json with how each was made."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, pixels in named:
            archive.writestr(zipfile.ZipInfo(f"{name}.png", _DATE), encode_png(pixels, ratio))
        record = {"command": command, "images": list(facts)}
        text = json.dumps(record, indent=1) + "\n"
        archive.writestr(zipfile.ZipInfo("images.json", _DATE), text)
    return content.getvalue()


def decode_picture(data: bytes, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """A picture of any size as uint8 [S, S, C].

    Raises UserError for what is no picture, is broken, or has too many pixels by its header.
    """
    with quiet_pillow():
        try:
            width, height, _ = read_header(data)
        except Exception as error:  # whatever a damaged header raises
            raise UserError(f"the picture cannot be read: {describe_failure(error)}") from None
        if width * height > MOST_PIXELS:
            raise UserError(f"the picture has {width} x {height} pixels, more than {MOST_PIXELS:,}")
        found = decode("picture", data, preprocessing)
    if isinstance(found, Rejected):
        raise UserError(f"the picture cannot be read: {found.reason}")
    return found.pixels if isinstance(found, DecodedWithWarning) else found
