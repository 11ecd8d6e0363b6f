"""A tar, read header by header: every form of name, and no header that takes memory."""

import tarfile
from pathlib import Path

import pytest

from ssgan.files.archive import ArchiveError
from ssgan.files.tar_archive import open_tar, parse_pax
from tests.files.limited import report_in_little_memory
from tests.files.packed import pack_tar, tar_bomb, tar_header

FILES = {
    "a.png": b"one",
    "b/" + "long" * 60 + ".png": b"two" * 400,
    "ü.png": b"",
    "c.png": b"x" * 512,
}


def read_all(path: Path) -> dict[str, bytes]:
    with open_tar(path) as tar:
        return {member.name.decode(): b"".join(tar.read(member.size)) for member in tar}


def refusal(path: Path) -> str:
    with pytest.raises(ArchiveError) as it:
        read_all(path)
    assert "\n" not in str(it.value)
    return str(it.value)


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2"])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_a_tar_is_read_as_tarfile_reads_it(
    tmp_path: Path, mode: str, form: int
) -> None:
    files = {
        name: data
        for name, data in FILES.items()
        if form != tarfile.USTAR_FORMAT or len(name) < 100
    }
    path = pack_tar(tmp_path / "a", files, mode, form)
    assert read_all(path) == files
    with tarfile.open(path) as archive:
        assert archive.getnames() == list(files)


def test_members_that_are_not_read_are_passed_over(tmp_path: Path) -> None:
    path = pack_tar(tmp_path / "a.tar", FILES)
    with open_tar(path) as tar:
        assert [member.name.decode() for member in tar] == list(FILES)


def test_folders_links_and_devices_are_no_files(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    kinds = [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
    path.write_bytes(b"".join(tar_header("a.png", 4096, kind) for kind in kinds))
    assert read_all(path) == {}


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
def test_a_header_of_gigabytes_is_refused_by_its_size(tmp_path: Path, kind: bytes) -> None:
    path = tar_bomb(tmp_path / "a.tar.gz", tar_header("././@LongLink", 1600 * 2**20, kind), 1600)
    assert path.stat().st_size < 2e6
    text = report_in_little_memory(lambda: read_all(path))
    assert text.startswith("ArchiveError: a long name or pax header of 1,677,721,600 bytes")


def test_a_chain_of_headers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(100_000 * tar_header("././@LongLink", 0, b"L"))
    assert refusal(path) == "more than 8 headers of one file"


def test_an_archive_of_repeated_bytes_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tar_bomb(tmp_path / "a.tar.gz", tar_header("a.mov", 1600 * 2**20), 1600)
    text = report_in_little_memory(lambda: read_all(path))
    assert text.startswith("ArchiveError: it unpacks to more than 200 times its size")


def test_a_cut_or_damaged_tar_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for mode in ("w:", "w:gz", "w:bz2"):
        data = pack_tar(path, FILES, mode).read_bytes()
        path.write_bytes(data[: len(data) // 3])
        assert "cut short" in refusal(path)
        with pytest.raises(ArchiveError, match="cut short"), open_tar(path) as tar:
            list(tar)  # without reading any
    path.write_bytes(tar_header("a.png", 10**15))
    assert refusal(path) == "the tar is cut short"
    path.write_bytes(b"hello" * 1000)
    assert refusal(path) == "no tar: no header at byte 0"
    good = tar_header("a.png", 0)
    path.write_bytes(good + good.replace(b"a.png", b"b.png"))
    assert refusal(path) == "a damaged tar: no header at byte 512"
    path.write_bytes(b"\xfd7zXZ\x00" + bytes(600))
    assert refusal(path) == "it is compressed by xz: unpack it and give the folder"


@pytest.mark.parametrize(
    "text", [b"9 path=ab", b"99 path=a\n", b"0 path=a\n", b"path=a\n", b"-9 a=b\n", b"8 pathab\n"]
)
def test_a_pax_header_without_its_form_is_refused(text: bytes) -> None:
    assert parse_pax(b"10 path=a\n12 size=123\n\0\0") == {b"path": b"a", b"size": b"123"}
    with pytest.raises(ArchiveError, match="pax header without its form"):
        parse_pax(text)
