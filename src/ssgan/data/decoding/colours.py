"""What the values of a picture mean: the range of its samples, and the colours that they name.

Pillow gives stored values. Here they become sRGB in 0 to 255, where the file says what they are:
by the bits or the range that it names, by its colour profile or by the gamma of a PNG.
"""

import math
import re
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ssgan.data.base import Pixels
from ssgan.data.decoding.profiles import apply_profile, is_srgb

Values = NDArray[np.integer[Any]]  # samples as stored, [H, W] or [H, W, 3]

SIXTEEN_BITS = {"I", "I;16", "I;16L", "I;16B", "I;16N"}
DARK = (
    "of 16 or 32 bits with values up to a quarter of the range, and no smaller range in the file: "
    "used as stored, so dark; if they hold fewer bits, scale them to 0 to 65535"
)
DISPLAY_RANGE = "scaled to the range of values that ImageJ displays"
OTHER_COLOURS = "in a colour space that only PNG's cHRM or cICP describes: used as sRGB"

_FULL = 65535
_BITS, _PHOTOMETRIC, _DESCRIPTION, _STRIP_BYTES, _PLANES = 258, 262, 270, 279, 284  # TIFF tags
_SMALLEST, _LARGEST, _FORMAT = (340, 280), (341, 281), 339
_SRGB_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)  # white, red, green, blue


class UnusableError(Exception):
    """A picture is unusable; the text is the reason."""


