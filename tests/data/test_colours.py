"""Values become the colours that their file names: by formulas over the raw samples.

No expected picture comes from Pillow: it is computed from the samples that the test wrote.
"""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ssgan.data.base import DecodedWithWarning, Rejected
from ssgan.data.decoding.colours import DARK, DISPLAY_RANGE, OTHER_COLOURS
from ssgan.data.decoding.profiles import UNUSED_PROFILE
from ssgan.data.preprocessing import decode, quiet_pillow
from ssgan.files.image_grid import save_png
from tests.data.pictures import as_rgb, encode, noise, png, preprocessing, ramp, smooth
from tests.data.raw_files import (
    cmyk_profile,
    encode_srgb,
    grey_profile,
    lab_to_srgb,
    rgb_profile,
    tiff,
    to_srgb,
)

SIZE = 16
RNG = np.random.default_rng(5)
TWELVE = RNG.integers(0, 4096, (SIZE, SIZE))  # 12 bits, grey and in colour
TWELVE.flat[:2] = 0, 4095
TWELVE_RGB = RNG.integers(0, 4096, (SIZE, SIZE, 3))
TWELVE_RGB.flat[:2] = 0, 4095


def decoded(data: bytes, **settings: Any) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    result = decode("it", data, preprocessing(SIZE, **settings))
    assert not isinstance(result, Rejected), result
    if isinstance(result, DecodedWithWarning):
        return result.pixels.astype(np.int64), result.warnings
    return result.astype(np.int64), ()


def refused(data: bytes) -> str:
    result = decode("it", data, preprocessing(SIZE))
    assert isinstance(result, Rejected)
    return result.reason


def scaled(values: NDArray[Any], low: int, high: int) -> NDArray[np.int64]:
    """Black at `low` and white at `high`, rounded, as RGB."""
    grey = np.floor((values.clip(low, high) - low) * 255 / (high - low) + 0.5).astype(np.int64)
    return as_rgb(grey) if grey.ndim == 2 else grey


def grey_tiff(values: NDArray[Any], kind: str = "<u2", photometric: int = 1, **tags: Any) -> bytes:
    size = np.dtype(kind).itemsize * 8
    named = {int(number[1:]): value for number, value in tags.items()}
    if kind[1] == "i":
        named[339] = (3, [2])
    big = kind[0] == ">"
    pixels = values.astype(kind).tobytes()
    return tiff(pixels, (SIZE, SIZE), size, photometric, big_endian=big, tags=named)


def colour_tiff(values: NDArray[Any], kind: str = "<u2", **tags: Any) -> bytes:
    named = {int(number[1:]): value for number, value in tags.items()}
    bits, samples = np.dtype(kind).itemsize * 8, values.shape[2]
    pixels, big = values.astype(kind).tobytes(), kind[0] == ">"
    return tiff(pixels, (SIZE, SIZE), bits, 2, samples, big_endian=big, tags=named)


