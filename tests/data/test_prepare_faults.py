"""A preparation that is killed, run twice at once, or out of room ends in the same bytes."""

import contextlib
import os
import time
from pathlib import Path

import pytest

from ssgan.data import prepare as module
from ssgan.data.base import AbstractSource
from ssgan.data.prepare import prepare
from ssgan.files import atomic
from ssgan.files.atomic import DiskFull
from ssgan.files.locks import wait_for_lock
from tests.data.numbered import KEPT, Numbers, tree
from tests.data.pictures import preprocessing


def run_killed(source: AbstractSource, cache: Path, at: str) -> int:
    """Prepare in a child that dies when the file name or point `at` is reached."""
    child = os.fork()
    if child == 0:
        code = 0
        try:
            real = os.replace
            count = 0

            def replace(old: Path, new: Path) -> None:
                nonlocal count
                real(old, new)
                count += 1
                if at in (str(count), new.name):
                    os._exit(9)

            atomic.os.replace = replace
            prepare(source, preprocessing(4), cache, workers=1)
        except BaseException:
            code = 3
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("at", ["1", "2", "20", "37", "images.npy", "labels.npy", "manifest.json"])
def test_a_killed_preparation_goes_on_with_the_pieces_it_has(tmp_path: Path, at: str) -> None:
    log = tmp_path / "log"
    source = Numbers(log=str(log))
    reference = prepare(Numbers(), preprocessing(4), tmp_path / "reference")
    assert run_killed(source, tmp_path / "cache", at) == 9
    before = log.read_text().split()
    pieces = 38  # of 8 items
    assert len(before) == min(300, 8 * (int(at) if at.isdecimal() else pieces))
    dataset = prepare(source, preprocessing(4), tmp_path / "cache")
    assert sorted(map(int, log.read_text().split())) == list(range(300))  # none twice
    assert dataset.content_hash == reference.content_hash
    assert tree(tmp_path / "cache") == tree(tmp_path / "reference")


def test_a_damaged_piece_is_made_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    source = Numbers(log=str(log))
    assert run_killed(source, tmp_path / "cache", "6") == 9
    (partial,) = (tmp_path / "cache").glob("*.partial")
    pieces = sorted(partial.glob("chunk-*"))
    assert len(pieces) == 6
    data = bytearray(pieces[1].read_bytes())
    data[-1] ^= 1
    pieces[1].write_bytes(data)
    os.truncate(pieces[2], 40)
    os.truncate(pieces[3], 0)
    pieces[4].write_bytes(pieces[5].read_bytes()[::-1])
    (partial / ".writing-dead.tmp").touch()
    dataset = prepare(source, preprocessing(4), tmp_path / "cache")
    reference = prepare(Numbers(), preprocessing(4), tmp_path / "reference")
    assert dataset.content_hash == reference.content_hash
    assert len(log.read_text().split()) == 300 + 4 * 8
    assert tree(tmp_path / "cache") == tree(tmp_path / "reference")


def test_of_two_at_once_one_works_and_the_other_waits_for_it(tmp_path: Path) -> None:
    log, waited = tmp_path / "log", tmp_path / "waited"
    source = Numbers(log=str(log))
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            code = 1
            with contextlib.suppress(BaseException):
                dataset = prepare(
                    source, preprocessing(4), tmp_path / "cache", on_wait=waited.touch
                )
                code = 0 if len(dataset) == len(KEPT) else 2
            os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0, 0, 0]
    assert len(log.read_text().split()) == 300
    assert not list((tmp_path / "cache").glob("*.partial"))


def test_waiting_is_said_and_ends_when_the_holder_dies(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with wait_for_lock(tmp_path / "lock"):
            os.write(writer, b"x")
            time.sleep(0.2)
            os._exit(9)  # without leaving the block
    os.read(reader, 1)
    said: list[str] = []
    with wait_for_lock(tmp_path / "lock", lambda: said.append("waiting")):
        assert said == ["waiting"]
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)


def test_a_disk_without_room_is_said_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    monkeypatch.setattr(module, "free_bytes", lambda folder: 30_000)
    with pytest.raises(DiskFull, match=r"disk full: .*numbers.* bytes, but only 30,000"):
        prepare(Numbers(log=str(log)), preprocessing(4), tmp_path / "cache")
    assert not log.exists()


def test_a_disk_that_fills_up_ends_the_preparation_and_it_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, written = os.write, 0

    def write(descriptor: int, data: bytes) -> int:
        nonlocal written
        written += len(data)
        if written > 5_000:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "write", write)
        with pytest.raises(DiskFull):
            prepare(Numbers(), preprocessing(4), tmp_path / "cache", workers=2)
    reference = prepare(Numbers(), preprocessing(4), tmp_path / "reference")
    assert (
        prepare(Numbers(), preprocessing(4), tmp_path / "cache").content_hash
        == reference.content_hash
    )
    assert tree(tmp_path / "cache") == tree(tmp_path / "reference")


def test_an_interrupt_stops_all_workers_soon(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    big = Numbers(count=60_000, log=str(log))
    with pytest.raises(KeyboardInterrupt):
        prepare(big, preprocessing(4), tmp_path / "cache", interrupt, workers=2)
    assert len(log.read_text().split()) < 50_000


def test_progress_ends_at_all_items(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    prepare(Numbers(), preprocessing(4), tmp_path, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (300, 300)
    assert seen == sorted(seen)
