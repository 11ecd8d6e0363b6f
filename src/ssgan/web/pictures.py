"""Pixels as PNG, alone, as a sheet or in an archive; and pictures that somebody sends."""

import base64
import io
import json
import zipfile
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ssgan.data.base import DecodedWithWarning, Preprocessing, Rejected
from ssgan.data.preprocessing import decode, describe_failure, quiet_pillow, read_header
from ssgan.types import UserError

MOST_PIXELS = 24_000_000  # of a picture that is sent, by its header
_FAST = 1  # compression of zlib; images here are small
_DATE = (1980, 1, 1, 0, 0, 0)  # the same choice gives the same bytes


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """An image uint8 [H, W, C] as PNG, without any text in it."""
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    content = io.BytesIO()
    picture.save(content, format="PNG", compress_level=_FAST)
    return content.getvalue()


def encode_address(pixels: NDArray[np.uint8]) -> str:
    """An image uint8 [H, W, C] as an address of its own, for a page."""
    return f"data:image/png;base64,{base64.b64encode(encode_png(pixels)).decode()}"


def join_thumbnails(images: NDArray[np.uint8], columns: int, side: int) -> NDArray[np.uint8]:
    """Images uint8 [N, S, S, C] in rows without gaps, each at most `side` pixels wide."""
    if images.shape[1] > side:
        grey = images.shape[-1] == 1
        shrunk = [
            np.asarray(Image.fromarray(one[..., 0] if grey else one).resize((side, side)))
            for one in images
        ]
        images = np.stack(shrunk).reshape(len(images), side, side, -1)
    rows, size = -(-len(images) // columns), images.shape[1]
    page = np.zeros((rows * size, columns * size, images.shape[-1]), np.uint8)
    for number, image in enumerate(images):
        y, x = number // columns * size, number % columns * size
        page[y : y + size, x : x + size] = image
    return page


def pack_images(
    named: Iterable[tuple[str, NDArray[np.uint8]]], facts: Sequence[object], command: str
) -> bytes:
    """A zip with a PNG for each name, and images.json with how each was made."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, pixels in named:
            archive.writestr(zipfile.ZipInfo(f"{name}.png", _DATE), encode_png(pixels))
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
