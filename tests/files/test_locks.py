"""One at a time, and where a system has no locks on files, a line that says so."""

import subprocess
import sys

import pytest

from ssgan.data.cache import locked_folder
from ssgan.files.locks import hold_lock
from ssgan.types import UserError

IMPORT_ALL = """
import importlib, pkgutil, signal, sys, torch
for name in ("fcntl", "resource"):
    sys.modules[name] = None
del signal.SIGHUP, signal.SIGUSR1
import ssgan
for module in pkgutil.walk_packages(ssgan.__path__, "ssgan."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def test_a_second_one_is_told_who_is_there(tmp_path):
    path = tmp_path / ".lock"
    with (
        hold_lock(path),
        pytest.raises(UserError, match=r"is in use by process \d+ on "),
        hold_lock(path),
    ):
        pass
    with hold_lock(path):
        pass


@pytest.mark.parametrize("lock", [hold_lock, locked_folder])
def test_without_locks_nobody_comes_in_and_one_line_says_why(lock, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    words = r"no file locks \(fcntl\): use Linux, macOS or WSL"
    with pytest.raises(UserError, match=words), lock(tmp_path / ".lock"):
        pass


def test_every_module_can_be_imported_where_they_and_some_signals_are_missing():
    """As on Windows."""
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