def wide_png(values: NDArray[Any], **chunks: bytes) -> bytes:
    """A PNG of 16 bits, grey or RGB."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png(SIZE, SIZE, 16, 0 if values.ndim == 2 else 2, rows, **chunks)


def byte_png(values: NDArray[Any], **chunks: bytes) -> bytes:
    rows = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in values)
    return png(SIZE, SIZE, 8, 0 if values.ndim == 2 else 2, rows, **chunks)


def packed_twelve(values: NDArray[Any]) -> bytes:
    """Two samples in three bytes."""
    first, second = values.reshape(-1, 2).T
    parts = [first >> 4, (first & 15) << 4 | second >> 8, second & 255]
    return np.stack(parts, 1).astype(np.uint8).tobytes()


# ranges of samples


DEFLATED = tiff(
    zlib.compress(TWELVE.astype("<u2").tobytes()),
    (SIZE, SIZE),
    16,
    1,
    tags={259: (3, [8]), 281: (3, [4095])},
)
DEFLATED_RGB = tiff(
    zlib.compress(TWELVE_RGB.astype("<u2").tobytes()),
    (SIZE, SIZE),
    16,
    2,
    3,
    tags={259: (3, [8]), 281: (3, [4095] * 3)},
)
IMAGEJ = b"ImageJ=1.53t\nunit=micron\nmin=300.0\nmax=3000.5\n\0"
NAMED = {  # file and the picture that it means
    "tiff-12": (tiff(packed_twelve(TWELVE), (SIZE, SIZE), 12, 1), scaled(TWELVE, 0, 4095)),
    "tiff-max": (grey_tiff(TWELVE, _281=(3, [4095])), scaled(TWELVE, 0, 4095)),
    "tiff-max-big": (grey_tiff(TWELVE, ">u2", _281=(3, [4095])), scaled(TWELVE, 0, 4095)),
    "tiff-deflated": (DEFLATED, scaled(TWELVE, 0, 4095)),
    "tiff-deflated-rgb": (DEFLATED_RGB, scaled(TWELVE_RGB, 0, 4095)),
    "tiff-largest-present": (
        grey_tiff(TWELVE // 2, _280=(3, [9]), _281=(3, [2000])),
        scaled((TWELVE // 2), 0, 2047),
    ),
    "tiff-smax": (grey_tiff(TWELVE, _341=(3, [4095])), scaled(TWELVE, 0, 4095)),
    "tiff-32": (grey_tiff(TWELVE // 16, "<i4", _341=(9, [255])), scaled(TWELVE // 16, 0, 255)),
    "tiff-32-unsigned": (grey_tiff(TWELVE * 100, "<u4", _281=(4, [409_500])), None),
    "tiff-signed": (
        grey_tiff(TWELVE - 1000, "<i2", _340=(8, [-1000]), _341=(8, [3095])),
        scaled(TWELVE, 0, 4095),
    ),
    "tiff-rgb": (colour_tiff(TWELVE_RGB, _281=(3, [4095] * 3)), scaled(TWELVE_RGB, 0, 4095)),
    "tiff-rgb-big": (
        colour_tiff(TWELVE_RGB, ">u2", _281=(3, [4095] * 3)),
        scaled(TWELVE_RGB, 0, 4095),
    ),
    "imagej": (grey_tiff(TWELVE, _270=(2, IMAGEJ)), scaled(TWELVE, 300, 3001)),
    "png": (wide_png(TWELVE, sBIT=b"\x0c"), scaled(TWELVE, 0, 4095)),
    "png-rgb": (wide_png(TWELVE_RGB, sBIT=b"\x0c\x0c\x0c"), scaled(TWELVE_RGB, 0, 4095)),
    "pgm": (
        b"P5 16 16 4095\n" + TWELVE.astype(">u2").tobytes(),
        scaled(TWELVE, 0, 4095),
    ),
    "pgm-plain": (
        b"P2 16 16 4095\n" + b" ".join(b"%d" % value for value in TWELVE.flat),
        scaled(TWELVE, 0, 4095),
    ),
    "ppm": (b"P6 16 16 4095\n" + TWELVE_RGB.astype(">u2").tobytes(), scaled(TWELVE_RGB, 0, 4095)),
    "pgm-8": (
        b"P5 16 16 100\n" + (TWELVE % 101).astype("u1").tobytes(),
        scaled(TWELVE % 101, 0, 100),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMED)
def test_the_range_that_a_file_names_is_black_to_white(kind: str) -> None:
    data, expected = NAMED[kind]
    if expected is None:  # 409,500 needs 19 bits
        expected = scaled(TWELVE * 100, 0, 2**19 - 1)
    found, warnings = decoded(data)
    rounded_twice = 1 if kind.startswith("p") and "g" in kind[:2] and kind != "png" else 0
    assert np.abs(found - expected).max() <= rounded_twice
    assert warnings == ((DISPLAY_RANGE,) if kind == "imagej" else ())


FULL = RNG.integers(0, 65536, (SIZE, SIZE))


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (wide_png(FULL, sBIT=b"\x0c"), FULL),  # 12 bits on top, as PNG requires
        (wide_png((TWELVE >> 4) << 4, sBIT=b"\x0c"), (TWELVE >> 4) << 4),  # the same, and dark
        (grey_tiff(FULL, _281=(3, [4095])), FULL),  # refuted by its own values
        (grey_tiff(FULL, _281=(3, [65535])), FULL),
        (grey_tiff(FULL, _270=(2, b"ImageJ=1\nmin=0\nmax=0\n\0")), FULL),
        (grey_tiff(FULL, _270=(2, b"a scan\nmin=0\nmax=9\n\0")), FULL),
        (grey_tiff(FULL, "<i4", _281=(4, [2**31 - 1])), FULL),
    ],
)
def test_a_range_that_is_none_leaves_the_values(data: bytes, values: NDArray[Any]) -> None:
    assert (decoded(data)[0] == scaled(values, 0, 65535)).all()


@pytest.mark.parametrize(
    "data",
    [
        grey_tiff(TWELVE),
        grey_tiff(TWELVE * 4, ">u2"),
        grey_tiff(TWELVE // 16, "<i4"),
        grey_tiff(TWELVE, "<u4", _281=(4, [2**32 - 1])),
        grey_tiff(TWELVE, "<i4", _340=(9, [-(2**31)]), _341=(9, [2**31 - 1])),
        wide_png(TWELVE),
        wide_png(TWELVE_RGB),
        colour_tiff(TWELVE_RGB),
        encode(Image.fromarray(TWELVE.astype(np.uint16)), "PPM"),
    ],
)
def test_dark_values_without_a_range_are_used_and_said(data: bytes) -> None:
    found, warnings = decoded(data)
    assert found.max() <= 64
    assert warnings == (DARK,)


def test_bright_and_all_black_pictures_are_not_called_dark() -> None:
    night = b"P5 16 16 4095\n" + (TWELVE // 16).astype(">u2").tobytes()
    assert decoded(night)[1] == ()  # its range is known
    for values in (FULL, TWELVE * 5, TWELVE * 0):
        assert decoded(grey_tiff(values))[1] == ()
        assert decoded(wide_png(np.stack([values] * 3, 2)))[1] == ()


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("white_is_zero", [True, False])
@pytest.mark.parametrize("big_endian", [True, False])
def test_zero_is_white_where_the_file_says_so(
    bits: int, white_is_zero: bool, big_endian: bool
) -> None:
    values = RNG.integers(0, 2**bits, (SIZE, SIZE))
    if bits == 16:
        pixels = values.astype(">u2" if big_endian else "<u2").tobytes()
    else:
        every = (values[..., None] >> np.arange(bits)[::-1]) & 1
        pixels = np.packbits(every.astype(np.uint8)).tobytes()
    data = tiff(pixels, (SIZE, SIZE), bits, 1 - white_is_zero, big_endian=big_endian)
    if bits == 16 and white_is_zero and big_endian:
        assert "not an image" in refused(data)  # Pillow does not read it
        return
    values = 2**bits - 1 - values if white_is_zero else values
    assert (decoded(data)[0] == scaled(values, 0, 2**bits - 1)).all()


def test_white_is_zero_in_compressed_files_too() -> None:
    picture = Image.fromarray(FULL.astype(np.uint16))
    data = encode(picture, "TIFF", compression="tiff_adobe_deflate", tiffinfo={262: 0})
    assert (decoded(data)[0] == scaled(65535 - FULL, 0, 65535)).all()


def test_what_pillow_would_decode_wrongly_is_refused_with_the_reason() -> None:
    signed = tiff(bytes(SIZE * SIZE), (SIZE, SIZE), 8, 1, tags={339: (3, [2])})
    assert "signed samples of 8 bits" in refused(signed)
    planes = np.moveaxis(TWELVE_RGB, 2, 0).astype("<u2").tobytes()
    assert "separate planes" in refused(tiff(planes, (SIZE, SIZE), 16, 2, 3, planar=True))
    chroma = tiff(bytes(SIZE * SIZE * 3 // 2), (SIZE, SIZE), 8, 6, 3) + bytes(SIZE * SIZE * 2)
    assert "YCbCr" in refused(chroma)
    assert "no range in the file" in refused(grey_tiff(TWELVE - 9, "<i2"))


def test_planes_of_eight_bits_and_extra_channels_give_their_colours() -> None:
    values = RNG.integers(0, 256, (SIZE, SIZE, 5))
    planes = np.moveaxis(values[..., :3], 2, 0).astype(np.uint8).tobytes()
    assert (decoded(tiff(planes, (SIZE, SIZE), 8, 2, 3, planar=True))[0] == values[..., :3]).all()
    assert (decoded(colour_tiff(values, "|u1", _338=(3, [0, 0])))[0] == values[..., :3]).all()


@pytest.mark.parametrize("kind", ["|u1", "<u2", ">u2"])
def test_premultiplied_colours_are_laid_over_the_background(kind: str) -> None:
    top = 2 ** (8 * np.dtype(kind).itemsize) - 1
    alpha = RNG.integers(0, top + 1, (SIZE, SIZE, 1))
    colours = np.rint(RNG.random((SIZE, SIZE, 3)) * alpha)
    data = colour_tiff(np.concatenate([colours, alpha], 2), kind, _338=(3, [1]))
    expected = colours * 255 / top + np.array([10, 200, 90]) * (1 - alpha / top)
    assert np.abs(decoded(data, background=(10, 200, 90))[0] - expected).max() <= 3


def test_what_ssgan_writes_is_read_back_bit_by_bit(tmp_path: Path) -> None:
    for pixels in (COLOURS, ramp()):
        save_png(tmp_path / "it.png", Image.fromarray(pixels))
        channels = 3 if pixels.ndim == 3 else 1
        found, warnings = decoded((tmp_path / "it.png").read_bytes(), channels=channels)
        assert (found == pixels.reshape(SIZE, SIZE, channels)).all()
        assert warnings == ()


# transparent colours


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_transparent_grey_of_few_bits_gives_way_to_the_background(depth: int) -> None:
    values = RNG.integers(0, 2**depth, (SIZE, SIZE))
    every = (values[..., None] >> np.arange(depth)[::-1]) & 1
    packed = np.packbits(every.reshape(SIZE, -1).astype(np.uint8), axis=1)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    data = png(SIZE, SIZE, depth, 0, rows, tRNS=struct.pack(">H", 1))
    expected = np.where((values == 1)[..., None], (1, 2, 3), scaled(values, 0, 2**depth - 1))
    assert (decoded(data, background=(1, 2, 3))[0] == expected).all()


def test_a_transparent_colour_of_sixteen_bits_is_that_colour_alone() -> None:
    values = np.stack([FULL] * 3, 2)
    values[3] = values[0, 0] ^ (0, 0, 1)  # the same upper bytes
    key = struct.pack(">3H", *values[0, 0].tolist())
    found = decoded(wide_png(values, tRNS=key), background=(1, 2, 3))[0]
    assert found[0, 0].tolist() == [1, 2, 3]
    rest = np.ones((SIZE, SIZE), bool)
    rest[(values == values[0, 0]).all(2)] = False
    assert rest[3].all()
    assert np.abs(found - values / 257)[rest].max() <= 1


# gamma and PNG's other words on colours


LINEAR = struct.pack(">I", 100_000)  # sample = light ** 1


@pytest.mark.parametrize("exponent", [1.0, 1 / 1.8])
def test_the_gamma_of_a_png_is_made_that_of_srgb(exponent: float) -> None:
    chunk = struct.pack(">I", round(exponent * 100_000))
    colours = RNG.integers(0, 256, (SIZE, SIZE, 3))
    for values in (ramp(), colours):
        expected = 255 * (values / 255) ** (1 / 2.2 / exponent)
        expected = as_rgb(expected) if values.ndim == 2 else expected
        assert np.abs(decoded(byte_png(values, gAMA=chunk))[0] - expected).max() <= 0.51
    expected = 255 * (FULL / 65535) ** (1 / 2.2 / exponent)
    found = decoded(wide_png(FULL, gAMA=chunk))[0]
    assert np.abs(found - as_rgb(expected)).max() <= 0.51


def test_usual_gammas_and_the_srgb_chunk_change_nothing() -> None:
    plain = decoded(byte_png(ramp()))
    for chunks in (
        {"gAMA": struct.pack(">I", 45455)},
        {"sRGB": b"\0", "gAMA": LINEAR},
        {"gAMA": bytes(4)},
        {"cICP": b"\1\x0d\0\1"},
        {"sBIT": b"\x08"},
        {"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)},
    ):
        found, warnings = decoded(byte_png(ramp(), **chunks))
        assert (found == plain[0]).all()
        assert warnings == ()


def test_colours_that_only_png_chunks_describe_are_said() -> None:
    wide = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    for chunks in ({"cHRM": wide}, {"cICP": b"\x09\x10\0\1"}):
        assert decoded(byte_png(ramp(), **chunks))[1] == (OTHER_COLOURS,)


# profiles


PROFILES = {"p3": ("p3", 2.2), "adobe": ("adobe", 2.19921875), "linear": ("srgb", 1.0)}
COLOURS = np.asarray(noise(3, SIZE, SIZE))


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_colour_profile_becomes_srgb(name: str, kind: str) -> None:
    settings = {"lossless": True} if kind == "WEBP" else {}
    profile = rgb_profile(*PROFILES[name])
    data = encode(Image.fromarray(COLOURS), kind, icc_profile=profile, **settings)
    expected = to_srgb(*PROFILES[name], COLOURS)
    found, warnings = decoded(data)
    assert np.abs(found - expected).max() <= 1.1
    assert np.abs(found - COLOURS).max() >= 10  # and that is not what is stored
    assert warnings == ()


@pytest.mark.parametrize("width", [16, 400])  # decoded whole, and at an eighth
def test_the_profile_of_a_jpeg_is_applied_at_every_scale(width: int) -> None:
    picture = smooth(2, width, width).point(lambda value: value // 4 + 96)  # within the gamut
    profile = rgb_profile("adobe", 2.19921875)
    plain = decoded(encode(picture, "JPEG", quality=98, subsampling=0))[0]
    given = encode(picture, "JPEG", quality=98, subsampling=0, icc_profile=profile)
    assert np.abs(decoded(given)[0] - to_srgb("adobe", 2.19921875, plain)).max() <= 4
    grey = decoded(given, channels=1)[0][..., 0]
    expected = to_srgb("adobe", 2.19921875, plain) @ (0.299, 0.587, 0.114)
    assert np.abs(grey - expected).max() <= 4


def test_palettes_greys_and_transparent_colours_follow_the_profile() -> None:
    profile, wanted = rgb_profile("adobe", 2.2), ("adobe", 2.2)
    palette = Image.fromarray(COLOURS).quantize(64)
    found = decoded(encode(palette, "PNG", icc_profile=profile))[0]
    stored = np.asarray(palette.getpalette()).reshape(-1, 3)[np.asarray(palette)]
    assert np.abs(found - to_srgb(*wanted, stored)).max() <= 1.1
    grey = decoded(encode(Image.fromarray(ramp()), "PNG", icc_profile=profile))[0]
    assert np.abs(grey - to_srgb(*wanted, as_rgb(ramp()))).max() <= 1.1
    alpha = ramp()[..., None] / 255
    rgba = np.dstack([COLOURS, ramp()])
    expected = to_srgb(*wanted, COLOURS) * alpha + np.array([250, 0, 40]) * (1 - alpha)
    found = decoded(
        encode(Image.fromarray(rgba), "PNG", icc_profile=profile), background=(250, 0, 40)
    )[0]
    assert np.abs(found - expected).max() <= 2


@pytest.mark.parametrize("kind", ["L", "LA", "I;16"])
def test_a_grey_profile_becomes_srgb(kind: str) -> None:
    pixels: NDArray[Any] = ramp()
    if kind == "LA":
        pixels = np.dstack([ramp(), np.full_like(ramp(), 255)])
    if kind == "I;16":
        pixels = ramp().astype(np.uint16) * 257
    data = encode(Image.fromarray(pixels), "PNG", icc_profile=grey_profile(1.0))
    expected = as_rgb(encode_srgb(ramp() / 255))
    assert np.abs(decoded(data)[0] - expected).max() <= 1.1
    assert np.abs(decoded(data, channels=1)[0] - expected[..., :1]).max() <= 1.1


def test_a_profile_of_inks_becomes_srgb() -> None:
    corners = RNG.random((2, 2, 2, 2, 3)) * (60, 60, 60) + (20, -30, -30)
    corners[0, 0, 0, 0], corners[1, 1, 1], corners[..., 1, :] = (100, 0, 0), 0, 0
    on = RNG.integers(0, 2, (SIZE, SIZE, 4))
    inks = Image.frombytes("CMYK", (SIZE, SIZE), (on * 255).astype(np.uint8).tobytes())
    profile = cmyk_profile(corners)
    expected = lab_to_srgb(corners[tuple(np.moveaxis(on, 2, 0))])
    found, warnings = decoded(encode(inks, "TIFF", icc_profile=profile))
    assert np.abs(found - expected).max() <= 3
    assert warnings == ()
    solid = Image.new("CMYK", (SIZE, SIZE), (255, 0, 255, 0))
    found = decoded(encode(solid, "JPEG", quality=100, icc_profile=profile))[0]
    assert np.abs(found - lab_to_srgb(corners[1, 0, 1, 0])).max() <= 3


def test_inks_without_a_profile_are_stored_as_ink_in_tiff_and_inverted_in_adobes_jpeg() -> None:
    inks = RNG.integers(0, 256, (SIZE, SIZE, 4))
    picture = Image.frombytes("CMYK", (SIZE, SIZE), inks.astype(np.uint8).tobytes())
    expected = (255 - inks[..., :3]) * (255 - inks[..., 3:]) / 255
    assert np.abs(decoded(encode(picture, "TIFF"))[0] - expected).max() <= 1
    jpeg = encode(picture, "JPEG", quality=100)
    assert b"Adobe" in jpeg
    assert np.abs(decoded(jpeg)[0] - expected).max() <= 6


def test_srgb_profiles_keep_every_bit() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("PNG", "JPEG", "TIFF", "WEBP"):
        for picture in (smooth(1, 300, 200), smooth(1, 300, 200).convert("L")):
            found, warnings = decoded(encode(picture, kind, icc_profile=profile))
            assert (found == decoded(encode(picture, kind))[0]).all()
            assert warnings == ()


def test_an_earlier_decoding_leaves_all_of_this_out() -> None:
    """A run that began on such pixels continues on them."""
    profile = rgb_profile("adobe", 2.2)
    with_profile = encode(Image.fromarray(COLOURS), "PNG", icc_profile=profile)
    assert (decoded(with_profile, decoding=1)[0] == COLOURS).all()
    dark = grey_tiff(TWELVE, photometric=0, _281=(3, [4095]))
    assert (decoded(dark, decoding=1)[0] == scaled(TWELVE, 0, 65535)).all()


def unusable_profiles() -> dict[str, bytes]:
    good = rgb_profile("adobe", 2.2)
    return {
        "text": b"no profile at all",
        "cut": good[:200],
        "grey for colours": grey_profile(1.0),
        "inks for colours": cmyk_profile(np.zeros((2, 2, 2, 2, 3))),
        "tags beyond its end": good[:132] + b"\xff" * 12 * 9 + good[240:],
        "too large": good + bytes(2**22),
    }


@pytest.mark.parametrize("kind", unusable_profiles())
def test_an_unusable_profile_leaves_the_colours_and_is_said(kind: str) -> None:
    data = encode(Image.fromarray(COLOURS), "TIFF", icc_profile=unusable_profiles()[kind])
    found, warnings = decoded(data)
    assert (found == COLOURS).all()
    assert warnings == (UNUSED_PROFILE,)


MUTATED = {
    "tiff": NAMED["tiff-signed"][0],
    "tiff-rgb": NAMED["tiff-rgb"][0],
    "imagej": NAMED["imagej"][0],
    "png": wide_png(TWELVE_RGB, sBIT=b"\x0c\x0c\x0c", gAMA=LINEAR, cICP=b"\1\x0d\0\1"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", MUTATED)
def test_what_a_file_says_of_its_values_never_makes_it_damaged(kind: str) -> None:
    """Three hundred mutants of the header: what an earlier decoding could use, this one can."""
    rng, good = np.random.default_rng(1), MUTATED[kind]
    used = 0
    for _ in range(300):
        data = bytearray(good)
        for _ in range(int(rng.integers(1, 4))):
            data[int(rng.integers(8, 260))] = int(rng.choice([0, 1, 2, 127, 255]))
        if kind == "png":
            data = with_checksums(data)
        with quiet_pillow():
            before = decode("it", bytes(data), preprocessing(SIZE, decoding=1))
            after = decode("it", bytes(data), preprocessing(SIZE))
        if isinstance(after, Rejected) and after.reason.startswith("damaged"):
            assert isinstance(before, Rejected), after.reason
        used += not isinstance(after, Rejected)
    assert used > 20


def with_checksums(data: bytearray) -> bytearray:
    """A PNG whose checksums are right again, as far as its chunks can be followed."""
    place = 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        end = place + 8 + length
        if end + 4 > len(data):
            break
        struct.pack_into(">I", data, end, zlib.crc32(data[place + 4 : end]))
        place = end + 4
    return data


@pytest.mark.slow
def test_three_hundred_mutants_of_a_profile_end_in_pixels() -> None:
    rng, inks = np.random.default_rng(0), Image.new("CMYK", (16, 16))
    for good in (rgb_profile("p3", 2.2), cmyk_profile(np.full((2, 2, 2, 2, 3), 50.0))):
        picture = Image.fromarray(COLOURS) if good[16:20] == b"RGB " else inks
        for _ in range(150):
            profile = bytearray(good)
            for _ in range(int(rng.integers(1, 8))):
                profile[int(rng.integers(len(profile)))] = int(rng.integers(256))
            found, _ = decoded(encode(picture, "TIFF", icc_profile=bytes(profile)))
            assert found.shape == (16, 16, 3)
