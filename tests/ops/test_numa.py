"""Processes stay on the cores of their NUMA node, as a made-up /sys lists them."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from ssgan.ops.numa import count_threads, divide_nodes, list_node_cores, stay_on
from ssgan.types import UserError

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores"
)

FIRST, SECOND = frozenset({0, 1, 2, 8}), frozenset({4, 5, 6, 7})


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Two nodes of four cores and one of memory alone; core 3 belongs to another container."""
    for number, cores in enumerate(("0-3,8", "4-7", "")):
        folder = tmp_path / f"devices/system/node/node{number}"
        folder.mkdir(parents=True)
        (folder / "cpulist").write_text(f"{cores}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(9)) - {3})
    return tmp_path


def show_gpus(system, monkeypatch, *nodes):
    """As many GPUs, each at a place of the bus whose file names its node."""
    for number, node in enumerate(nodes):
        folder = system / f"bus/pci/devices/0000:{0xA0 + number:02x}:00.0"
        folder.mkdir(parents=True)
        (folder / "numa_node").write_text(f"{node}\n")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    place = {"pci_domain_id": 0, "pci_device_id": 0}
    monkeypatch.setattr(
        torch.cuda,
        "get_device_properties",
        lambda number: SimpleNamespace(**place, pci_bus_id=0xA0 + number),
    )


def test_nodes_have_the_cores_that_this_process_may_use(system):
    assert list_node_cores(system) == {0: FIRST, 1: SECOND}


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, [FIRST]),
        (2, [FIRST, SECOND]),
        (3, [FIRST, FIRST, SECOND]),
        (4, [FIRST, FIRST, SECOND, SECOND]),
    ],
)
def test_without_gpus_neighbours_share_a_node(system, count, expected):
    assert divide_nodes(count, "cpu", system) == expected


def test_a_process_is_on_the_node_of_its_gpu(system, monkeypatch):
    show_gpus(system, monkeypatch, 1, 0, 1, -1)
    assert divide_nodes(4, "auto", system) == [SECOND, FIRST, SECOND, FIRST]
    assert divide_nodes(2, "cpu", system) == [FIRST, SECOND]


def test_a_node_without_a_core_of_ours_is_named(system, monkeypatch):
    show_gpus(system, monkeypatch, 0, 2)
    with pytest.raises(UserError, match=r"GPU 1 is at NUMA node 2, whose cores .*leave out --numa"):
        divide_nodes(2, "auto", system)


def test_a_system_that_lists_no_nodes_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"lists no NUMA nodes in .*: leave out --numa node"):
        divide_nodes(2, "cpu", tmp_path)


def test_all_processes_have_as_many_threads_as_the_one_with_the_fewest_cores():
    """The last digits depend on the number."""
    assert count_threads([FIRST, SECOND]) == 4
    assert count_threads([FIRST, FIRST, SECOND]) == 2
    assert count_threads([SECOND] * 9) == 1


def test_a_process_that_is_started_within_stays_there_and_this_one_does_not():
    before = os.sched_getaffinity(0)
    one = frozenset({max(before)})
    with stay_on(one):
        words = [sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"]
        ended = subprocess.run(words, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == str(set(one))
    assert os.sched_getaffinity(0) == before
    with stay_on(None):
        assert os.sched_getaffinity(0) == before
