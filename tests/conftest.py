"""One thread, for the tensors of tests are small; a cache of their own; a terminal's signals."""

import os
import signal
import tempfile

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


@pytest.fixture(autouse=True, scope="session")
def _own_cache():
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSGAN_CACHE", folder)
        yield
