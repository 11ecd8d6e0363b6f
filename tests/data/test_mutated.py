"""Fuzzing: a mutated picture or container ends in pixels or a reason, and nothing else happens."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ssgan.data.archives import Archive
from ssgan.data.base import DecodedWithWarning, Rejected
from ssgan.data.npz import Npz
from ssgan.data.preprocessing import FORMATS as READ
from ssgan.data.preprocessing import decode, quiet_pillow
from ssgan.types import UserError
from tests.data.mutated import MUTANTS, count_outcomes
from tests.data.pictures import FORMATS, encode, noise, preprocessing
from tests.files.packed import pack_tar, pack_zip

PICTURE, WIDE = noise(7, 24, 20), np.arange(480, dtype=np.uint16).reshape(20, 24) * 136
EXIF = Image.Exif()
EXIF[274] = 6


def animation(kind: str) -> bytes:
    frames = [noise(k, 24, 20) for k in range(3)]
    return encode(frames[0], kind, save_all=True, append_images=frames[1:])


PICTURES: dict[str, Callable[[], bytes]] = {
    **{kind: lambda kind=kind: encode(PICTURE, kind) for kind in (*FORMATS, "PPM", "DIB")},
    "PBM": lambda: encode(PICTURE.convert("1"), "PPM"),
    "PGM of 16 bits": lambda: encode(Image.fromarray(WIDE), "PPM"),
    "JPEG with EXIF": lambda: encode(PICTURE, "JPEG", exif=EXIF),
    "JPEG, progressive": lambda: encode(PICTURE, "JPEG", progressive=True),
    "JPEG of inks": lambda: encode(PICTURE.convert("CMYK"), "JPEG"),
    "JPEG decoded smaller": lambda: encode(noise(8, 200, 180), "JPEG", quality=5),
    "PNG with EXIF": lambda: encode(PICTURE, "PNG", exif=EXIF),
    "PNG of 16 bits": lambda: encode(Image.fromarray(WIDE), "PNG"),
    "PNG with a palette": lambda: encode(PICTURE.quantize(16), "PNG", transparency=3),
    "PNG, animated": lambda: animation("PNG"),
    "WEBP without loss": lambda: encode(PICTURE.convert("RGBA"), "WEBP", lossless=True),
    "WEBP, animated": lambda: animation("WEBP"),
    "GIF, animated": lambda: animation("GIF"),
    "TIFF with EXIF": lambda: encode(PICTURE, "TIFF", exif=EXIF),
    "TIFF of 16 bits": lambda: encode(Image.fromarray(WIDE), "TIFF"),
    "TIFF with LZW": lambda: encode(PICTURE, "TIFF", compression="tiff_lzw"),
    "TIFF with Deflate": lambda: encode(PICTURE, "TIFF", compression="tiff_adobe_deflate"),
    "TIFF with JPEG": lambda: encode(PICTURE, "TIFF", compression="jpeg"),
    "TIFF of a fax": lambda: encode(PICTURE.convert("1"), "TIFF", compression="group4"),
    "TIFF of pages": lambda: animation("TIFF"),
    **({"HEIF": lambda: encode(PICTURE, "HEIF")} if "HEIF" in READ else {}),
}


def end_of(data: bytes) -> str:
    """`used` or `rejected`; anything but pixels or a printable reason fails."""
    result = decode("it", data, preprocessing(16))
    if isinstance(result, Rejected):
        assert result.reason.isprintable()
        return "rejected"
    array = result.pixels if isinstance(result, DecodedWithWarning) else result
    assert (array.shape, array.dtype) == ((16, 16, 3), np.uint8)
    return "used"


def test_every_format_that_is_read_is_mutated() -> None:
    found = set()
    for make in PICTURES.values():
        with Image.open(io.BytesIO(make())) as image:
            found.add(image.format)
    assert found == set(READ)


@pytest.mark.parametrize("name", PICTURES)
def test_three_hundred_mutants_of_each_format_end_in_pixels_or_a_reason(
    name: str, record_property: Any
) -> None:
    data = PICTURES[name]()
    with quiet_pillow():
        assert end_of(data) == "used"
        outcomes = count_outcomes(data, list(PICTURES).index(name), end_of)
    record_property("mutants of pictures", MUTANTS * len(PICTURES))
    assert outcomes["rejected"] > 10, outcomes
    assert outcomes.total() == MUTANTS


def write_npz(save: Callable[..., None]) -> Callable[[Path], None]:
    array = np.stack([np.asarray(noise(k, 16, 16)) for k in range(3)])
    return lambda path: save(path, array, np.array([0, 2, 1]))


FILES = {f"{name}.png": encode(noise(k, 24, 20), "PNG") for k, name in enumerate(("a/x", "b/y"))}
CONTAINERS: dict[str, tuple[type[Archive | Npz], Callable[[Path], object]]] = {
    "stored.zip": (Archive, lambda path: pack_zip(path, FILES)),
    "deflated.zip": (Archive, lambda path: pack_zip(path, FILES, 8)),
    "a.tar": (Archive, lambda path: pack_tar(path, FILES)),
    "a.tar.gz": (Archive, lambda path: pack_tar(path, FILES, "w:gz")),
    "a.tar.bz2": (Archive, lambda path: pack_tar(path, FILES, "w:bz2")),
    "stored.npz": (Npz, write_npz(np.savez)),
    "deflated.npz": (Npz, write_npz(np.savez_compressed)),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_three_hundred_mutants_of_each_container_end_in_pixels_or_a_reason(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    """The container is refused in a line, or each of its images is used or rejected."""
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "cache"))
    kind, write = CONTAINERS[name]
    path = tmp_path / name
    write(path)

    def read(data: bytes) -> str:
        path.write_bytes(data)
        refusal = ""
        try:
            collection = kind(str(path)).open()
        except UserError as error:
            refusal = str(error)
        assert refusal.isprintable()
        if refusal:
            return "refused"
        labels = collection.labels()
        assert labels is None or len(labels) == len(collection)
        assert all(label.isprintable() for label in collection.classes())
        results = list(collection.read(range(len(collection)), preprocessing(16)))
        assert len(results) == len(collection)
        for result in results:
            assert not isinstance(result, Rejected) or "".join(result).isprintable()
        return "rejected" if any(isinstance(one, Rejected) for one in results) else "used"

    data = path.read_bytes()
    assert read(data) == "used"
    outcomes = count_outcomes(data, list(CONTAINERS).index(name), read)
    record_property("mutants of containers", MUTANTS * len(CONTAINERS))
    assert outcomes["refused"] + outcomes["rejected"] > 10, outcomes
    assert outcomes.total() == MUTANTS
