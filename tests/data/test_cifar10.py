"""CIFAR-10's binary edition, from a folder or an archive that nobody needs to trust."""

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ssgan.data import cifar10
from ssgan.data.base import HeaderStats
from ssgan.data.cifar10 import CLASSES, FOLDER, Cifar10
from ssgan.data.prepare import prepare
from ssgan.data.sources import parse_source
from ssgan.types import UserError
from tests.data.pictures import preprocessing
from tests.files.limited import report_in_little_memory
from tests.files.packed import tar_bomb, tar_header

TRAIN = [f"data_batch_{k}.bin" for k in range(1, 6)]
PYTHON_EDITION = (  # in the order of its archive
    *("data_batch_4", "readme.html", "test_batch", "data_batch_3", "batches.meta"),
    *("data_batch_2", "data_batch_5", "data_batch_1"),
)


def records(seed: int, count: int = 20) -> NDArray[np.uint8]:
    out = np.random.default_rng(seed).integers(0, 256, (count, 3073), dtype=np.uint8)
    out[:, 0] %= 10
    return out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / FOLDER
    path.mkdir()
    for k, name in enumerate([*TRAIN, "test_batch.bin"]):
        (path / name).write_bytes(records(k, 20 + k).tobytes())
    return path


def pack(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def usual(folder: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    paths = sorted(folder.iterdir())
    return [(tarfile.TarInfo(f"{FOLDER}/{path.name}"), path.read_bytes()) for path in paths]


def test_planes_become_pixels_and_the_first_byte_the_label(folder: Path, tmp_path: Path) -> None:
    dataset = prepare(Cifar10(str(folder)), preprocessing(), tmp_path / "cache")
    whole = np.concatenate([records(k, 20 + k) for k in range(5)])
    assert dataset.labels is not None
    assert len(dataset) == 110
    for i in (0, 19, 20, 57, 109):
        assert dataset.labels[i] == whole[i, 0]
        for row, column, channel in ((0, 0, 0), (3, 5, 1), (31, 30, 2)):
            value = whole[i, 1 + 1024 * channel + 32 * row + column]
            assert dataset.images[i, row, column, channel] == value
    assert dataset.classes == CLASSES
    assert CLASSES[0] == "airplane"
    assert CLASSES[9] == "truck"


def test_folder_parent_and_archive_hold_the_same_images(folder: Path, tmp_path: Path) -> None:
    archive = pack(tmp_path / "cifar-10-binary.tar.gz", usual(folder))
    places = (folder, folder.parent, archive)
    hashes = {
        prepare(Cifar10(str(p)), preprocessing(), tmp_path / "c").content_hash for p in places
    }
    assert len(hashes) == 1


def test_the_test_split_is_another_set_with_another_name(folder: Path, tmp_path: Path) -> None:
    test = Cifar10(str(folder), "test")
    assert len(prepare(test, preprocessing(), tmp_path / "cache")) == 25
    assert test.name() == f"cifar10-test:{folder}"
    assert test.open().fingerprint() != Cifar10(str(folder)).open().fingerprint()
    # a TypeError where signatures are checked, before our own words
    with pytest.raises((UserError, TypeError), match=r"split must be train or test|'split'"):
        Cifar10(split="valid")  # type: ignore[arg-type]


def test_another_size_or_grey_is_resized(folder: Path, tmp_path: Path) -> None:
    collection = Cifar10(str(folder)).open()
    assert collection.header_stats() == HeaderStats(110, 32, False)
    (small,) = collection.read(range(1), preprocessing(16))
    (grey,) = collection.read(range(1), preprocessing(32, 1))
    assert small.shape == (16, 16, 3)
    colour = records(0)[0, 1:].reshape(3, 1024).T.reshape(32, 32, 3)
    assert np.abs(grey[..., 0] - colour @ [0.299, 0.587, 0.114]).max() <= 1


def test_a_missing_a_cut_and_a_foreign_file_are_named(folder: Path) -> None:
    path = folder / "data_batch_3.bin"
    data = path.read_bytes()

    def error() -> str:
        with pytest.raises(UserError) as it:
            Cifar10(str(folder)).open()
        assert "\n" not in str(it.value)
        return str(it.value)

    path.write_bytes(data[:-1])
    assert "data_batch_3.bin has 67,605 bytes, not a multiple of 3073" in error()
    path.write_bytes(b"")
    assert "has 0 bytes" in error()
    path.write_bytes(b"\x0a" + data[1:])
    assert "label 10 is not 0 to 9" in error()
    path.unlink()
    assert "data_batch_3.bin cannot be read (No such file or directory)" in error()


def test_nothing_at_the_path_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"nothing at {tmp_path}/no; give the folder {FOLDER}"):
        Cifar10(str(tmp_path / "no")).open()


def test_names_in_an_archive_never_become_paths(folder: Path, tmp_path: Path) -> None:
    evil = []
    for name in ("../evil", "/tmp/ssgan-evil", "C:\\evil", f"{FOLDER}/../../evil"):
        evil.append((tarfile.TarInfo(name), b"evil"))
    link = tarfile.TarInfo(f"{FOLDER}/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    archive = pack(tmp_path / "a.tar.gz", [*evil, (link, b""), *usual(folder)])
    before = sorted(tmp_path.rglob("*"))
    assert len(Cifar10(str(archive)).open()) == 110
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/ssgan-evil").exists()


def test_a_link_in_place_of_a_file_is_not_followed(folder: Path, tmp_path: Path) -> None:
    members = [m for m in usual(folder) if not m[0].name.endswith("data_batch_2.bin")]
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        link = tarfile.TarInfo(f"{FOLDER}/data_batch_2.bin")
        link.type, link.linkname = kind, f"{FOLDER}/data_batch_1.bin"
        archive = pack(tmp_path / "a.tar.gz", [*members, (link, b"")])
        with pytest.raises(UserError, match=r"data_batch_2\.bin is not in the archive"):
            Cifar10(str(archive)).open()


def test_hostile_archives_are_refused_by_their_headers(folder: Path, tmp_path: Path) -> None:
    big = tarfile.TarInfo(f"{FOLDER}/data_batch_1.bin")
    big.size = 2**40
    path = tmp_path / "big.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(big)
    with pytest.raises(UserError, match="not the archive of CIFAR-10"):
        Cifar10(str(path)).open()
    many = [(tarfile.TarInfo(f"{k}"), b"") for k in range(200)]
    with pytest.raises(UserError, match="not the archive of CIFAR-10"):
        Cifar10(str(pack(tmp_path / "many.tar.gz", many))).open()


def test_a_cut_archive_and_a_file_that_is_none_are_said_to_be_unreadable(
    folder: Path, tmp_path: Path
) -> None:
    data = pack(tmp_path / "a.tar.gz", usual(folder)).read_bytes()
    for some in (data[: len(data) // 2], data[:20], b"", b"hello" * 1000):
        (tmp_path / "b.tar.gz").write_bytes(some)
        with pytest.raises(UserError, match=r"the archive cannot be read|not in the archive"):
            Cifar10(str(tmp_path / "b.tar.gz")).open()


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_python_edition_is_recognised_and_refused(tmp_path: Path, split: Any) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in PYTHON_EDITION:
        (folder / name).write_bytes(b"\x80\x04.")
    first = np.random.default_rng(0).bytes(31_035_704 // 64) * 64  # as large, in a small archive
    data = [first, *((len(PYTHON_EDITION) - 1) * [b"\x80\x04."])]
    members = [
        (tarfile.TarInfo(f"{folder.name}/{name}"), part)
        for name, part in zip(PYTHON_EDITION, data, strict=True)
    ]
    archive = pack(tmp_path / "cifar-10-python.tar.gz", members)
    way = "stored as pickles, and a pickle may run code; give the binary edition"
    for place in (folder, tmp_path, archive):
        with pytest.raises(UserError, match=way):
            Cifar10(str(place), split).open()
    for text in (str(folder), str(archive)):
        with pytest.raises(UserError, match=way):
            parse_source(text).open()


@pytest.mark.parametrize("kind", [b"L", b"x", b"g"])
def test_a_header_of_gigabytes_is_refused_by_its_size(tmp_path: Path, kind: bytes) -> None:
    path = tar_bomb(tmp_path / "a.tar.gz", tar_header("././@LongLink", 1600 * 2**20, kind), 1600)
    text = report_in_little_memory(lambda: Cifar10(str(path)).open())
    assert "1,677,721,600 bytes; at most 65,536 are read" in text
    assert text.startswith("UserError: cifar10:")


def test_without_a_path_the_archive_is_fetched_to_the_cache_and_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path))
    monkeypatch.setenv("SSGAN_OFFLINE", "1")
    with pytest.raises(UserError, match=r"forbids downloads.*downloads/cifar-10-binary\.tar\.gz"):
        Cifar10().open()
    assert cifar10.URL.startswith("https://www.cs.toronto.edu/")
    assert len(cifar10.SHA256) == 64
