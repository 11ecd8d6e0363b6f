"""Shows how far a long command is: two live lines on a terminal, plain lines elsewhere."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.logging import RichHandler
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ssgan.data.base import AbstractCollection, AbstractSource, Preprocessing, Progress
from ssgan.data.dataset import Dataset
from ssgan.data.prepare import prepare

_PLAIN_SECONDS = 10.0  # between plain lines
_LIVE_SECONDS = 0.4  # between redrawings of live lines
_WIDEST_BAR = 24  # characters
_NARROWEST_BAR = 4  # below that, none is drawn
_LISTED = 20  # rejects named in a summary


def log_to_terminal(console: Console) -> None:
    """Show the package's messages above the live lines."""
    logger = logging.getLogger("ssgan")
    logger.setLevel(logging.INFO)
    logger.handlers = [RichHandler(console=console, show_time=False, show_path=False, markup=False)]


class Meter:
    """Shows steps done, a rate a second and the time left; figures have a line of their own.

    The rate counts `per_step` of `unit` for each of the `total` steps. It and the time left are
    from what is done after the `done` steps at the start, and are not shown before there is any.
    Without `done` the first `advance` is the start, and nothing is shown before it.
    """

    def __init__(
        self,
        what: str,
        total: int = 0,
        done: int | None = None,
        per_step: int = 1,
        unit: str = "images",
    ) -> None:
        self.what, self.total = what, total
        self.per_step, self.unit = per_step, unit
        self.console = Console(stderr=True)
        self._first = done
        self._figures = ""
        self._live: Live | None = None

    def __enter__(self) -> "Meter":
        if self._first is not None:
            self._start(self._first)
        return self

    def _start(self, done: int) -> None:
        self._first = self.done = done
        self._started = self._last_plain = self._last_drawn = time.monotonic()
        log_to_terminal(self.console)
        if self.console.is_terminal:
            # no thread of its own: it would take the processor from those of a step
            self._live = Live(console=self.console, get_renderable=self._lines, auto_refresh=False)
            self._live.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def advance(self, done: int, figures: str = "") -> None:
        """Show that `done` steps are done; figures stand below the bar until there are new ones."""
        if self._first is None:
            self._start(done)
        self.done, self._figures = done, figures or self._figures
        now = time.monotonic()
        if self._live is not None:
            if now - self._last_drawn >= _LIVE_SECONDS:
                self._last_drawn = now
                self._live.refresh()
            return
        if now - self._last_plain >= _PLAIN_SECONDS or done == self.total:
            self._last_plain = now
            words = (f"{self.what} {done}/{self.total}", self._pace(), self._figures)
            print("  ".join(filter(None, words)), file=sys.stderr, flush=True)

    def _pace(self) -> str:
        """The rate and the time left, once anything is done."""
        done_here, seconds = self.done - (self._first or 0), time.monotonic() - self._started
        if done_here <= 0 or seconds <= 0:
            return ""
        left = (self.total - self.done) * seconds / done_here
        rate = done_here * self.per_step / seconds
        return f"{rate:,.1f} {self.unit}/s  left {format_duration(left)}"

    def _lines(self) -> RenderableType:
        """What is live now: a narrow terminal costs figures first, then the bar, then the name."""
        row = format_bar(self.console.width, self.what, self.done, self.total, self._pace())
        if not self._figures:
            return row
        return Group(row, Text(self._figures, no_wrap=True, overflow="ellipsis"))


def format_bar(width: int, what: str, done: int, total: int, pace: str) -> RenderableType:
    """One line of `width` characters with the count and the pace whole."""
    count = f"{done}/{total}"
    spare = width - len(count) - len(pace) - 4  # the spaces between four columns
    name = what if len(what) <= spare else f"{what[: max(0, spare - 3)]}..."[: max(0, spare)]
    bar = min(_WIDEST_BAR, spare - len(name) - 1)
    row: list[RenderableType] = [Text(name, no_wrap=True)]
    if bar >= _NARROWEST_BAR:
        row.append(ProgressBar(total=total, completed=done, width=bar))
    row += [Text(count, no_wrap=True), Text(pace, no_wrap=True)]
    grid = Table.grid(padding=(0, 1, 0, 0))
    for _ in row:
        grid.add_column(no_wrap=True)
    grid.add_row(*row)
    return grid


def format_duration(seconds: float) -> str:
    """1:02:03 for hours, minutes, seconds; minutes and seconds alone below an hour."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def prepare_images(
    source: AbstractSource,
    preprocessing: Preprocessing,
    cache: Path | None,
    workers: int | None = None,
    strict: bool = False,
    collection: AbstractCollection | None = None,
    *,
    verify: bool = False,
) -> Dataset:
    """The images of a source, decoded now with a bar or found in the cache.

    `collection` is the opened source, where the caller has it.
    """
    with open_progress_bar("preparing images") as progress:
        return prepare(
            source,
            preprocessing,
            cache,
            progress,
            workers,
            strict=strict,
            verify=verify,
            collection=collection,
            on_wait=lambda: print(
                "waiting: another process is preparing the same images", file=sys.stderr
            ),
        )


def fetch_source(source: AbstractSource) -> AbstractSource:
    """The source, after downloading what it lacks with a bar; most lack nothing."""
    with open_progress_bar("downloading", unit="bytes") as progress:
        source.fetch(progress)
    return source


@contextmanager
def open_progress_bar(what: str, unit: str = "images") -> Iterator[Progress]:
    """A progress callback whose bar appears with the first call and ends with the block."""
    with Meter(what, unit=unit) as meter:

        def progress(done: int, total: int) -> None:
            meter.total = total
            meter.advance(done)

        yield progress


def load_images(
    source: AbstractSource,
    preprocessing: Preprocessing,
    cache: Path | None,
    *,
    verify: bool = False,
) -> Dataset:
    """The images of a source, downloaded and prepared; what is odd about them is printed."""
    dataset = prepare_images(fetch_source(source), preprocessing, cache, verify=verify)
    for line in describe_rejects(dataset):
        print(line)
    return dataset


def describe_rejects(dataset: Dataset) -> list[str]:
    """Lines on an odd layout, and on rejected items with their reasons."""
    rejected = dataset.manifest["rejected"]
    lines = [f"note: {notice}" for notice in dataset.manifest["warnings"]]
    if rejected:
        lines.append(f"not used: {len(rejected):,} of {dataset.manifest['num_items']:,} items")
    lines += [f"  {name}: {reason}" for name, reason in rejected[:_LISTED]]
    if len(rejected) > _LISTED:
        lines.append(f"  and {len(rejected) - _LISTED:,} more, all in manifest.json")
    return lines
