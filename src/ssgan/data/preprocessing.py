"""Preprocessing: a picture of any size and mode becomes a square of a given shape.

All foreign image bytes are decoded here: the formats are a short list, the header is checked before
any pixel is decoded, and every failure is a `Rejected` with a reason.
"""

import io
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from ssgan.data.base import (
    Crop,
    DecodedWithWarning,
    Fit,
    Pixels,
    Preprocessing,
    Rejected,
)
from ssgan.data.decoding.colours import (
    PLAIN,
    SIXTEEN_BITS,
    Meaning,
    UnusableError,
    read_meaning,
    use_low_bytes,
)
from ssgan.data.decoding.heif import register_heif
from ssgan.files.alpha import premultiply
from ssgan.files.links import open_regular

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
CUT = "cut to squares, and lose {:02d} % of their area"
MUCH_LOST = 0.4  # of the area, lost by a cut; 16:9 loses 44 %, and 3:2 loses 33 %

_T = Image.Transpose
UPRIGHT = {
    2: _T.FLIP_LEFT_RIGHT,
    3: _T.ROTATE_180,
    4: _T.FLIP_TOP_BOTTOM,
    5: _T.TRANSPOSE,
    6: _T.ROTATE_270,
    7: _T.TRANSVERSE,
    8: _T.ROTATE_90,
}
_SIDEWAYS = {UPRIGHT[tag] for tag in (5, 6, 7, 8)}
_GREY = {"1", "L", "LA", "La"} | SIXTEEN_BITS
_COLOUR = {"P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "CMYK", "YCbCr", "LAB", "HSV"}


def read_image_file(path: bytes | str) -> bytes:
    """The content of a file that was listed before; links are followed.

    Raises OSError for more than MAX_FILE_BYTES, and for what became a pipe or a folder since.
    """
    with os.fdopen(open_regular(path, follow=True), "rb") as file:
        if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
            raise OSError(f"the file is larger than {MAX_FILE_BYTES:,} bytes")
        return file.read(MAX_FILE_BYTES)


def decode(
    name: str, data: bytes, preprocessing: Preprocessing
) -> Pixels | DecodedWithWarning | Rejected:
    """The picture in `data` as uint8 [S, S, C], or a Rejected; raises for no bytes.

    `name` is for the Rejected only. Pillow may warn: see `quiet_pillow`.
    """
    try:
        with open_picture(data) as image:
            return _decode(image, data, preprocessing)
    except Exception as error:
        return Rejected(name, describe_failure(error))


def header_decodes_as_before(data: bytes) -> bool:
    """Whether every version of the decoding gives the same pixels and warnings, by the header."""
    try:
        with open_picture(data) as image:
            try:
                return image.mode not in SIXTEEN_BITS and read_meaning(image, data) == PLAIN
            except UnusableError:
                return False
    except Exception:  # no version can read it
        return True


def read_header(data: bytes) -> tuple[int, int, bool]:
    """Width and height upright, and whether grey, by the header; raises if `decode` rejects it.

    The tag of a PNG that follows its pixels is not read.
    """
    with open_picture(data) as image:
        size, early = image.size, image.format != "PNG" or "exif" in image.info
        sideways = size[0] != size[1] and early and _orientation(image)[0] in _SIDEWAYS
        return (*(size[::-1] if sideways else size), image.mode in _GREY)


class PictureHeader(NamedTuple):
    """What the header of a picture says."""

    width: int  # in pixels, of the upright picture
    height: int
    mode: str  # Pillow's name, such as RGB, L, P, RGBA, CMYK or I;16
    format: str  # Pillow's name, such as JPEG
    orientation: int  # the orientation tag, 1 to 8; 1: upright as stored, or no tag
    transparent: bool  # whether pixels may be transparent
    animated: bool  # several frames or pages, of which the first is used


def is_grey(header: PictureHeader) -> bool:
    """Whether a picture is stored as grey."""
    return header.mode in _GREY


def read_full_header(data: bytes) -> PictureHeader:
    """What the header says; raises if `decode` would reject it."""
    with open_picture(data) as image:
        transpose, _ = _orientation(image)
        tag = next((tag for tag, operation in UPRIGHT.items() if operation == transpose), 1)
        width, height = image.size if tag < 5 else image.size[::-1]
        animated = image.format != "MPO" and getattr(image, "is_animated", False)
        return PictureHeader(
            *(width, height, image.mode, image.format or ""),
            orientation=tag,
            transparent=image.has_transparency_data,
            animated=animated,
        )


def from_array(pixels: Pixels, preprocessing: Preprocessing) -> Pixels:
    """Preprocess decoded pixels [H, W, 3 or 4]; the same array is returned if its shape fits.

    Four channels are straight colours and alpha.
    """
    size, channels = preprocessing.shape.size, preprocessing.shape.channels
    if pixels.shape == (size, size, channels):
        return premultiply(pixels)
    picture = Image.fromarray(pixels)
    if picture.mode == "RGBA":
        picture = _over_background(picture.convert("RGB"), picture.getchannel("A"), preprocessing)
    return _to_square(picture, preprocessing)


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


def open_picture(data: bytes) -> ImageFile.ImageFile:
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


def _decode(
    image: ImageFile.ImageFile, data: bytes, preprocessing: Preprocessing
) -> Pixels | DecodedWithWarning:
    size, full = preprocessing.shape.size, image.size
    meaning = read_meaning(image, data) if preprocessing.decoding > 1 else PLAIN
    if image.format in ("JPEG", "MPO"):  # decode at 1/2, 1/4 or 1/8, at least twice the size
        image.draft(None, (2 * size, 2 * size))
    image.load()
    transpose, warning = _orientation(image)
    warnings = [warning, *_cut_warning(full, preprocessing), *meaning.warnings]
    if image.size != full and image.format in ("JPEG", "MPO"):
        picture, more = _from_reduced(image, full, transpose, meaning, preprocessing)
    else:
        part = _upright_part(image, transpose, preprocessing.fit, preprocessing.crop)
        if meaning.wide and part.mode in ("RGB", "RGBA"):
            wanted = meaning.has_low_bytes and meaning.needs_values
            low = _low_bytes(data, transpose, preprocessing) if wanted else None
            picture, more = _from_wide(part, low, meaning, preprocessing)
        else:
            picture, more = _eight_bits(part, image, meaning, preprocessing)
    pixels = _to_square(picture, preprocessing)
    if image.format != "MPO" and getattr(image, "is_animated", False):
        warnings.append(ANIMATED)
    said = tuple(dict.fromkeys(text for text in (*warnings, *more) if text))
    return DecodedWithWarning(pixels, said) if said else pixels


def _cut_warning(full: tuple[int, int], preprocessing: Preprocessing) -> Iterator[str]:
    lost = 1 - min(full) / max(full)
    if preprocessing.fit == "crop" and preprocessing.crop is None and lost > MUCH_LOST:
        yield CUT.format(round(100 * lost))


def _from_reduced(
    image: Image.Image,
    full: tuple[int, int],
    transpose: Image.Transpose | None,
    meaning: Meaning,
    preprocessing: Preprocessing,
) -> tuple[Image.Image, tuple[str, ...]]:
    """The upright part of a JPEG that was decoded at 1/2, 1/4 or 1/8 of its `full` size."""
    scale = next(s for s in (2, 4, 8) if image.size == tuple(-(-side // s) for side in full))
    # By the full size: the last row and column may cover less than a whole pixel.
    left, top, right, bottom = _region(full, transpose, preprocessing.fit, preprocessing.crop)
    picture, warnings = meaning.to_srgb(image) if meaning.profile else (image, ())
    picture = picture.convert("L" if preprocessing.shape.channels == 1 else "RGB").resize(
        _target((right - left, bottom - top), preprocessing),
        Image.Resampling.LANCZOS,
        box=(left / scale, top / scale, right / scale, bottom / scale),
        reducing_gap=3.0,
    )
    return _transpose_image(picture, transpose), warnings


def _orientation(image: Image.Image) -> tuple[Image.Transpose | None, str]:
    """The operation that makes the loaded picture upright, and a warning for a malformed tag."""
    try:
        tag = image.getexif().get(ORIENTATION_TAG, 1)
        return (None, "") if tag == 1 else (UPRIGHT[tag], "")
    except Exception:
        return None, BAD_ORIENTATION


def _region(
    size: tuple[int, int], transpose: Image.Transpose | None, fit: Fit, crop: Crop | None
) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the used part, before the picture is transposed."""
    (width, height), side = size, min(size)
    if crop is not None:  # its place refers to the stored order
        least = min(side, math.ceil(math.sqrt(width * height / 2)))
        side = least + int(crop.side * (side - least + 1))
        left, top = int(crop.left * (width - side + 1)), int(crop.top * (height - side + 1))
        return left, top, left + side, top + side
    if fit != "crop":
        return 0, 0, width, height
    left, top = (width - side) // 2, (height - side) // 2
    # The smaller half of an odd margin is left or top in the upright picture.
    if transpose in (_T.FLIP_LEFT_RIGHT, _T.ROTATE_180, _T.TRANSVERSE, _T.ROTATE_90):
        left = width - side - left
    if transpose in (_T.FLIP_TOP_BOTTOM, _T.ROTATE_180, _T.TRANSVERSE, _T.ROTATE_270):
        top = height - side - top
    return left, top, left + side, top + side


def _target(size: tuple[int, int], preprocessing: Preprocessing) -> tuple[int, int]:
    """The size to which the used part of a picture is resized."""
    side, longest = preprocessing.shape.size, max(size)
    if preprocessing.fit != "pad":
        return side, side
    return max(1, round(size[0] * side / longest)), max(1, round(size[1] * side / longest))


def _upright_part(
    image: Image.Image, transpose: Image.Transpose | None, fit: Fit, crop: Crop | None
) -> Image.Image:
    """The used part of the upright picture, in the picture's own mode."""
    region = _region(image.size, transpose, fit, crop)
    if region != (0, 0, *image.size):
        image = image.crop(region)
    return _transpose_image(image, transpose)


def _transpose_image(image: Image.Image, transpose: Image.Transpose | None) -> Image.Image:
    return image if transpose is None else image.transpose(transpose)


def _eight_bits(
    part: Image.Image, opened: Image.Image, meaning: Meaning, preprocessing: Preprocessing
) -> tuple[Image.Image, tuple[str, ...]]:
    """The picture as L or RGB with 8 bits a channel, over the background, and warnings."""
    mode, key = part.mode, meaning.key
    key = opened.info.get("transparency") if key is None else key
    if mode in SIXTEEN_BITS:
        values = np.asarray(part)
        pixels, warnings = meaning.to_bytes(values)
        picture, more = meaning.apply_profile(Image.fromarray(pixels))
        if isinstance(key, int):
            alpha = Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
            picture = _over_background(picture.convert("RGB"), alpha, preprocessing)
        return picture, (*warnings, *more)
    if mode in ("La", "RGBa"):
        part = part.convert({"La": "LA", "RGBa": "RGBA"}[mode])
    if key is not None and (meaning.key is not None or "transparency" not in part.info):
        part.info["transparency"] = key
    if not part.has_transparency_data:
        return meaning.to_srgb(part)
    whole = part.convert("RGBA")
    colours = whole.convert("L" if part.mode in ("1", "L", "LA") else "RGB")
    colours, more = meaning.to_srgb(colours)
    return _over_background(colours.convert("RGB"), whole.getchannel("A"), preprocessing), more


def _from_wide(
    part: Image.Image, low: Image.Image | None, meaning: Meaning, preprocessing: Preprocessing
) -> tuple[Image.Image, tuple[str, ...]]:
    """A picture of 16 bits a colour as RGB over the background, and warnings.

    `part` has the upper bytes, and `low` the lower ones, where they can be read.
    """
    alpha = part.getchannel("A") if part.mode == "RGBA" else None
    upper, warnings = np.ascontiguousarray(np.asarray(part)[..., :3]), meaning.dark_if(part)
    if meaning.needs_values:
        lower = upper if low is None else np.asarray(low)[..., :3]
        values = upper.astype(np.uint16) * 256 + lower
        if meaning.key is not None:
            opaque = (values != np.asarray(meaning.key)).any(2)
            alpha = Image.fromarray(opaque.astype(np.uint8) * 255)
        scaled, warnings = meaning.to_bytes(values)
        if meaning.range_of(values)[:2] != (0, 65535) or meaning.gamma != 1:
            upper = scaled
    picture, more = meaning.apply_profile(Image.fromarray(upper))
    if alpha is not None:
        picture = _over_background(picture.convert("RGB"), alpha, preprocessing)
    return picture, (*warnings, *more)


def _low_bytes(
    data: bytes, transpose: Image.Transpose | None, preprocessing: Preprocessing
) -> Image.Image:
    """The used part of a picture of 16 bits a colour, in the lower 8 bits."""
    with open_picture(data) as image:
        use_low_bytes(image)
        image.load()
        return _upright_part(image, transpose, preprocessing.fit, preprocessing.crop)


def _over_background(
    picture: Image.Image, alpha: Image.Image, preprocessing: Preprocessing
) -> Image.Image:
    """The RGB picture over the background; with 4 channels, the picture with its alpha."""
    if preprocessing.shape.channels == 4:
        picture = picture.copy()
        picture.putalpha(alpha)
        return picture
    ground = Image.new("RGB", picture.size, preprocessing.background)
    ground.paste(picture, mask=alpha)
    return ground


def _to_square(picture: Image.Image, preprocessing: Preprocessing) -> Pixels:
    """An L, RGB or RGBA picture, made a square by `fit` and resized, as uint8 [S, S, C].

    Pillow resizes RGBA with its colours multiplied by alpha.
    """
    size, channels = preprocessing.shape.size, preprocessing.shape.channels
    picture = picture.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])
    picture = _upright_part(picture, None, preprocessing.fit, None)
    target = _target(picture.size, preprocessing)
    if picture.size != target:
        shrinks = picture.size[0] > target[0] or picture.size[1] > target[1]
        filter_ = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
        picture = picture.resize(target, filter_, reducing_gap=3.0 if shrinks else None)
    if target != (size, size):
        ground = Image.new("RGB", (size, size), preprocessing.background).convert(picture.mode)
        if channels == 4:
            ground.putalpha(0)
        ground.paste(picture, ((size - target[0]) // 2, (size - target[1]) // 2))
        picture = ground
    return premultiply(np.array(picture, np.uint8).reshape(size, size, channels))
