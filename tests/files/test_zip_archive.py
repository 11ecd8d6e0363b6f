"""A zip, read by its list of members: what it declares is checked first."""

import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ssgan.files.archive import PIECE, ArchiveError
from ssgan.files.zip_archive import list_zip, read_zip_member
from tests.files.limited import report_in_little_memory
from tests.files.packed import pack_zip

FILES = {"a.png": b"one", "b/ü.png": b"two" * 5000, "empty.png": b""}
CENTRAL = b"PK\x01\x02"


def read_all(path: Path) -> dict[str, bytes]:
    members = list_zip(path)
    return {m.name.decode(): b"".join(read_zip_member(path, m)) for m in members}


def refusal(path: Path, work: Callable[[Path], object] = list_zip) -> str:
    with pytest.raises(ArchiveError) as it:
        work(path)
    assert "\n" not in str(it.value)
    return str(it.value)


def edit(path: Path, place: int, form: str, *values: int) -> None:
    """Change the first entry of the list of members."""
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, data.index(CENTRAL) + place, *values)
    path.write_bytes(data)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_are_read_as_zipfile_reads_them(tmp_path: Path, method: int) -> None:
    path = pack_zip(tmp_path / "a.zip", {**FILES, "folder/": b""}, method)
    assert read_all(path) == FILES
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())  # as in an archive that unpacks itself
    assert read_all(path) == FILES


def test_a_million_members_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "a.zip", {"a.png": b""})
    data = path.read_bytes()
    start, end = data.index(CENTRAL), data.index(b"PK\x05\x06")
    entries = 1_000_000 * data[start:end]
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(entries), start, 0)
    path.write_bytes(data[:start] + entries + tail)  # it declares one
    text = report_in_little_memory(lambda: list_zip(path))
    assert text.startswith("ArchiveError: more than 300,000 members")


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "a.zip", {"a.png": b"a" * 1000, "b.png": b"b" * 1000})
    data = path.read_bytes()
    second = data.rindex(CENTRAL)
    path.write_bytes(data[: second + 42] + bytes(4) + data[second + 46 :])  # the first one's place
    assert "its members overlap" in refusal(path)


def test_sizes_that_lie_are_refused_or_rejected(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "a.zip", {"a.png": b"a" * 1000}, zipfile.ZIP_DEFLATED)
    edit(path, 24, "<L", 2**32 - 2)  # unpacked
    (member,) = list_zip(path)
    assert "that unpack to 4,294,967,294, as no image does" in member.reject
    edit(path, 24, "<L", 500)
    assert refusal(path, read_all) == "damaged: it unpacks to more than it declares"
    edit(path, 24, "<L", 2000)
    assert refusal(path, read_all) == "damaged: it does not match its checksum"
    edit(path, 20, "<L", 2**31)  # packed
    assert "lie outside the file" in refusal(path)
    path = pack_zip(path, {"a.png": b"a" * 1000})
    edit(path, 24, "<L", 2000)
    assert list_zip(path)[0].reject == "stored with two sizes"


def test_a_zip64_record_that_lies_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with (
        zipfile.ZipFile(path, "w") as archive,
        archive.open("a.png", "w", force_zip64=True) as file,
    ):
        file.write(b"abc")
    data = path.read_bytes()
    start, end = data.index(CENTRAL), data.index(b"PK\x05\x06")
    entry = bytearray(data[start:end])
    struct.pack_into("<LL", entry, 20, 2**32 - 1, 2**32 - 1)
    extra = struct.pack("<HHQQ", 1, 16, 2**62, 2**62)
    struct.pack_into("<H", entry, 30, len(extra))
    entry += extra
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(entry), start, 0)
    path.write_bytes(data[:start] + entry + tail)
    assert "lie outside the file" in refusal(path)


def test_encrypted_linked_and_oddly_compressed_members_are_rejected(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "a.zip", {"a.png": b"abc"})
    edit(path, 8, "<H", 1)
    assert list_zip(path)[0].reject == "encrypted"
    path = pack_zip(path, {"a.png": b"/etc/passwd"})
    edit(path, 40, "<H", 0o120777)
    assert list_zip(path)[0].reject == "a link"
    path = pack_zip(path, {"a.png": b"abc"}, zipfile.ZIP_LZMA)
    assert "not read; pack it with deflate" in list_zip(path)[0].reject


def test_a_member_without_a_name_is_a_member(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "a.zip", {"a": b"abc"})
    edit(path, 46, "<B", 0)  # zipfile ends a name at a zero byte
    assert [member.name for member in list_zip(path)] == [b""]


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "a.zip", {"a.png": b"abcdef"})
    path.write_bytes(path.read_bytes().replace(b"abcdef", b"abcdeg"))
    assert refusal(path, read_all) == "damaged: it does not match its checksum"
    path.write_bytes(path.read_bytes().replace(b"PK\x03\x04", b"PK\x03\x05"))
    assert refusal(path, read_all) == "the archive is damaged or has changed"


def test_a_cut_zip_is_said_to_be_one(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "a.zip", FILES)
    for size in (0, 10, 100, path.stat().st_size - 5):
        with open(path, "r+b") as file:
            file.truncate(size)
        assert "no whole zip file" in refusal(path)
        path = pack_zip(path, FILES)


def test_a_pipe_is_no_archive_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.zip")
    writer = os.open(tmp_path / "a.zip", os.O_RDWR)  # or else the old code would wait here
    with pytest.raises(OSError, match="it is no regular file"):
        list_zip(tmp_path / "a.zip")
    os.close(writer)


@pytest.mark.parametrize("more", [-1, 0, 1, 5, 100, 128, 300, 777])
@pytest.mark.parametrize("repeated", [b"\0", b"ab", bytes(range(256))])
def test_a_member_just_longer_than_a_piece_is_whole(
    tmp_path: Path, repeated: bytes, more: int
) -> None:
    data = (repeated * (2 * PIECE))[: 2 * PIECE + more]
    path = pack_zip(tmp_path / "a.zip", {"a.png": data}, zipfile.ZIP_DEFLATED)
    assert read_all(path) == {"a.png": data}
