"""How busy other processes keep the cores."""

import pytest

from ssgan.ops.cpu_load import CpuTimes, OtherLoad, sum_busy_seconds

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
    times = iter(
        [(100.0, 50.0, 10.0), (104.0, 58.0, 13.0), (106.0, 59.0, 13.5), (108.0, 60.0, 15.0)]
    )
    other = OtherLoad(lambda: CpuTimes(*next(times)), at_least=2.0)
    found = []
    for clock in (101, 104, 105, 106, 108):
        monkeypatch.setattr("time.monotonic", lambda clock=clock: clock)
        found.append(other.take_busy_cores())
    # one second is too short; more of our own time than of everyone's is none of others
    assert found == [None, pytest.approx(5 / 4), None, pytest.approx(0.25), 0.0]


def test_where_no_times_are_known_nothing_is_said():
    assert OtherLoad(lambda: None, at_least=0.0).take_busy_cores() is None