@dataclass(frozen=True)
class Meaning:
    """What a file says of its values; the default is what Pillow takes them for."""

    wide: bool = False  # 16 bits a colour, of which Pillow keeps the upper 8
    has_low_bytes: bool = False  # wide, and `use_low_bytes` gives the lower 8
    bounds: tuple[int, int] | None = None  # the values of black and white
    clips: bool = False  # values outside of the bounds are black and white; else they refute them
    significant_bits: int = 16  # of 16, by the sBIT chunk of a PNG
    white_is_zero: bool = False  # of 16 bits; Pillow inverts fewer bits itself
    gamma: float = 1.0  # exponent from values in [0, 1] to those of sRGB
    key: int | tuple[int, ...] | None = None  # the transparent value, where Pillow's is wrong
    profile: bytes = b""  # of the colours; empty for sRGB
    warnings: tuple[str, ...] = ()

    def range_of(self, values: Values) -> tuple[int, int, tuple[str, ...]]:
        """The values of black and white of 16 or 32 bits, and warnings.

        Raises UnusableError for values outside 0 to 65535 without a range.
        """
        low, high = int(values.min()), int(values.max())
        if self.bounds is not None and (
            self.clips or self.bounds[0] <= low <= high <= self.bounds[1]
        ):
            return *self.bounds, (DISPLAY_RANGE,) if self.clips else ()
        if low < 0 or high > _FULL:
            raise UnusableError(
                f"values from {low} to {high}, outside 0 to {_FULL}, and no range in the file "
                "(TIFF's MinSampleValue and MaxSampleValue)"
            )
        bits = self.significant_bits
        if bits < 16 and high < 2**bits and not _is_left_aligned(values, bits):
            return 0, 2**bits - 1, ()
        return 0, _FULL, (DARK,) if 0 < high <= _FULL // 4 else ()

    @property
    def needs_values(self) -> bool:
        """Whether the upper 8 of 16 bits a colour do not suffice."""
        return bool(self.bounds or self.key or self.significant_bits < 16 or self.gamma != 1)

    def to_bytes(self, values: Values) -> tuple[Pixels, tuple[str, ...]]:
        """Samples of 16 or 32 bits as 0 to 255, rounded, and warnings."""
        low, high, warnings = self.range_of(values)
        if values.dtype.kind != "u" or low < 0 or high > _FULL:
            values = values.astype(np.int64)
        values, span = values.clip(low, high) - low, high - low
        if span > _FULL:
            return self._scale(values.astype(np.int64), span), warnings
        return self._scale(np.arange(span + 1), span)[values], warnings

    def _scale(self, values: NDArray[np.int64], span: int) -> Pixels:
        """Values 0 to `span` as 0 to 255."""
        if self.white_is_zero:
            values = span - values
        if self.gamma != 1:
            return np.rint((values / span) ** self.gamma * 255).astype(np.uint8)
        return ((values * 255 + span // 2) // span).astype(np.uint8)

    def dark_if(self, upper: Image.Image) -> tuple[str, ...]:
        """A warning if the upper 8 of 16 bits a colour are dark."""
        brightest = int(np.asarray(upper)[..., :3].max())
        return (DARK,) if 0 < brightest <= _FULL // 4 // 257 else ()

    def apply_profile(self, picture: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
        """An L or RGB picture in sRGB, and warnings."""
        if not self.profile:
            return picture, ()
        converted, warning = apply_profile(picture, picture, self.profile)
        return converted, (warning,) if warning else ()

    def to_srgb(self, picture: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
        """A picture of 8 bits without its transparency as L or RGB in sRGB, and warnings."""
        plain = picture.convert("L" if picture.mode in ("1", "L") else "RGB")
        if self.gamma != 1:
            curve = np.rint((np.arange(256) / 255) ** self.gamma * 255).astype(int).tolist()
            plain = plain.point(curve * len(plain.getbands()))
        if not self.profile or picture.mode == "LAB":
            return plain, ()
        converted, warning = apply_profile(picture, plain, self.profile)
        return converted, (warning,) if warning else ()


PLAIN = Meaning()


def read_meaning(image: Image.Image, data: bytes) -> Meaning:
    """What the header of an opened picture says of its values; `data` is its file.

    Raises UnusableError for layouts that Pillow would decode wrongly.
    """
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not profile or is_srgb(profile):
        profile = b""
    if isinstance(image, TiffImageFile):
        return _read_tiff(image, profile)
    if image.format == "PNG":
        return _read_png(image, data, profile)
    scaled = image.format == "PPM" and image.mode == "I" and _raw_mode(image) != "I;16B"
    return Meaning(profile=profile, bounds=(0, _FULL) if scaled else None)


def use_low_bytes(image: ImageFile.ImageFile) -> None:
    """Make an opened picture of 16 bits a colour decode to its lower 8: in the other byte order."""
    name = _raw_mode(image)
    native = "L" if sys.byteorder == "little" else "B"
    order = native if name[-1] == "N" else name[-1]
    name = name[:-1] + ("B" if order == "L" else "L")
    for number, tile in enumerate(image.tile):
        rest = tile.args[1:] if isinstance(tile.args, tuple) else None
        image.tile[number] = tile._replace(args=name if rest is None else (name, *rest))


def _raw_mode(image: Image.Image) -> str:
    """How Pillow reads the samples, such as RGB;16B; empty if a decoder of its own does."""
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    args = tiles[0].args if tiles else ""
    return str(args[0] if isinstance(args, tuple) and args else args or "")


def _is_left_aligned(values: Values, bits: int) -> bool:
    """Whether values of 16 bits have these significant bits on top, as PNG requires."""
    every = np.arange(_FULL + 1)
    top = every >> (16 - bits)
    filled = np.abs(every - top * _FULL // (2**bits - 1)) <= 1
    return bool(((every == top << (16 - bits)) | filled)[values].all())


# TIFF


def _read_tiff(image: TiffImageFile, profile: bytes) -> Meaning:
    tags: Mapping[int, Any] = image.tag_v2
    bits, name = _first(tags, (_BITS,)) or 1, _raw_mode(image)
    if _first(tags, (_FORMAT,)) == 2 and bits == 8:
        raise UnusableError("signed samples of 8 bits have no standard range of values")
    if tags.get(_PLANES) == 2 and bits == 16 and len(name) == 1:
        raise UnusableError("16 bits a colour in separate planes are not read: store pixels whole")
    if name == "YCbCr" and sum(tags.get(_STRIP_BYTES, ())) < math.prod(image.size) * 3:
        raise UnusableError("YCbCr with fewer colour samples and no compression is not read")
    sixteen = image.mode in SIXTEEN_BITS
    wide = ";16" in name and not sixteen
    bounds, clips = None, False
    if sixteen and bits == 12:
        bounds = (0, 4095)
    elif bits > 8 and (sixteen or wide):
        bounds = _imagej_range(tags)
        clips = bounds is not None
        bounds = bounds or _named_range(tags)
    return Meaning(
        wide=wide,
        has_low_bytes=wide and name.split(";")[0] in ("RGB", "RGBA"),
        bounds=bounds,
        clips=clips,
        white_is_zero=sixteen and tags.get(_PHOTOMETRIC) == 0,
        profile=profile,
    )


def _named_range(tags: Mapping[int, Any]) -> tuple[int, int] | None:
    """From 0 to as many bits as the largest value needs, or the exact range of signed values.

    The default, all bits of the file, counts as no range.
    """
    low, high = _first(tags, _SMALLEST) or 0, _first(tags, _LARGEST)
    if high is None or high <= max(0, low) or max(high, -low) >= 2**31 - 1:
        return None
    if low < 0:
        return math.floor(low), math.ceil(high)
    top = 2 ** max(8, math.ceil(high).bit_length()) - 1
    return None if top == _FULL else (0, top)


def _imagej_range(tags: Mapping[int, Any]) -> tuple[int, int] | None:
    """The range that ImageJ displays."""
    text = tags.get(_DESCRIPTION)
    if not isinstance(text, str) or not text.startswith("ImageJ=") or "\nc0=" in text:
        return None
    found = dict(re.findall(r"^(min|max)=(-?\d{1,10}(?:\.\d*)?)\s*$", text, re.MULTILINE))
    if set(found) != {"min", "max"}:
        return None
    low, high = math.floor(float(found["min"])), math.ceil(float(found["max"]))
    return (low, high) if low < high else None


def _first(tags: Mapping[int, Any], names: tuple[int, ...]) -> float | None:
    """The first finite value of the first of these tags that is there."""
    for name in names:
        value = tags.get(name)
        value = value[0] if isinstance(value, tuple) and value else value
        if isinstance(value, int | float) and math.isfinite(value):
            return value
    return None


# PNG


def _read_png(image: Image.Image, data: bytes, profile: bytes) -> Meaning:
    depth, chunks, info = data[24], _chunks(data), image.info
    wide = depth == 16 and image.mode != "I;16"
    key = info.get("transparency")
    warnings: tuple[str, ...] = ()
    if isinstance(key, int) and image.mode == "L" and depth in (2, 4):
        key = key * 255 // (2**depth - 1)
    elif not (wide and isinstance(key, tuple)):
        key = None
    described = info.get("icc_profile") or "srgb" in info
    exponent = 1.0
    if not described and isinstance(gamma := info.get("gamma"), float) and 0.01 < gamma < 100:
        exponent = 1 / 2.2 / gamma
    primaries = info.get("chromaticity", _SRGB_PRIMARIES)
    near = all(abs(a - b) < 0.01 for a, b in zip(primaries, _SRGB_PRIMARIES, strict=False))
    coded = chunks.get(b"cICP", b"\1\15")  # primaries and curve of sRGB
    usual = coded[:1] == b"\1" and coded[1:2] in (b"\1", b"\6", b"\15", b"\16", b"\17")
    if not ((described or near) and usual):
        warnings = (OTHER_COLOURS,)
    bits = max(chunks.get(b"sBIT", b"")[:3], default=16)
    return Meaning(
        wide=wide,
        has_low_bytes=wide and _raw_mode(image).split(";")[0] in ("RGB", "RGBA"),
        significant_bits=bits if depth == 16 and 0 < bits < 16 else 16,
        gamma=exponent if abs(exponent - 1) > 0.05 else 1.0,
        key=key,
        profile=profile,
        warnings=warnings,
    )


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of at most 16 bytes before the pixels, by name."""
    found, place = {}, 8
    while place + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        if name == b"IDAT":
            break
        if 0 < length <= 16:
            found[name] = data[place + 8 : place + 8 + length]
        place += 12 + length
    return found
