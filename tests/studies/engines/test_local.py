"""Commands on this machine: their share of the cores and of the GPUs."""

import os

import pytest
import torch

from ssgan.studies.engines import local
from ssgan.studies.engines.local import (
    VISIBLE_DEVICES,
    Resources,
    divide_resources,
    refuse_too_few_devices,
    threads_per_job,
)
from ssgan.types import UserError
from tests.studies.test_scheduler import job


class Child:
    """The n-th of them has the n-th of the codes."""

    count = 0

    def __init__(self, codes):
        self.codes, self.number = codes, Child.count
        Child.count += 1

    def poll(self):
        return self.codes[self.number] if self.number < len(self.codes) else None


def test_the_cores_are_shared(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [threads_per_job(slots) for slots in (1, 2, 3, 8, 20)] == [8, 4, 2, 1, 1]


def test_fewer_threads_are_given_where_the_environment_says_so(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert [threads_per_job(slots) for slots in (1, 2, 3, 8, 20)] == [3, 3, 2, 1, 1]
    for word in ("4,2", "", "0", "many"):  # a list is OpenMP's business
        monkeypatch.setenv("OMP_NUM_THREADS", word)
        assert threads_per_job(2) == 4


@pytest.mark.parametrize(
    ("given", "count", "slots", "dealt"),
    [
        (None, 0, 2, [(), ()]),
        (None, 1, 2, [(), ()]),
        (None, 4, 2, [("0", "2"), ("1", "3")]),
        (None, 2, 3, [("0",), ("1",), ("0",)]),
        ("3,5,6", 3, 2, [("3", "6"), ("5",)]),
        ("GPU-a, GPU-b", 2, 1, [("GPU-a", "GPU-b")]),
    ],
)
def test_accelerators_are_dealt_out(given, count, slots, dealt, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.delenv(VISIBLE_DEVICES, raising=False)
    if given is not None:
        monkeypatch.setenv(VISIBLE_DEVICES, given)
    assert [one.devices for one in divide_resources(slots)] == dealt


def test_a_command_begins_on_the_devices_that_the_last_one_left(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv(VISIBLE_DEVICES, raising=False)
    taken, codes = [], []
    monkeypatch.setattr(
        local, "start_process", lambda job, part: taken.append(part) or Child(codes)
    )
    engine = local.LocalEngine(2)
    engine.start([job("a"), job("b")])
    engine.start([job("b")])
    assert [one.devices for one in taken] == [("0",), ("1",)]
    codes += [None, 0]  # the first one runs on
    engine.start([job("c")])
    assert [one.devices for one in taken] == [("0",), ("1",), ("1",)]
    assert Resources(4, ("1", "3")).environment() == {
        "OMP_NUM_THREADS": "4",
        VISIBLE_DEVICES: "1,3",
    }
    assert Resources(4).environment(processes=2) == {"OMP_NUM_THREADS": "2"}


def test_processes_need_a_device_each_where_there_are_devices(monkeypatch):
    monkeypatch.delenv(VISIBLE_DEVICES, raising=False)
    for count, slots, processes in ((0, 2, 2), (1, 4, 1), (4, 2, 2)):
        monkeypatch.setattr(torch.cuda, "device_count", lambda count=count: count)
        refuse_too_few_devices(slots, processes)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    with pytest.raises(UserError, match="need 4 GPUs, and there are 3"):
        refuse_too_few_devices(2, 2)


def test_every_command_may_be_given_its_threads(monkeypatch):
    monkeypatch.setattr(local, "start_process", lambda job, part: part)
    assert local.LocalEngine(3, threads=7).start([job("a")]) == [Resources(7, fixed=True)]
    assert local.LocalEngine(2).threads == threads_per_job(2)


def test_threads_that_the_user_names_are_set_even_where_they_are_all(monkeypatch):
    monkeypatch.setattr(local, "num_cores", lambda: 4)
    assert Resources(4).environment() == {}  # it adapts to who else is busy
    assert Resources(4, fixed=True).environment() == {"OMP_NUM_THREADS": "4"}
