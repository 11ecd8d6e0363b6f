"""SIGTERM, SIGINT, SIGHUP and SIGUSR1 make a run finish its step, save and end."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PARENT = "SSGAN_PARENT"  # environment variable: the process whose death ends this one
_INSTANT = 0.5  # seconds in which a second signal counts as the first
_PR_SET_PDEATHSIG = 1  # of Linux's prctl
_CODES = {"SIGTERM": 143, "SIGINT": 130, "SIGHUP": 129, "SIGUSR1": 0}
EXIT_CODES: dict[signal.Signals, int] = {  # of the signals that this system has
    getattr(signal, name): code for name, code in _CODES.items() if hasattr(signal, name)
}


def end_with_parent() -> None:
    """On Linux, have SIGTERM sent to this process when the one named by PARENT dies."""
    parent = os.environ.pop(PARENT, None)  # children of this process must not inherit it
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != int(parent):  # it has died already
        os.kill(os.getpid(), signal.SIGTERM)


def exit_on_sigusr1() -> None:
    """Until a run handles SIGUSR1, let it end this process with its exit code.

    There is nothing to save, and a started preparation can continue. The default exit code of this
    signal would be that of a failure; those of the other signals are right.
    """
    number: signal.Signals | None = getattr(signal, "SIGUSR1", None)
    if number is not None and threading.current_thread() is threading.main_thread():
        code = EXIT_CODES[number]
        signal.signal(number, lambda number, frame: os._exit(code))


class Interrupted(Exception):  # noqa: N818 - an ending, not an error
    """A signal ended the run early; its state is saved."""

    def __init__(self, number: signal.Signals, step: int) -> None:
        super().__init__(f"stopped by {number.name} after step {step}; the state is saved")
        self.exit_code = EXIT_CODES[number]


class StopRequest:
    """The signal that was received."""

    received: signal.Signals | None = None  # None: none yet


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Within, the first signal is only noted; a second one ends the process at once.

    A second one within half a second counts as the first: each thread of a dying parent sends one,
    and a launcher passes on what the terminal has sent to all. Under nohup SIGHUP stays ignored.
    """
    request, since = StopRequest(), 0.0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal since
        if request.received is not None:
            if time.monotonic() - since < _INSTANT:
                return
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        request.received, since = signal.Signals(number), time.monotonic()

    if threading.current_thread() is not threading.main_thread():
        yield request  # only the main thread can handle signals
        return
    before = {
        number: signal.signal(number, note)
        for number in EXIT_CODES
        if not (number.name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN)  # nohup
    }
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
