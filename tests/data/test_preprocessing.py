"""Every picture is decoded rightly or rejected with a reason."""

import io
import threading
import time
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as search
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from ssgan.data.base import DecodedWithWarning, Rejected
from ssgan.data.preprocessing import ANIMATED, CUT, decode, from_array, quiet_pillow, read_header
from tests.data.mutated import little_memory
from tests.data.pictures import FORMATS, as_rgb, encode, noise, png, preprocessing, ramp, smooth


def pixels(
    data: bytes, size: int = 16, warnings: tuple[str, ...] = (), **settings: Any
) -> NDArray[np.int64]:
    result = decode("it", data, preprocessing(size, **settings))
    if warnings and isinstance(result, DecodedWithWarning):
        assert result.warnings == warnings
        result = result.pixels
    assert isinstance(result, np.ndarray), result
    assert result.dtype == np.uint8
    return result.astype(np.int64)


def rejected(data: bytes) -> str:
    result = decode("it", data, preprocessing())
    assert isinstance(result, Rejected), "was used"
    assert result.name == "it"
    assert result.reason.isprintable()
    return result.reason


# modes


GREY = Image.fromarray(ramp())
WIDE = (ramp().astype(np.uint16) * 257).astype("<u2")  # the same greys in 16 bits


RAMPS = {  # mode or format: (file, error allowed in levels of 255)
    "L": (encode(GREY, "PNG"), 0),
    "LA": (encode(GREY.convert("LA"), "PNG"), 0),
    "P": (encode(GREY.convert("P"), "PNG"), 0),
    "RGB": (encode(GREY.convert("RGB"), "PNG"), 0),
    "RGBA": (encode(GREY.convert("RGBA"), "PNG"), 0),
    "bmp": (encode(GREY.convert("RGB"), "BMP"), 0),
    "ppm": (encode(GREY.convert("RGB"), "PPM"), 0),
    "webp": (encode(GREY.convert("RGB"), "WEBP", lossless=True), 0),
    "gif": (encode(GREY, "GIF"), 0),
    "CMYK": (encode(GREY.convert("CMYK"), "TIFF"), 3),
    "cmyk-jpeg": (encode(GREY.convert("CMYK"), "JPEG", quality=100), 3),
    "jpeg": (encode(GREY.convert("RGB"), "JPEG", quality=100), 3),
    "YCbCr": (encode(GREY.convert("RGB").convert("YCbCr"), "TIFF"), 3),
    "I;16": (encode(Image.fromarray(WIDE), "PNG"), 0),
    "I;16L": (encode(Image.fromarray(WIDE), "TIFF"), 0),
    "I;16B": (encode(Image.frombytes("I;16B", (16, 16), WIDE.astype(">u2").tobytes()), "TIFF"), 0),
    "I": (encode(Image.fromarray(WIDE.astype(np.int32)), "TIFF"), 0),
    "pgm16": (encode(Image.fromarray(WIDE), "PPM"), 0),
}


@pytest.mark.parametrize("kind", RAMPS)
def test_a_ramp_of_greys_comes_out_as_the_same_greys(kind: str) -> None:
    data, tolerance = RAMPS[kind]
    assert np.abs(pixels(data) - as_rgb(ramp())).max() <= tolerance
    assert np.abs(pixels(data, channels=1)[..., 0] - ramp()).max() <= tolerance


def test_sixteen_bits_a_colour_are_scaled_not_cut() -> None:
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 65536, (16, 16, 3), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
    assert np.abs(pixels(png(16, 16, 16, 2, rows)) - wide / 257).max() <= 1


