"""Measurements that may fail or never end: each in a process of its own, until its time is over.

Rows arrive one by one, so what was measured before a failure is kept.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import torch

from ssgan.ops.cpu import keep_freed_memory
from ssgan.types import UserError

Row = dict[str, Any]  # JSON values; "what" names it, "note" says why it has no numbers


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a measurement is given."""

    device: str = "auto"  # as in RunConfig
    deadline: float  # in seconds of time.time(): nothing is begun then
    repeats: int = 5  # measurements of each action
    threads: int | None = None  # of torch; None: as many as it likes
    width: float = 1.0  # multiplies all channels
    data: str | None = None  # a source, as on the command line

    def left(self) -> float:
        """Seconds to plan with, 0 or more."""
        return max(0.0, self.deadline - time.time())

    def within(self, seconds: float) -> "Task":
        """The same, for a part of the time."""
        return replace(self, deadline=min(self.deadline, time.time() + seconds))


Measure = Callable[[Task], Iterator[Row]]


class NotApplicable(Exception):
    """A measurement that the device has no use for; the message says why."""


def attempts(task: Task, measures: Mapping[str, Measure]) -> Iterator[Row]:
    """The rows of each; one that fails, or has no time left, is a row that says so.

    Each is given an equal share of the time that the ones before have left.
    """
    for place, (name, measure) in enumerate(measures.items()):
        seconds = task.left() / (len(measures) - place)
        if seconds == 0:
            yield {"what": name, "note": "skipped: no time was left"}
            continue
        try:
            for row in measure(task.within(seconds)):
                yield {"what": name, **row}
        except NotApplicable as reason:
            yield {"what": name, "note": f"not applicable: {reason}"}
        except Exception as error:
            yield {"what": name, "note": f"failed: {last_line(error)}"}


def last_line(error: Exception) -> str:
    """The error in one line."""
    lines = str(error).strip().splitlines()
    text = lines[-1].strip() if lines else ""
    return text if isinstance(error, UserError) and text else f"{type(error).__name__}: {text}"


def collect(
    measure: Measure, task: Task, keep: Callable[[Row], None], seconds: float
) -> str | None:
    """Give every row of `measure(task)` to `keep`; why it ended early, or None.

    After `seconds` its process is ended. Raises the UserError that it raised.
    """
    end = time.time() + seconds
    context = get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_send_rows, args=(measure, task, sending))
    process.start()
    sending.close()
    try:
        while receiving.poll(max(0.0, end - time.time())):
            kind, content = receiving.recv()
            if kind == "refused":
                raise UserError(content)
            if kind == "end":
                process.join(5)
                return content
            keep(content)
        return f"it ran out of its {seconds:.0f} s"
    except EOFError:
        process.join(5)
        return f"its process ended with exit code {process.exitcode}"
    finally:
        _end(process)
        receiving.close()


def _send_rows(measure: Measure, task: Task, pipe: Connection) -> None:
    if hasattr(os, "setsid"):
        os.setsid()  # what it starts can be ended with it
    keep_freed_memory()
    if task.threads is not None:
        torch.set_num_threads(task.threads)
    try:
        for row in measure(task):
            pipe.send(("row", row))
    except UserError as error:
        pipe.send(("refused", str(error)))
    except BrokenPipeError:  # nobody reads on
        sys.exit(1)
    except Exception as error:
        pipe.send(("end", last_line(error)))
    else:
        pipe.send(("end", None))


def _end(process: Any) -> None:
    """End the process, and those it started, if it is still there."""
    if not process.is_alive():
        return
    if hasattr(os, "killpg"):
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()
