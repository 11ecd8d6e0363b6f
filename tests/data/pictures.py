"""Pictures for the tests of the data package, made here and nowhere stored."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ssgan.data.base import Preprocessing
from ssgan.types import ImageShape

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")


def preprocessing(
    size: int = 32, channels: int = 3, background: Any = (255, 255, 255), **settings: Any
) -> Preprocessing:
    return Preprocessing(shape=ImageShape(channels, size), background=background, **settings)


def encode(image: Image.Image, kind: str, **settings: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def noise(seed: int, width: int = 32, height: int = 32) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def smooth(seed: int, width: int, height: int) -> Image.Image:
    """A picture that survives JPEG: low frequencies only."""
    values = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)


def write_images(folder: Path, seeds: range, size: int = 32) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        noise(seed, size, size).save(folder / f"{seed:03d}.png")


def png(width: int, height: int, depth: int, colour: int, rows: bytes, **chunks: bytes) -> bytes:
    """A PNG by hand, for what Pillow cannot write; `rows` are the filtered scan lines."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    extra = b"".join(chunk(kind.encode(), body) for kind, body in chunks.items())
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + extra
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def ramp() -> NDArray[np.uint8]:
    """All 256 greys, 16 x 16."""
    return np.arange(256, dtype=np.uint8).reshape(16, 16)


def as_rgb(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., None], 3, 2)
