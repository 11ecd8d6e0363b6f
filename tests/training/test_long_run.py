"""A run that lasts: its memory, files, threads and processes, and a clock that nobody can trust."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from benchmarks.memory_growth import slope
from ssgan.files import atomic
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.runs.state import fresh_state
from ssgan.training.run import run
from tests.training.growth import EVERY, PLANTED, can_count
from tests.training.tiny import (
    digest_on_disk,
    evaluating,
    images,
    rows_of,
    stop_after,
    tiny,
    to_the_end,
    with_output,
    writer_of,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="counts are read in /proc"),
]

ALLOWED = 512  # bytes a step
BUSY = evaluating(with_output(tiny("ssgan"), checkpoint_every=2, sample_every=3), every=3)


@pytest.fixture(scope="module")
def dataset():
    return images()


@pytest.mark.long
@pytest.mark.skipif(not can_count(), reason="the C library counts its bytes: glibc 2.33")
def test_memory_does_not_grow_with_steps_and_a_planted_leak_is_seen(tmp_path, record_property):
    """A run that trains, samples, evaluates and saves; the second half keeps 2 kB a step."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.growth", str(tmp_path)],
        env={**os.environ, "PYTHONMALLOC": "malloc", "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    clean, leaking = (slope(sizes) / EVERY for sizes in json.loads(done.stdout.splitlines()[-1]))
    record_property("bytes a step", f"{clean:.0f}, with a leak of {PLANTED}: {leaking:.0f}")
    assert clean < ALLOWED
    assert leaking > clean + PLANTED / 2
    assert leaking > ALLOWED


def held():
    """Files, threads, processes and shared memory that belong to this process."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    shared = os.listdir("/dev/shm") if os.path.isdir("/dev/shm") else []
    return len(os.listdir("/proc/self/fd")), threading.active_count(), children, sorted(shared)


def test_starts_stops_saves_and_epochs_leave_nothing_behind(dataset, tmp_path):
    to_the_end(BUSY, tmp_path / "warm-up", dataset)
    before = held()
    for number in range(5):
        to_the_end(BUSY, tmp_path / f"run-{number}", dataset)
        assert held() == before
    stop_after(BUSY, tmp_path / "left", dataset, 4)
    assert held() == before


def test_no_child_outlives_its_killed_parent(tmp_path):
    words = ["train", "scenes:demo", "--run", str(tmp_path / "run"), "--processes", "2"]
    environment = {**os.environ, "SSGAN_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-m", "ssgan", *words]
    with subprocess.Popen(command, env=environment, **silent) as parent:
        place = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        wait_until(lambda: parent.poll() is not None or len(place.read_text().split()) == 2)
        assert parent.poll() is None
        children = place.read_text().split()
        wait_until(lambda: all(is_python(child) for child in children))
        parent.kill()
    wait_until(lambda: not any(map(is_alive, children)))


def is_python(process):
    """Whether the child has begun to run its own program."""
    return b"-m\0ssgan\0train" in Path(f"/proc/{process}/cmdline").read_bytes()


def is_alive(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until(condition):
    for _ in range(2400):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it never came true")


def test_a_clock_that_jumps_back_a_day_changes_nothing(dataset, tmp_path, monkeypatch):
    expected = to_the_end(BUSY, tmp_path / "undisturbed", dataset)
    jumps = iter(range(0, -(10**9), -86_400))
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + next(jumps))
    assert to_the_end(BUSY, tmp_path / "jumping", dataset) == expected
    logs = [rows_of(tmp_path / name / "log.jsonl") for name in ("undisturbed", "jumping")]
    assert logs[0] == logs[1]


def test_a_slow_file_system_changes_nothing(dataset, tmp_path, monkeypatch):
    expected = to_the_end(BUSY, tmp_path / "fast", dataset)
    called, sync = [], os.fsync

    def slowly(descriptor):
        called.append(descriptor)
        time.sleep(0.1)
        sync(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", slowly)
    assert to_the_end(BUSY, tmp_path / "slow", dataset) == expected
    assert called


def test_fifty_saves_have_one_size_and_leave_two_files(dataset, tmp_path, record_property):
    state = fresh_state(BUSY, dataset.num_classes, torch.device("cpu"))
    layout = RunDirectory(tmp_path)
    writer = writer_of(layout, BUSY, dataset)
    tensors = sum(tensor.nbytes for tensor in checkpoint.state_tensors(state))
    sizes = []
    for step in range(100, 150):
        state.step = step
        sizes.append(writer.save(state).stat().st_size)
        assert len(layout.checkpoint_files()) == min(2, len(sizes))
    record_property("bytes a save", f"{max(sizes):,} for {tensors:,} of tensors")
    assert len(set(sizes)) == 1
    overhead = sizes[0] - tensors  # names, shapes and settings, which do not grow with width
    assert 0 < overhead < 300_000


def test_a_rotated_log_is_begun_again_and_the_run_ends_the_same(dataset, tmp_path):
    config = with_output(tiny("ssgan"), checkpoint_every=1)
    expected = to_the_end(config, tmp_path / "undisturbed", dataset)
    root = tmp_path / "rotated"
    steps = run(config, root, dataset)
    for report in steps:
        if report.step == 3:
            (root / "log.jsonl").rename(root / "log.jsonl.1")
    assert digest_on_disk(config, root, dataset) == expected
