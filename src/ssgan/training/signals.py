"""SIGTERM, SIGINT, SIGHUP and SIGUSR1 ask a run to finish its step, save and leave."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PARENT = "SSGAN_PARENT"  # environment: the process with whose death this one is asked to end
_INSTANT = 0.5  # seconds
_PR_SET_PDEATHSIG = 1  # of Linux's prctl
_CODES = {"SIGTERM": 143, "SIGINT": 130, "SIGHUP": 129, "SIGUSR1": 0}
EXIT_CODES: dict[signal.Signals, int] = {  # of the signals that this system has
    getattr(signal, name): code for name, code in _CODES.items() if hasattr(signal, name)
}


def end_with_parent() -> None:
    """On Linux, have SIGTERM sent to this process when the one named by PARENT dies, if one is."""
    parent = os.environ.pop(PARENT, None)  # a process that this one starts has another
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != int(parent):  # it died before
        os.kill(os.getpid(), signal.SIGTERM)


def ignored(number: signal.Signals) -> bool:
    """Whether that is a closed terminal (SIGHUP), and nohup started this process."""
    return number.name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN


def obey_before_a_run() -> None:
    """From now on SIGUSR1 ends this process with its code where no run listens to it.

    There is nothing to save, and whatever is half prepared is continued. By themselves the other
    signals end a process with theirs, but this one's would be that of a failure.
    """
    number: signal.Signals | None = getattr(signal, "SIGUSR1", None)
    if number is not None and threading.current_thread() is threading.main_thread():
        code = EXIT_CODES[number]
        signal.signal(number, lambda number, frame: os._exit(code))


class Interrupted(Exception):  # noqa: N818 - an ending, not an error
    """A run ended early because it was asked to; its state is saved."""

    def __init__(self, number: signal.Signals, step: int) -> None:
        super().__init__(f"stopped by {number.name} after step {step}; the state is saved")
        self.exit_code = EXIT_CODES[number]


class StopRequest:
    """What was asked for, if anything."""

    received: signal.Signals | None = None


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Within, the first signal is only noted; a second one ends the process at once.

    One that follows in an instant is the same: a parent's death is told by each of its threads, and
    a launcher passes on what a terminal has sent to all. SIGHUP, of a closed terminal, stays
    ignored where nohup started this process.
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
        yield request  # only the main thread may listen to signals
        return
    heeded = [number for number in EXIT_CODES if not ignored(number)]
    before = {number: signal.signal(number, note) for number in heeded}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
