"""`--processes N`: one command as several processes on this machine, by PyTorch's launcher.

On several machines torchrun or the cluster's own launcher starts `python -m ssgan train ...`.
"""

import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from ssgan.cli.main import LOST
from ssgan.training.signals import EXIT_CODES, PARENT, ignored

_SECONDS_TO_SAVE = 120  # between a signal and the end of whoever has not ended by then
_PASSED_ON = (*EXIT_CODES, signal.SIGQUIT)
_WORTH_A_RESTART = (1, LOST)  # an error that nobody foresaw, or that a process has gone


def in_processes(argv: Sequence[str], count: int, restarts: int) -> int:
    """Run `ssgan argv` as `count` processes; returns the exit code.

    A signal is passed on, and they save and end. When one has gone all end, and are started anew up
    to `restarts` times, to continue from the newest checkpoint; not after an ending that was asked
    for or would come again.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (cores or 1) // count)))
    # of the processes to come: nothing from the back end, and an end when this one is killed
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ[PARENT] = str(os.getpid())
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("torch.distributed"):  # whatever they report is said below, in a line
            logging.getLogger(name).setLevel(logging.CRITICAL)
    for _ in range(restarts):
        if (code := _together(argv, count, "all are started anew")) not in _WORTH_A_RESTART:
            return code
    return _together(argv, count, "run the same command again to continue")


def _together(argv: Sequence[str], count: int, advice: str) -> int:
    """Start them once, wait for their end, say what ended one by force; returns the exit code."""
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=f"ssgan-{os.getpid()}",
        rdzv_backend="static",  # "c10d" unpickles what anybody who reaches its port puts there
        rdzv_endpoint=f"127.0.0.1:{_free_port()}",
        rdzv_configs={"rank": 0},
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),  # no folder, which would stay
        max_restarts=0,
        signals_to_handle=",".join(number.name for number in _PASSED_ON if not ignored(number)),
        shutdown_timeout=_SECONDS_TO_SAVE,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "ssgan", *argv)
    except SignalException as stopped:
        return EXIT_CODES.get(stopped.sigval, 128 + stopped.sigval)
    except ChildFailedError as failed:
        number, failure = failed.get_first_failure()
        if failure.exitcode > 0:  # it has said why
            return int(failure.exitcode)
        name = signal.Signals(-failure.exitcode).name
        print(f"ssgan: rank {number} was ended by {name}; {advice}", file=sys.stderr)
        return LOST
    return 0


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
