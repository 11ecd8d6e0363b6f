"""Processes that prepare the same images share the pieces, and end in the same bytes."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest

from ssgan.data import pieces as module
from ssgan.data.base import Progress
from ssgan.data.dataset import Dataset
from ssgan.data.prepare import prepare
from ssgan.files.locks import claim
from ssgan.types import UserError
from tests.data.numbered import Numbers, tree
from tests.data.pictures import preprocessing


def prepare_numbers(
    cache: Path, log: Path | None = None, progress: Progress | None = None
) -> Dataset:
    source = Numbers(log=None if log is None else str(log))
    return prepare(source, preprocessing(4), cache, progress, workers=1)


def start(work: Callable[[], object]) -> int:
    """A child that exits with 0, or with 3 after an error."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def end(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def interrupted(cache: Path, log: Path | None = None) -> Path:
    """The folder of the pieces of a preparation that ended after its first ones."""

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    slow = Numbers(log=None if log is None else str(log), count=300)
    with pytest.raises(KeyboardInterrupt):
        prepare(slow, preprocessing(4), cache, stop, workers=1)
    (partial,) = cache.glob("*.partial")
    return partial


@pytest.fixture
def reference(tmp_path: Path) -> dict[str, str]:
    prepare_numbers(tmp_path / "reference")
    return tree(tmp_path / "reference")


def test_two_processes_each_decode_a_part_and_no_item_twice(
    tmp_path: Path, reference: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.make_chunk
    monkeypatch.setattr(module, "make_chunk", lambda *given: time.sleep(0.01) or real(*given))
    logs = [tmp_path / "one", tmp_path / "two"]
    children = [start(lambda log=log: prepare_numbers(tmp_path / "cache", log)) for log in logs]
    assert [end(child) for child in children] == [0, 0]
    parts = [set(map(int, log.read_text().split())) for log in logs]
    assert min(map(len, parts)) > 30
    assert sum(len(log.read_text().split()) for log in logs) == 300
    assert parts[0] | parts[1] == set(range(300))
    assert tree(tmp_path / "cache") == reference


def test_a_piece_of_another_process_is_waited_for_and_taken_over_when_that_ends(
    tmp_path: Path, reference: dict[str, str]
) -> None:
    partial, log = interrupted(tmp_path / "cache"), tmp_path / "log"
    for path in partial.glob("chunk-*"):
        path.unlink()
    reader, writer = os.pipe()

    def hold() -> None:
        with claim(partial / "claim-000003"):
            os.write(writer, b"x")
            time.sleep(60)

    child = start(hold)
    os.read(reader, 1)
    worker = threading.Thread(target=prepare_numbers, args=(tmp_path / "cache", log))
    worker.start()
    while not log.exists() or len(log.read_text().split()) < 300 - 8:
        time.sleep(0.01)
    time.sleep(0.1)
    assert not set(range(24, 32)) & set(map(int, log.read_text().split()))
    os.kill(child, 9)
    worker.join(20)
    assert end(child) == -9
    assert sorted(map(int, log.read_text().split())) == list(range(300))
    assert tree(tmp_path / "cache") == reference


def test_without_locks_two_processes_end_in_the_same_bytes(
    tmp_path: Path, reference: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As two machines whose file system keeps locks on one machine."""

    @contextmanager
    def unlocked(path: Path, on_wait: object = None):  # type: ignore[no-untyped-def]
        path.touch()
        yield True

    monkeypatch.setattr(module, "claim", unlocked)
    monkeypatch.setattr("ssgan.data.prepare.wait_for_lock", unlocked)
    children = []
    for host in ("one", "two", "three"):
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        children.append(start(lambda: prepare_numbers(tmp_path / "cache")))
    assert [end(child) for child in children] == [0, 0, 0]
    assert tree(tmp_path / "cache") == reference


def test_pieces_of_other_versions_are_not_mixed(
    tmp_path: Path, reference: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = interrupted(tmp_path / "cache")
    with monkeypatch.context() as patch:
        patch.setattr(module, "pillow_version", "99.1")
        for _ in range(2):  # the refused process leaves no trace
            with pytest.raises(UserError) as it:
                prepare_numbers(tmp_path / "cache")
            assert f"{partial} has images decoded by ssgan-" in str(it.value)
            assert "this process is ssgan-" in str(it.value)
            assert "pillow-99.1" in str(it.value)
    prepare_numbers(tmp_path / "cache")
    assert tree(tmp_path / "cache") == reference


def test_a_process_that_comes_when_all_is_done_decodes_nothing(
    tmp_path: Path, reference: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It saw no data set, and another process finished it before the first piece was begun."""
    log = tmp_path / "log"
    real = module.Pieces.make

    def late(self: module.Pieces) -> None:
        monkeypatch.setattr(module.Pieces, "make", real)
        prepare_numbers(tmp_path / "cache")
        real(self)

    monkeypatch.setattr(module.Pieces, "make", late)
    prepare_numbers(tmp_path / "cache", log)
    assert not log.exists()
    assert tree(tmp_path / "cache") == reference


def test_progress_begins_with_the_pieces_that_are_there(tmp_path: Path) -> None:
    partial = interrupted(tmp_path / "cache")
    for path in sorted(partial.glob("chunk-*"))[5:]:
        path.unlink()
    seen: list[tuple[int, int]] = []
    prepare_numbers(tmp_path / "cache", progress=lambda *given: seen.append(given))
    assert seen[0] == (40, 300)
    assert seen[-1] == (300, 300)
