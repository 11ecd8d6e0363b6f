"""How a long command tells how far it is: a live line on a terminal, plain lines elsewhere."""

import logging
import sys
import time
from types import TracebackType

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

_PLAIN_SECONDS = 10.0  # between plain lines


def log_to_terminal(console: Console) -> None:
    """Show the package's messages above the live line."""
    logger = logging.getLogger("ssgan")
    logger.setLevel(logging.INFO)
    logger.handlers = [RichHandler(console=console, show_time=False, show_path=False, markup=False)]


class Meter:
    """Shows steps done, a rate a second, the time left, and a line of figures.

    The rate counts `per_step` of `unit` for each of the `total` steps. It and the time left are
    from what is done after the `done` steps at the start, and are not shown before there is any.
    """

    def __init__(
        self, what: str, total: int, done: int, per_step: int = 1, unit: str = "images"
    ) -> None:
        self.what, self.total, self.done = what, total, done
        self.per_step, self.unit = per_step, unit
        self.console = Console(stderr=True)
        self._first, self._started = done, time.monotonic()
        self._last_plain = self._started
        self._bar = self._live_bar() if self.console.is_terminal else None

    def _live_bar(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            TextColumn("{task.fields[figures]}"),
            console=self.console,
        )

    def __enter__(self) -> "Meter":
        log_to_terminal(self.console)
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(
                self.what, total=self.total, completed=self.done, pace="", figures=""
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, done: int, figures: str = "") -> None:
        """Say that `done` steps of the total are done; figures are shown beside the bar."""
        self.done = done
        if self._bar is not None:
            self._bar.update(self._task, completed=done, pace=self._pace())
            if figures:
                self._bar.update(self._task, figures=figures)
            return
        now = time.monotonic()
        if now - self._last_plain >= _PLAIN_SECONDS or done == self.total:
            self._last_plain = now
            words = (f"{self.what} {done}/{self.total}", self._pace(), figures)
            print("  ".join(filter(None, words)), file=sys.stderr, flush=True)

    def _pace(self) -> str:
        """The rate and the time left, once there is something to go by."""
        done_here, seconds = self.done - self._first, time.monotonic() - self._started
        if done_here <= 0 or seconds <= 0:
            return ""
        left = (self.total - self.done) * seconds / done_here
        rate = done_here * self.per_step / seconds
        return f"{rate:,.1f} {self.unit}/s  left {duration(left)}"


def duration(seconds: float) -> str:
    """1:02:03 for hours, minutes, seconds; minutes and seconds alone below an hour."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
