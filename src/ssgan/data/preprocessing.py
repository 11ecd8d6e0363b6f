"""Preprocessing: a picture of any size and mode becomes a square of a given shape.

All foreign image bytes are decoded here: the formats are a short list, the header is checked before
any pixel is decoded, and every failure is a `Rejected` with a reason.
"""

import io
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

import numpy as np
from PIL import Image, UnidentifiedImageError

from ssgan.data.base import Crop, DecodedWithWarning, HeaderStats, Pixels, Preprocessing, Rejected
from ssgan.data.heif import register_heif
from ssgan.types import UserError

MAX_PIXELS = 100_000_000  # of a picture, by its header
MAX_FILE_BYTES = 512 * 2**20
Image.init()  # loads the decoders now, not in the first of many threads
FORMATS = tuple(  # only these: some others run external programs (EPS), or are rarely reviewed
    name
    for name in ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", *register_heif())
    if name in Image.OPEN
)
ORIENTATION_TAG = 274

ANIMATED = "animated or of several pages: the first frame is used"
BAD_ORIENTATION = "with a malformed orientation tag: used without rotation"

_T = Image.Transpose
_UPRIGHT = {
    2: _T.FLIP_LEFT_RIGHT,
    3: _T.ROTATE_180,
    4: _T.FLIP_TOP_BOTTOM,
    5: _T.TRANSPOSE,
    6: _T.ROTATE_270,
    7: _T.TRANSVERSE,
    8: _T.ROTATE_90,
}
_SIXTEEN_BITS = {"I", "I;16", "I;16L", "I;16B", "I;16N"}
_GREY = {"1", "L", "LA", "La"} | _SIXTEEN_BITS
_COLOUR = {"P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "CMYK", "YCbCr", "LAB", "HSV"}


class UnusableError(Exception):
    """A picture is unusable; the text is the reason."""


def decode(
    name: str, data: bytes, preprocessing: Preprocessing
) -> Pixels | DecodedWithWarning | Rejected:
    """The picture in `data` as uint8 [S, S, C], or a Rejected; raises for no bytes.

    `name` is for the Rejected only. Colour profiles are not applied. Pillow may warn: see
    `quiet_pillow`.
    """
    try:
        with _open(data) as image:
            return _decode(image, preprocessing)
    except Exception as error:
        return Rejected(name, describe_failure(error))


def read_header(data: bytes) -> tuple[int, int, bool]:
    """Width, height and whether grey, from the header; raises if `decode` would reject it."""
    with _open(data) as image:
        return (*image.size, image.mode in _GREY)


def from_array(pixels: Pixels, preprocessing: Preprocessing) -> Pixels:
    """Preprocess decoded pixels [H, W, 3]; the same array is returned if its shape fits."""
    size, channels = preprocessing.shape.size, preprocessing.shape.channels
    if pixels.shape == (size, size, channels):
        return pixels
    return _to_square(Image.fromarray(pixels), preprocessing)


def describe_failure(error: Exception) -> str:
    """One printable line for the manifest."""
    if isinstance(error, UnidentifiedImageError):
        return f"not an image of a known format ({', '.join(FORMATS)}), or a damaged header"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MAX_PIXELS:,} pixels"
    if isinstance(error, MemoryError):
        return "needs more memory than is free"
    if isinstance(error, UnusableError):
        return str(error)
    text = "".join(c if c.isprintable() else " " for c in str(error))[:200]
    return f"damaged: {text or type(error).__name__}"


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings on damaged metadata within the block.

    Warning filters belong to the process: enter it once around all threads, not in each.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _open(data: bytes) -> Image.Image:
    """The picture with its header read and checked; nothing is decoded yet."""
    if not data:
        raise UnusableError("empty file")
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UnusableError(f"{width} x {height} is more than {MAX_PIXELS:,} pixels")
    if width < 1 or height < 1:
        raise UnusableError(f"{width} x {height} has no pixels")
    if image.mode not in _GREY | _COLOUR:
        raise UnusableError(f"mode {image.mode} has no standard range of values")
    return image


def _decode(image: Image.Image, preprocessing: Preprocessing) -> Pixels | DecodedWithWarning:
    size, full = preprocessing.shape.size, image.size
    if image.format in ("JPEG", "MPO"):  # decode at 1/2, 1/4 or 1/8, at least twice the size
        image.draft(None, (2 * size, 2 * size))
    image.load()
    transpose, warning = _orientation(image)
    if image.size != full and image.format in ("JPEG", "MPO"):
        pixels = _from_reduced(image, full, transpose, preprocessing)
    else:
        square = _upright_square(image, transpose, preprocessing.crop)
        pixels = _to_square(_eight_bits(square, image, preprocessing), preprocessing)
    if image.format != "MPO" and getattr(image, "is_animated", False):
        warning = ANIMATED
    return DecodedWithWarning(pixels, warning) if warning else pixels


