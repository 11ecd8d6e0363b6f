"""The environment of OpenMP; how busy other processes are."""

import json
import os
import subprocess
import sys

import pytest

from ssgan.ops.cpu import let_waiting_threads_sleep
from ssgan.ops.cpu_load import CpuTimes, OtherLoad, sum_busy_seconds


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


def test_other_processes_have_the_time_since_the_last_look_that_is_not_our_own(monkeypatch):
    times = iter([(100, 50, 10), (104, 58, 13), (106, 59, 13.5), (108, 60, 15)])
    other = OtherLoad(lambda: CpuTimes(*next(times)), at_least=2)
    found = []
    for clock in (101, 104, 105, 106, 108):
        monkeypatch.setattr("time.monotonic", lambda clock=clock: clock)
        found.append(other.take_busy_cores())
    # one second is too short; more of our own time than of everyone's is none of others
    assert found == [None, pytest.approx(5 / 4), None, pytest.approx(0.25), 0.0]


def test_where_no_times_are_known_nothing_is_said():
    assert OtherLoad(lambda: None, at_least=0).take_busy_cores() is None