def test_lab_comes_out_as_the_colours_it_was_made_of() -> None:
    from PIL import ImageCms

    profiles = [ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
    picture = smooth(0, 16, 16).point(lambda value: value // 2 + 64)  # well within the gamut
    lab = ImageCms.profileToProfile(picture, *profiles, outputMode="LAB")
    assert lab is not None
    assert np.abs(pixels(encode(lab, "TIFF")) - np.asarray(picture)).max() <= 12


def test_one_bit_is_black_and_white() -> None:
    bits = np.random.default_rng(0).integers(0, 2, (16, 16)).astype(bool)
    for kind in ("PNG", "TIFF", "BMP"):
        data = encode(Image.fromarray(bits), kind)
        assert (pixels(data) == as_rgb(bits.astype(np.uint8) * 255)).all()


def test_floats_are_refused_by_name_and_so_are_large_integers() -> None:
    values = np.random.default_rng(0).random((16, 16)).astype(np.float32)
    assert "mode F" in rejected(encode(Image.fromarray(values), "TIFF"))
    large = np.full((16, 16), 70_000, np.int32)
    assert "0 to 65535" in rejected(encode(Image.fromarray(large), "TIFF"))


# transparency


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_hidden_colours_do_not_show_through(kind: str) -> None:
    rgba = np.random.default_rng(0).integers(0, 256, (16, 16, 4), dtype=np.uint8)
    settings: dict[str, Any] = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    data = encode(Image.fromarray(rgba), kind, **settings)
    alpha = rgba[..., 3:] / 255
    expected = rgba[..., :3] * alpha + np.array([10, 200, 90]) * (1 - alpha)
    assert np.abs(pixels(data, background=(10, 200, 90)) - expected).max() <= 1


@pytest.mark.parametrize(
    "data",
    [
        encode(GREY, "PNG", transparency=7),
        encode(GREY.convert("RGB"), "PNG", transparency=(7, 7, 7)),
        encode(GREY.convert("P"), "PNG", transparency=7),
        encode(GREY.convert("P"), "GIF", transparency=7),
        encode(Image.fromarray(WIDE), "PNG", transparency=7 * 257),
        encode(
            GREY.convert("P"), "PNG", transparency=bytes(0 if k == 7 else 255 for k in range(256))
        ),
    ],
    ids=["L", "RGB", "P", "gif", "I;16", "P-table"],
)
def test_a_transparent_colour_gives_way_to_the_background(data: bytes) -> None:
    expected = as_rgb(ramp()).astype(np.int64)
    expected[0, 7] = (1, 2, 3)
    assert (pixels(data, background=(1, 2, 3)) == expected).all()


def test_half_transparent_greys_are_blended() -> None:
    la = np.stack([ramp(), ramp()[::-1]], 2)
    alpha = la[..., 1:] / 255
    expected = la[..., :1] * alpha + np.array([250, 0, 40]) * (1 - alpha)
    data = encode(Image.fromarray(la), "PNG")
    assert np.abs(pixels(data, background=(250, 0, 40)) - expected).max() <= 1


# orientation: stored rows and columns by index arithmetic, not by the same library


STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[:, ::-1],
}


def tagged(array: NDArray[np.uint8], tag: Any, kind: str, **settings: Any) -> bytes:
    exif = Image.Exif()
    exif[274] = tag
    return encode(Image.fromarray(np.ascontiguousarray(array)), kind, exif=exif, **settings)


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize(("width", "height"), [(16, 16), (40, 25), (25, 40), (16, 21)])
def test_all_eight_orientations_are_the_same_upright_picture(
    tag: int, width: int, height: int
) -> None:
    upright = np.asarray(noise(1, width, height))
    expected = pixels(encode(Image.fromarray(upright), "PNG"))
    stored = STORED[tag](upright)
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        assert (pixels(tagged(stored, tag, kind, **options)) == expected).all(), kind


@pytest.mark.parametrize("tag", range(1, 9))
def test_the_orientation_of_a_jpeg_is_applied_also_when_it_is_decoded_smaller(tag: int) -> None:
    upright = np.asarray(smooth(2, 320, 201))
    expected = pixels(encode(Image.fromarray(upright), "PNG"))
    stored = STORED[tag](upright)
    assert (
        np.abs(pixels(tagged(stored, tag, "JPEG", quality=98, subsampling=0)) - expected).max() <= 3
    )


@pytest.mark.parametrize("tag", [0, 9, 1000])
def test_a_malformed_orientation_leaves_the_picture_as_it_is_and_is_said(tag: int) -> None:
    array = np.asarray(noise(1, 16, 16))
    result = decode("it", tagged(array, tag, "PNG"), preprocessing(16))
    assert isinstance(result, DecodedWithWarning)
    assert "orientation" in result.warnings[0]
    assert (result.pixels == array).all()


# size


def test_the_centre_square_is_taken_before_resizing() -> None:
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, 16:32] = np.asarray(noise(3, 16, 16))
    wide[:, :16], wide[:, 32:] = 255, 128
    for array in (wide, wide.swapaxes(0, 1)):
        data = encode(Image.fromarray(np.ascontiguousarray(array)), "PNG")
        expected = array[:, 16:32] if array.shape[1] == 48 else array[16:32]
        assert (pixels(data, warnings=(CUT.format(67),)) == expected).all()