def _from_reduced(
    image: Image.Image,
    full: tuple[int, int],
    transpose: Image.Transpose | None,
    preprocessing: Preprocessing,
) -> Pixels:
    """The square of a JPEG that was decoded at 1/2, 1/4 or 1/8 of its `full` size."""
    scale = next(s for s in (2, 4, 8) if image.size == tuple(-(-side // s) for side in full))
    # By the full size: the last row and column may cover less than a whole pixel.
    edges = _box(full, transpose, preprocessing.crop)
    left, top, right, bottom = (edge / scale for edge in edges)
    picture = image.convert("L" if preprocessing.shape.channels == 1 else "RGB").resize(
        (preprocessing.shape.size, preprocessing.shape.size),
        Image.Resampling.LANCZOS,
        box=(left, top, right, bottom),
        reducing_gap=3.0,
    )
    return _to_square(_transpose_image(picture, transpose), preprocessing)


def _orientation(image: Image.Image) -> tuple[Image.Transpose | None, str]:
    """The operation that makes the loaded picture upright, and a warning for a malformed tag."""
    try:
        tag = image.getexif().get(ORIENTATION_TAG, 1)
        return (None, "") if tag == 1 else (_UPRIGHT[tag], "")
    except Exception:
        return None, BAD_ORIENTATION


def _box(
    size: tuple[int, int], transpose: Image.Transpose | None, crop: Crop | None
) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the used square, before the picture is transposed."""
    (width, height), side = size, min(size)
    if crop is not None:  # its place refers to the stored order
        least = min(side, math.ceil(math.sqrt(width * height / 2)))
        side = least + int(crop.side * (side - least + 1))
        left, top = int(crop.left * (width - side + 1)), int(crop.top * (height - side + 1))
        return left, top, left + side, top + side
    left, top = (width - side) // 2, (height - side) // 2
    # The smaller half of an odd margin is left or top in the upright picture.
    if transpose in (_T.FLIP_LEFT_RIGHT, _T.ROTATE_180, _T.TRANSVERSE, _T.ROTATE_90):
        left = width - side - left
    if transpose in (_T.FLIP_TOP_BOTTOM, _T.ROTATE_180, _T.TRANSVERSE, _T.ROTATE_270):
        top = height - side - top
    return left, top, left + side, top + side


def _upright_square(
    image: Image.Image, transpose: Image.Transpose | None, crop: Crop | None = None
) -> Image.Image:
    """The used square of the upright picture, in the picture's own mode."""
    if crop is not None or image.size[0] != image.size[1]:
        image = image.crop(_box(image.size, transpose, crop))
    return _transpose_image(image, transpose)


def _transpose_image(image: Image.Image, transpose: Image.Transpose | None) -> Image.Image:
    return image if transpose is None else image.transpose(transpose)


def _eight_bits(
    square: Image.Image, opened: Image.Image, preprocessing: Preprocessing
) -> Image.Image:
    """The picture as L or RGB with 8 bits a channel, over the background."""
    mode, key = square.mode, opened.info.get("transparency")
    if mode in _SIXTEEN_BITS:
        values = np.asarray(square).astype(np.int64)
        square = Image.fromarray(_from_sixteen_bits(values))
        if not isinstance(key, int):
            return square
        alpha = Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
        return _over_background(square.convert("RGB"), alpha, preprocessing)
    if mode in ("La", "RGBa"):
        square = square.convert({"La": "LA", "RGBa": "RGBA"}[mode])
    if key is not None and "transparency" not in square.info:
        square.info["transparency"] = key
    if square.has_transparency_data:
        whole = square.convert("RGBA")
        return _over_background(whole.convert("RGB"), whole.getchannel("A"), preprocessing)
    return square.convert("L" if mode in ("1", "L") else "RGB")


def _from_sixteen_bits(values: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> Pixels:
    """Scale 0 ... 65535 to 0 ... 255, rounded."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise UnusableError(f"32-bit values from {low} to {high}, outside 0 to 65535")
    return ((values * 255 + 32767) // 65535).astype(np.uint8)


def _over_background(
    picture: Image.Image, alpha: Image.Image, preprocessing: Preprocessing
) -> Image.Image:
    ground = Image.new("RGB", picture.size, preprocessing.background)
    ground.paste(picture, mask=alpha)
    return ground


def _to_square(picture: Image.Image, preprocessing: Preprocessing) -> Pixels:
    """An L or RGB picture, cut to its centred square and resized, as uint8 [S, S, C]."""
    size, channels = preprocessing.shape.size, preprocessing.shape.channels
    picture = picture.convert("L" if channels == 1 else "RGB")
    picture = _upright_square(picture, None)
    if picture.size != (size, size):
        shrinks = picture.size[0] > size
        filter_ = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
        picture = picture.resize((size, size), filter_, reducing_gap=3.0 if shrinks else None)
    return np.array(picture, np.uint8).reshape(size, size, channels)


MAX_HEADERS = 256  # headers in the sample, evenly spread
_MAX_TRIED = 1024  # items to try in a collection of broken files


def read_header_stats(
    name: str, count: int, encoded: Callable[[int], bytes], item: Callable[[int], str]
) -> HeaderStats:
    """Read the header of `encoded(number)` for up to 256 of `count` items.

    Raises UserError when none can be read, with the `name` of the source and the first `item`.
    """
    headers: list[tuple[int, int, bool]] = []
    first_error = ""
    with quiet_pillow():
        for number in islice(_spread(count), _MAX_TRIED):
            try:
                headers.append(read_header(encoded(number)))
            except Exception as error:
                first_error = first_error or f"{item(number)}: {describe_failure(error)}"
            if len(headers) == MAX_HEADERS:
                break
    if not headers:
        raise UserError(f"{name}: no image can be read; the first: {first_error}")
    sides = sorted(min(width, height) for width, height, _ in headers)
    return HeaderStats(count, sides[len(sides) // 2], all(grey for _, _, grey in headers))


def _spread(count: int) -> list[int]:
    """Numbers below `count`: 256 evenly spread ones, then the others."""
    step = max(1.0, count / MAX_HEADERS)
    first = [int(k * step) for k in range(min(MAX_HEADERS, count))]
    return list(dict.fromkeys([*first, *range(min(count, 4 * _MAX_TRIED))]))
