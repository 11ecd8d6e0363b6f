"""Files are whole or not at all, whenever the writer dies."""

import errno
import os
import resource
from pathlib import Path

import pytest

from ssgan.files import atomic
from ssgan.files.atomic import DiskFull, open_atomic, remove_strays, write_atomic, write_json

OLD, NEW = b"old" * 20_000, b"new" * 30_000


def points(path: Path, data: bytes) -> list[str]:
    seen: list[str] = []
    write_atomic(path, data, seen.append)
    return seen


def test_the_points_are_named_in_order_and_every_16_kib_has_one(tmp_path: Path) -> None:
    wrote = [f"wrote:{min(n, len(NEW))}" for n in range(16384, len(NEW) + 16384, 16384)]
    expected = ["opened", *wrote, "synced", "renamed", "folder-synced"]
    assert points(tmp_path / "file", NEW) == expected
    assert (tmp_path / "file").read_bytes() == NEW


def test_killed_at_any_point_the_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    seen = points(path, NEW)
    for last in seen:
        write_atomic(path, OLD)

        def die(point: str, last: str = last) -> None:
            if point == last:
                os._exit(9)

        child = os.fork()
        if child == 0:
            write_atomic(path, NEW, die)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        expected = NEW if last in ("renamed", "folder-synced") else OLD
        assert path.read_bytes() == expected, last
        strays = remove_strays(tmp_path)
        assert len(strays) == (expected is OLD)
        assert os.listdir(tmp_path) == ["file"]


def test_an_error_at_any_point_leaves_no_stray_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for last in points(path, NEW):

        def fail(point: str, last: str = last) -> None:
            if point == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_atomic(path, NEW, fail)
        assert os.listdir(tmp_path) == ["file"]


def test_write_comes_before_fsync_before_rename_before_fsync_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def watch(name: str) -> None:
        real = getattr(os, name)

        def called(*arguments: object) -> object:
            of_folder = name == "fsync" and os.path.isdir(f"/proc/self/fd/{arguments[0]}")
            calls.append(f"{name} folder" if of_folder else name)
            return real(*arguments)

        monkeypatch.setattr(atomic.os, name, called)

    for name in ("write", "fsync", "replace"):
        watch(name)
    write_atomic(tmp_path / "file", b"short")
    assert calls == ["write", "fsync", "replace", "fsync folder"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk full: .*file needs {} bytes, but only .* free"),
        (errno.EDQUOT, "quota used up: .*file needs {} bytes, and your quota on this disk"),
        (errno.EFBIG, "file too large: .*file needs {} bytes, and "),
    ],
)
def test_no_room_is_said_in_words_of_its_own_and_the_old_file_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    path = tmp_path / "file"
    write_atomic(path, OLD)

    def full(*_: object) -> int:
        raise OSError(number, "no room")

    monkeypatch.setattr(atomic.os, "write", full)
    with pytest.raises(DiskFull, match=words.format(f"{len(NEW):,}")) as it:
        write_atomic(path, NEW)
    assert it.value.needed == len(NEW)
    assert it.value.free > 0
    assert path.read_bytes() == OLD
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_size_limit_is_a_full_disk_for_real(tmp_path: Path) -> None:
    path = tmp_path / "file"
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            write_atomic(path, NEW)
        except DiskFull:
            os._exit(7 if os.listdir(tmp_path) == [] else 8)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_other_errors_come_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "missing" / "file", b"")


def test_a_file_written_in_pieces_has_all_of_them_and_usual_rights(tmp_path: Path) -> None:
    with open_atomic(tmp_path / "file") as file:
        file.write(b"one ")
        file.write(memoryview(b"two"))
        assert file.written == 7
        assert not (tmp_path / "file").exists()
    assert (tmp_path / "file").read_bytes() == b"one two"
    (tmp_path / "plain").touch()
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_json_is_ascii_whatever_the_names_and_refuses_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "\udcff é"})
    assert (tmp_path / "a.json").read_bytes() == b'{\n  "name": "\\udcff \\u00e9"\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "b.json", float("nan"))
    assert os.listdir(tmp_path) == ["a.json"]
