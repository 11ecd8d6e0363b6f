"""The cores of this machine's NUMA nodes, and which of them a process may have for itself.

A core reaches the memory of its own node faster, and a GPU is near to one node. What torchrun's
`--numa-binding` does needs the program numactl and CUDA; this needs neither.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ssgan.types import UserError

_SYSTEM = Path("/sys")
_REASON = "leave out --numa node"


def list_node_cores(system: Path = _SYSTEM) -> dict[int, frozenset[int]]:
    """The cores of every NUMA node that this process may use, by the node's number.

    Nodes of memory alone are left out. Raises UserError on a system that lists no nodes.
    """
    if sys.platform != "linux":
        raise UserError(f"only Linux keeps processes on cores: {_REASON}")
    ours, files = os.sched_getaffinity(0), system.glob("devices/system/node/node[0-9]*/cpulist")
    nodes = {int(file.parent.name[4:]): _parse_ranges(file.read_text()) & ours for file in files}
    if not any(nodes.values()):
        raise UserError(f"this system lists no NUMA nodes in {system}: {_REASON}")
    return {number: nodes[number] for number in sorted(nodes) if nodes[number]}


def divide_nodes(count: int, device: str, system: Path = _SYSTEM) -> list[frozenset[int]]:
    """The cores for each of `count` processes: all of one node.

    With `device` "cpu", or without a CUDA device, neighbouring processes share a node, as equally
    as numbers allow. Else it is the node of the process's own GPU. Raises UserError where none of
    its cores may be used.
    """
    cores = list_node_cores(system)
    if device == "cpu" or not torch.cuda.is_available():
        nodes = list(cores)
        return [cores[nodes[n * len(nodes) // count]] for n in range(count)]
    return [_cores_of_gpu(number, cores, system) for number in range(count)]


def _cores_of_gpu(number: int, cores: dict[int, frozenset[int]], system: Path) -> frozenset[int]:
    facts: Any = torch.cuda.get_device_properties(number)
    place = f"{facts.pci_domain_id:04x}:{facts.pci_bus_id:02x}:{facts.pci_device_id:02x}.0"
    file = system / "bus/pci/devices" / place / "numa_node"
    node = int(file.read_text()) if file.exists() else -1
    node = node if node >= 0 else min(cores)  # -1: a machine with one node
    if node not in cores:
        raise UserError(
            f"GPU {number} is at NUMA node {node}, whose cores this process may not use: {_REASON}"
        )
    return cores[node]


def count_threads(parts: Sequence[frozenset[int]]) -> int:
    """The threads of every process: the cores of the one that has the fewest for itself.

    Processes on the same cores share them. All have as many, for numbers depend on it.
    """
    return max(1, min(len(part) // parts.count(part) for part in parts))


@contextmanager
def stay_on(cores: frozenset[int] | None) -> Iterator[None]:
    """Within, this thread and the processes that it starts run on these cores; None: on any."""
    if cores is None or sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _parse_ranges(text: str) -> frozenset[int]:
    """The numbers of "0-2,8"."""
    ends = [part.partition("-") for part in text.strip().split(",") if part]
    return frozenset(n for low, _, high in ends for n in range(int(low), int(high or low) + 1))
