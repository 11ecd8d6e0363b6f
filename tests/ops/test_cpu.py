"""Threads by the work of a step; the environment of OpenMP; how busy other processes are."""

import json
import os
import subprocess
import sys

import pytest

from ssgan.ops.cpu import let_waiting_threads_sleep, worthwhile_threads
from ssgan.ops.cpu_load import CpuTimes, OtherLoad, sum_busy_seconds


@pytest.mark.parametrize(
    ("gigaflop", "cores", "threads"),
    [
        (0.0, 2, 1),
        (4.1, 2, 1),
        (16.6, 2, 1),
        (31.9, 2, 1),
        (32.0, 2, 2),
        (98.0, 2, 2),
        (98.0, 16, 6),
        (845.0, 16, 16),
        (845.0, 1, 1),
    ],
)
def test_threads_are_what_the_work_of_a_step_is_worth(gigaflop, cores, threads):
    assert worthwhile_threads(gigaflop, cores) == threads


@pytest.mark.parametrize(
    ("given", "then"),
    [
        ({}, {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7", "KMP_BLOCKTIME": "1"}),
        ({"KMP_BLOCKTIME": "0"}, {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "0"}),
    ],
)
def test_how_threads_wait_is_set_where_the_user_has_not(given, then):
    environment = dict(given)
    let_waiting_threads_sleep(environment)
    assert environment == then


WITNESS = """
import builtins, json, os, sys
real, seen = builtins.__import__, {}
def witness(name, *args, **kwargs):
    if name.partition(".")[0] == "torch" and not seen:
        seen.update(os.environ)
    return real(name, *args, **kwargs)
builtins.__import__ = witness
from ssgan.cli.main import main
main(["train", "--recipes"])
assert "torch" in sys.modules
print(json.dumps({name: seen.get(name) for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}))
"""


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({}, {"GOMP_SPINCOUNT": "10000", "OMP_WAIT_POLICY": None}),
        ({"GOMP_SPINCOUNT": "123"}, {"GOMP_SPINCOUNT": "123", "OMP_WAIT_POLICY": None}),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, {"GOMP_SPINCOUNT": None, "OMP_WAIT_POLICY": "PASSIVE"}),
    ],
)
def test_a_command_sets_it_before_torch_is_loaded_and_the_users_value_wins(given, seen):
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "KMP_BLOCKTIME")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", WITNESS],
        env={**kept, **given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == seen


STAT = """cpu  999 999 999 999 999 999 999 0 0 0
cpu0 100 20 30 4000 500 6 7 80 9 1
cpu1 1000 0 0 4000 0 0 0 0 0 0
cpu2 7 7 7 7 7 7 7 7 7 7
intr 1 2 3
"""


def test_time_waiting_idle_or_stolen_is_not_busy_and_other_cores_do_not_count():
    assert sum_busy_seconds(STAT, {0, 1}, 100) == pytest.approx((163 + 1000) / 100)
    assert sum_busy_seconds(STAT, {1}, 100) == pytest.approx(10)


def load(*times, cores=2):
    return OtherLoad(iter([CpuTimes(*one) for one in times]).__next__, cores)


def test_other_processes_have_the_time_that_is_not_our_own():
    other = load((100, 50, 10), (101, 52, 11), (104, 58, 13))
    assert other.busy_cores() is None  # one second is too short
    assert not other.is_known
    assert other.busy_cores() == pytest.approx((58 - 50 - 3) / 4)
    assert other.is_known


@pytest.mark.parametrize(
    ("others", "threads", "cores", "words"),
    [
        (0.0, 2, 2, ""),
        (0.4, 2, 2, ""),
        (1.0, 1, 2, ""),  # the other core is free
        (1.0, 2, 2, "keep 1.0 of the 2 cores busy; 2 threads wait for them: until they end, the "
         "same command with OMP_NUM_THREADS=1 is faster"),
        (3.0, 6, 8, "keep 3.0 of the 8 cores busy; 6 threads wait for them: until they end, the "
         "same command with OMP_NUM_THREADS=5 is faster"),
        (2.0, 1, 2, "keep 2.0 of the 2 cores busy; steps take longer than on an idle machine"),
    ],
)  # fmt: skip
def test_a_busy_machine_is_named_with_what_helps(others, threads, cores, words):
    other = load((0, 0, 0), (10, 10 * (others + threads), 10 * threads), cores=cores)
    sentence = other.sentence(threads)
    assert words in sentence
    assert bool(words) == bool(sentence)


def test_where_no_times_are_known_the_load_of_the_start_counts(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (1.5, 0, 0), raising=False)
    assert OtherLoad(lambda: None, 2).busy_cores() == 1.5
    monkeypatch.delattr(os, "getloadavg")
    assert OtherLoad(lambda: None, 2).sentence(2) == ""
