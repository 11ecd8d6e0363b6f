"""A lock has one owner, is free at the owner's death, and names who holds it."""

import errno
import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ssgan.files import locks
from ssgan.files.locks import hold_lock, wait_for_lock
from ssgan.types import UserError

fcntl = pytest.importorskip("fcntl")

HOLD = """
import sys, time
from pathlib import Path
from ssgan.files.locks import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
FORK = """
import os, sys, time
from pathlib import Path
from ssgan.files.locks import hold_lock
try:
    with hold_lock(Path(sys.argv[1])):
        child = os.fork()
        if child == 0:
            raise SystemExit  # leaves the block as the parent does
        os.waitpid(child, 0)
        if os.fork() == 0:
            time.sleep(60)
        print("held", flush=True)
        time.sleep(60)
except SystemExit:
    pass
"""


def started(script: str, path: Path) -> "subprocess.Popen[str]":
    """A process that holds the lock now."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture(params=["native", "without flock", "without fcntl"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock file that is already there, on a system or file system with locks or without."""

    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    if request.param == "without flock":
        monkeypatch.setattr(fcntl, "flock", unsupported)
    elif request.param == "without fcntl":
        monkeypatch.setattr(locks, "FileLock", locks.SoftFileLock)
    (tmp_path / ".lock").touch()
    return tmp_path / ".lock"


def test_a_second_one_learns_who_is_there(path: Path) -> None:
    words = rf"{path.parent} is in use by process {os.getpid()} on "
    with hold_lock(path):
        for _ in range(2):
            with pytest.raises(UserError, match=words), hold_lock(path):
                pass
    with hold_lock(path):
        pass
    assert [file.name for file in path.parent.iterdir()] == [".lock"]


def test_of_many_threads_one_is_inside(path: Path) -> None:
    inside, most, waited = [0], [0], []

    def work() -> None:
        for _ in range(5):
            with wait_for_lock(path, lambda: waited.append(1)):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                threading.Event().wait(0.002)
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert waited


def test_another_thread_may_leave_the_block(path: Path) -> None:
    """As the garbage collector does with a generator."""
    holder = hold_lock(path)
    holder.__enter__()
    thread = threading.Thread(target=holder.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    with hold_lock(path):
        pass


def test_a_marker_in_place_of_a_lock_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "ssgan"), hold_lock(tmp_path / ".lock"):
        assert caplog.messages == []
    monkeypatch.setattr(locks, "FileLock", locks.SoftFileLock)
    with caplog.at_level(logging.WARNING, "ssgan"), hold_lock(tmp_path / ".lock"):
        (said,) = caplog.messages
    assert "file system without locks" in said
    assert ".lock.marker" in said


@pytest.mark.parametrize("script", [HOLD, FORK], ids=["alone", "with forked children"])
def test_a_killed_owner_frees_it_at_once(tmp_path: Path, script: str) -> None:
    """Even while a child that it forked lives; and no child frees it before."""
    path = tmp_path / ".lock"
    owner = started(script, path)
    with pytest.raises(UserError, match=f"process {owner.pid} on "), hold_lock(path):
        pass
    owner.kill()
    owner.wait()
    with hold_lock(path):
        assert json.loads((tmp_path / ".lock.owner").read_text())["process"] == os.getpid()
    if script is FORK:
        os.killpg(owner.pid, 9)  # the child that sleeps
    assert owner.stdout is not None
    owner.stdout.close()


def test_version_0_1_0_and_this_one_exclude_each_other(tmp_path: Path) -> None:
    """It locked the same file, and wrote the owner into it."""
    path = tmp_path / ".lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.write('{"host": "box", "process": 7}')
        file.flush()
        with pytest.raises(UserError, match="in use by process 7 on box"), hold_lock(path):
            pass
        path.write_text("")
        with pytest.raises(UserError, match="in use by another process"), hold_lock(path):
            pass
    with hold_lock(path), path.open("w") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
