"""`--processes N`: one command as several processes on this machine.

On several machines srun, torchrun or the cluster's own launcher starts `python -m ssgan train ...`.
On one, PyTorch's elastic_launch took 33 s to end a stopped worker (torch 2.13, shutdown_timeout=3);
this launcher ends it after three.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from subprocess import Popen, TimeoutExpired

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from ssgan.cli.main import LOST
from ssgan.ops.cpu import num_cores
from ssgan.ops.numa import count_threads, stay_on
from ssgan.training.signals import EXIT_CODES, PARENT, stop_requests

_HOST = "127.0.0.1"
_POLL_SECONDS = 0.05  # between checks of the processes
_SECONDS_TO_SAVE = 120  # between a signal and the end of whoever has not ended by then
_SECONDS_TO_END = 30  # the same, after one has failed
_SECONDS_IF_LOST = 3  # the same, after one has waited for a lost one
_WORTH_A_RESTART = (1, LOST)  # an unforeseen error, or a lost process


def choose_count(device: str) -> tuple[int, str]:
    """The number of `--processes auto` and why: one for each accelerator that a run may use.

    On a CPU it is one process, which has a thread for each core.
    """
    if device == "cpu" or not torch.accelerator.is_available():
        return 1, "1 process: the run uses no accelerator"
    if ":" in device:
        return 1, f"1 process: {device} is one device"
    count = torch.accelerator.device_count()
    return count, f"{count} process{'es' * (count > 1)}: one for each accelerator"


def run_in_processes(
    argv: Sequence[str],
    count: int,
    restarts: int,
    cores: Sequence[frozenset[int]] | None = None,
) -> int:
    """Run `ssgan argv` as `count` processes; returns the exit code.

    Each stays on its `cores` (None: all that this process may use). A signal is passed on, and they
    save and end. When one is lost all end, and are restarted up to `restarts` times, to continue
    from the newest checkpoint. They are not restarted after an ending that was requested or would
    happen again.
    """
    threads = max(1, num_cores() // count) if cores is None else count_threads(cores)
    # the processes print nothing from the back end, and end when this one is killed
    shared = {
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        "OMP_NUM_THREADS": str(threads),
        **os.environ,
        PARENT: str(os.getpid()),
    }
    places: Sequence[frozenset[int] | None] = cores or [None] * count
    for _ in range(restarts):
        code = _run_once(argv, places, shared, "all are restarted")
        if code not in _WORTH_A_RESTART:
            return code
    return _run_once(argv, places, shared, "run the same command again to continue")


def _run_once(
    argv: Sequence[str],
    places: Sequence[frozenset[int] | None],
    shared: Mapping[str, str],
    advice: str,
) -> int:
    """Start all once, wait for their end, print what killed one; returns the exit code."""
    # the store is in this process, so that the ranks can name whichever of them is lost
    store = _open_store()
    meeting = {
        "MASTER_ADDR": _HOST,
        "MASTER_PORT": str(store.port),
        "WORLD_SIZE": str(len(places)),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # PyTorch's word for a store outside the ranks
    }
    command = [sys.executable, "-m", "ssgan", *argv]
    with stop_requests() as request:
        children = [
            _start(command, {**shared, **meeting, "RANK": str(n), "LOCAL_RANK": str(n)}, cores)
            for n, cores in enumerate(places)
        ]
        while request.received is None and _failed(children) is None and _left(children):
            time.sleep(_POLL_SECONDS)
        number = _failed(children)
        code = 0 if number is None else children[number].returncode
        if request.received is not None:
            _end(children, request.received, _SECONDS_TO_SAVE)
        else:
            _end(children, signal.SIGTERM, _SECONDS_IF_LOST if code == LOST else _SECONDS_TO_END)
    if request.received is not None:
        return EXIT_CODES[request.received]
    if code >= 0:  # it has printed why
        return int(code)
    name = signal.Signals(-code).name
    print(f"ssgan: rank {number} was ended by {name}; {advice}", file=sys.stderr)
    return LOST


def _start(
    command: Sequence[str], env: Mapping[str, str], cores: frozenset[int] | None
) -> Popen[bytes]:
    with stay_on(cores):
        # of a session of its own: signals of a terminal reach it through here alone
        return Popen(command, env=env, start_new_session=True)


def _open_store() -> TCPStore:
    """A store that listens on this machine alone; PyTorch's own listens on every network."""
    with socket.socket() as listener:
        listener.bind((_HOST, 0))
        listener.listen(128)
        port = listener.getsockname()[1]
        place = listener.detach()  # the store closes it
    return TCPStore(_HOST, port, is_master=True, wait_for_workers=False, master_listen_fd=place)


def _left(children: Sequence[Popen[bytes]]) -> bool:
    return any(child.poll() is None for child in children)


def _failed(children: Sequence[Popen[bytes]]) -> int | None:
    """The first that failed; one that only lost another process comes last."""
    failed = [n for n, child in enumerate(children) if child.poll()]
    return min(failed, key=lambda n: children[n].returncode == LOST, default=None)


def _end(children: Sequence[Popen[bytes]], number: signal.Signals, seconds: float) -> None:
    """Send the signal to all that are left, and kill those that still run so many seconds later."""
    for child in children:
        child.send_signal(number)
    last = time.monotonic() + seconds
    for child in children:
        try:
            child.wait(max(0.0, last - time.monotonic()))
        except TimeoutExpired:  # stopped, or stuck
            child.kill()
            child.wait()
