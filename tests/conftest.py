"""One thread, for the tensors of tests are small; a cache of their own; a terminal's signals.

With `pytest -n`, each worker takes a row of neighbouring tests, and the idle one takes over half of
what another has left: a module's fixtures are made once, or twice where its tests are parted.
"""

import os
import signal
import tempfile
from functools import cache
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import torch


def pytest_configure(config: pytest.Config) -> None:
    torch.set_num_threads(1)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background jobs ignore it
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked `long`, unless SSGAN_LONG=1 (as the scorecard sets it)."""
    if os.environ.get("SSGAN_LONG") != "1":
        long = [one for one in items if one.get_closest_marker("long")]
        config.hook.pytest_deselected(items=long)
        items[:] = [one for one in items if one not in long]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Work stealing, unless another way is asked for by `--dist`."""
    if config.getoption("dist") != "load":  # what -n means
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


@pytest.fixture(autouse=True, scope="session")
def _ask_once():
    """What a command does once, and the tests of a worker a thousand times.

    A plan times two steps, instead of steps for half a second; the versions of packages and the
    commit are read once; the report that a run leaves has no pictures of networks, outside of
    tests/report. Commands in processes of their own do all of it.
    """
    from ssgan.cli import report, train
    from ssgan.files import environment
    from ssgan.training import cost

    def leave_report(*given: Any, **options: Any) -> None:
        report.leave_report(*given, **{**options, "quick": True})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "leave_report", leave_report)
        patch.setattr(cost, "_REPEATS", 1)
        patch.setattr(cost, "_LEAST", 0.0)
        patch.setattr(environment, "version", cache(environment.version))
        patch.setattr(environment, "_commit", cache(environment._commit))
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_cache():
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSGAN_CACHE", folder)
        yield