def test_shrinking_averages_instead_of_picking_pixels() -> None:
    board = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    assert np.abs(pixels(encode(Image.fromarray(board), "PNG")) - 127.5).max() <= 2


def test_a_large_jpeg_decoded_smaller_is_near_the_full_decode() -> None:
    picture = smooth(4, 1024, 768)
    full = pixels(encode(picture, "PNG"))
    assert np.abs(pixels(encode(picture, "JPEG", quality=95)) - full).max() <= 3


def test_a_small_picture_is_enlarged() -> None:
    assert (
        np.ptp(pixels(encode(Image.new("RGB", (3, 2), (9, 8, 7)), "PNG")), axis=(0, 1)).max() == 0
    )


def test_decoded_arrays_follow_the_same_policy() -> None:
    array = np.asarray(noise(5, 32, 32))
    assert from_array(array, preprocessing(32)) is array
    for channels in (1, 3):
        by_file = pixels(encode(Image.fromarray(array), "PNG"), channels=channels)
        assert (from_array(array, preprocessing(16, channels)) == by_file).all()


# what cannot be used


def test_bombs_are_refused_from_the_header_at_once() -> None:
    bombs = [
        png(60_000, 60_000, 8, 2, b""),
        png(13_000, 13_000, 8, 2, bytes(1000)),
        encode(Image.new("1", (10_001, 10_000)), "TIFF", compression="group4"),
        b"P6 100001 1000 255\n",
    ]
    with quiet_pillow(), little_memory(20_000):
        for data in bombs:
            started = time.process_time()
            assert "100,000,000 pixels" in rejected(data)
            assert time.process_time() - started < 0.05


def test_a_long_animation_costs_no_more_than_its_first_frame() -> None:
    frame = encode(noise(0, 16, 16), "GIF")
    first = frame.index(b",", 13 + 3 * 256)
    data = frame[:-1] + frame[first:-1] * 8000 + b";"
    started = time.process_time()
    with little_memory(20_000):
        result = decode("it", data, preprocessing(16))
    assert time.process_time() - started < 0.05
    assert isinstance(result, DecodedWithWarning)
    assert result.warnings == (ANIMATED,)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_the_first_frame_of_several_is_used_and_that_is_said(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    settings: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **settings)
    result = decode("it", data, preprocessing(16))
    assert isinstance(result, DecodedWithWarning)
    assert result.warnings == (ANIMATED,)
    assert (result.pixels == (255, 0, 0)).all()
    assert isinstance(decode("it", encode(frames[0], kind), preprocessing(16)), np.ndarray)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_cut_short_is_never_used(kind: str, share: float) -> None:
    data = encode(noise(6, 64, 64), kind)
    rejected(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty file"),
        (b"<html>404</html>", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (b"\0" * 4096, "not an image"),
    ],
)
def test_what_is_no_image_is_said_to_be_none(data: bytes, words: str) -> None:
    assert words in rejected(data)


@search(max_examples=100, deadline=500)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"II*\0", b"GIF89a"]))
def test_any_bytes_end_in_pixels_or_a_reason(data: bytes, magic: bytes) -> None:
    with quiet_pillow():
        result = decode("it", magic + data, preprocessing(8))
    assert isinstance(result, np.ndarray | DecodedWithWarning | Rejected)


# Pillow's own settings


def test_no_setting_of_pillow_and_no_filter_of_warnings_is_changed() -> None:
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    with quiet_pillow():
        decode("it", encode(noise(8), "PNG"), preprocessing())
        decode("it", b"broken", preprocessing())
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def test_the_cap_is_ours_when_pillow_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert "100,000,000 pixels" in rejected(png(60_000, 60_000, 8, 2, b""))


def test_many_threads_decode_what_one_does() -> None:
    files = [encode(noise(k, 40, 30), kind) for k in range(10) for kind in ("PNG", "TIFF", "GIF")]
    alone = [pixels(data) for data in files]
    wrong: list[int] = []

    def work() -> None:
        for k, data in enumerate(files):
            if not (pixels(data) == alone[k]).all():
                wrong.append(k)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_header_tells_size_and_greyness_without_decoding() -> None:
    data = encode(noise(9, 50, 40), "PNG")
    assert read_header(data[:100] + b"rubbish") == (50, 40, False)
    assert read_header(encode(Image.new("L", (3, 4)), "PNG")) == (3, 4, True)
    with pytest.raises(Exception, match="cannot identify"):
        read_header(io.BytesIO(b"no").getvalue())
