"""Shows the commands of a study or search: a live table on a terminal, plain lines elsewhere."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ssgan.cli.progress import format_duration
from ssgan.files.names import printable
from ssgan.files.run_directory import RunDirectory
from ssgan.studies.jobs import Job, TrainingJob
from ssgan.studies.scheduler import RETRY_SECONDS, Status, describe_activity
from ssgan.training.history import read_events

_PLAIN_SECONDS = 60.0  # between plain lines, when nothing changes
_LIVE_SECONDS = 2.0  # between redrawings, which read the logs of what runs
_FRAME = 6  # lines of the screen that hold no command
_FEWEST_ROWS, _MOST_ROWS = 3, 30  # commands that are listed, whatever the height of the screen
_MOST_NEXT = 3  # commands that are listed before they begin
_WIDE = 110  # characters from which on the logs have a column
_WAITING = "waiting"  # a place: the engine has not started the command


class Summary(NamedTuple):
    """How far all commands are."""

    done: int
    total: int
    words: str  # the time left, and what else is known
    unit: str = ""  # what is counted, where it is not all commands


def list_started(status: Status) -> list[Job]:
    """The commands that run, without those that wait for a place on a cluster."""
    return [job for job in status.running if status.places.get(job) != _WAITING]


class CommandsTable:
    """Shows every status that `report` gets; a context, at whose end the last state stays.

    The live lines are on stderr, as those of a run.
    """

    def __init__(self, summarize: Callable[[Status], Summary]) -> None:
        self._summarize = summarize
        self.console = Console(stderr=True)
        self._status = Status((), (), (), None)
        self._started: list[Job] = []
        self._ended = 0
        self._refusals: set[str] = set()  # that were printed
        self._last = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> "CommandsTable":
        if self.console.is_terminal and sys.stdout.isatty():
            self._live = Live(
                console=self.console,
                get_renderable=self._draw,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """Print a line, above the table if there is one."""
        if self._live is None:
            print(line, flush=True)
        else:
            self.console.print(Text(printable(line)), soft_wrap=True)

    def report(self, status: Status) -> None:
        """Show a status, when it is new or some time has passed."""
        self._status, started = status, list_started(status)
        if status.refusal and status.refusal not in self._refusals:
            self._refusals.add(status.refusal)
            self.say(f"{status.refusal}; the rest waits, tried every {RETRY_SECONDS:g} seconds")
        changed = started != self._started or len(status.finished) != self._ended
        passed = time.monotonic() - self._last
        if changed or passed >= (_PLAIN_SECONDS if self._live is None else _LIVE_SECONDS):
            self._last = time.monotonic()
            if self._live is not None:
                self._live.refresh()
            elif started:
                self._print_line(started)
        self._started, self._ended = started, len(status.finished)

    def _print_line(self, started: Sequence[Job]) -> None:
        found = self._summarize(self._status)
        now = ", ".join(map(describe_activity, started))
        if waiting := len(self._status.running) - len(started):
            now += f", {waiting} wait for a place"
        count = f"{found.done}/{found.total}{found.unit}"
        print(f"[{count}] {now}; {found.words}", flush=True)

    def _draw(self) -> RenderableType:
        """The table of what runs and comes next, and a line on everything."""
        status, width = self._status, self.console.width
        started = list_started(status)
        if status.stopped_by:  # their last step stays on the screen
            started += [one.job for one in status.finished if one.code]
        queued = [job for job in status.running if job not in started]
        room = min(_MOST_ROWS, max(_FEWEST_ROWS, self.console.height - _FRAME))
        shown, following = started[:room], [*queued, *status.waiting]
        following = following[: min(_MOST_NEXT, room - len(shown))]
        places = any(status.places.values())
        names = [
            "command",
            *(["place"] if places else []),
            "step",
            "pace",
            "time",
            "left",
            "monitor",
        ]
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", width=width)
        for name in names:
            table.add_column(name, no_wrap=True, overflow="ellipsis")
        if width >= _WIDE:
            table.add_column("log", no_wrap=True, overflow="ellipsis", ratio=1)
        for job in (*shown, *following):
            cells = [job.name, *([status.places.get(job, "")] if places else [])]
            cells += describe_pace(job, status) if job in shown else ["waits", "", "", "", ""]
            cells += [os.path.relpath(job.log)] if width >= _WIDE and job in shown else []
            table.add_row(*(Text(printable(cell)) for cell in cells))
        hidden = len(started) - len(shown)
        more = [Text(f"and {hidden} more that run")] if hidden else []
        return Group(*([table] if table.row_count else []), *more, Text(self._describe_all()))

    def _describe_all(self) -> str:
        status, found = self._status, self._summarize(self._status)
        started = len(list_started(status))
        waiting = len(status.running) - started + len(status.waiting)
        failed = 0 if status.stopped_by else sum(one.code != 0 for one in status.finished)
        words = [
            f"{found.done} of {found.total}{found.unit} done",
            f"{started} running",
            *([f"{waiting} waiting"] if waiting else []),
            *([f"{failed} failed"] if failed else []),
        ]
        if not status.running and not status.waiting:
            return printable(", ".join([words[0], *words[2:]]))
        end = f"{status.stopped_by.name}: what runs is saved" if status.stopped_by else found.words
        return printable(f"{', '.join(words)}; {end}")


def describe_pace(job: Job, status: Status) -> list[str]:
    """Step, pace, running time, time left, and the monitor's newest word, as far as known."""
    since = format_duration(status.since[job]) if job in status.since else ""
    if not isinstance(job, TrainingJob):
        return ["", "", since, "", ""]
    (step, spent), total = job.read_pace(), job.config.total_steps
    pace, left = "", ""
    if step and spent:
        pace = f"{step / spent:.3g} steps/s"
        left = format_duration((total - step) * spent / step)
    events = read_events(RunDirectory(job.root))
    word = str(events[-1]["verdict"]) if events else ""
    return [f"{step:,}/{total:,}", pace, since, left, word]
