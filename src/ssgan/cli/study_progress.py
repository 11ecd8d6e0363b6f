"""What `ssgan study` prints as its commands begin and end."""

import time
from collections.abc import Callable, Sequence

from ssgan.cli.progress import duration
from ssgan.studies.jobs import Job
from ssgan.studies.scheduler import Finished, Status, describe_activity, estimate_eta
from ssgan.types import UserError

_MINUTE = 60.0  # seconds between lines, when nothing changes
_TAIL = 5  # lines of a failed command's log that are shown


class StudyProgress:
    """Prints how far the commands are: when one begins or ends, and once a minute.

    `draw` draws the results so far; it is called after each command.
    """

    def __init__(self, jobs: Sequence[Job], slots: int, draw: Callable[[], object]) -> None:
        self._jobs, self._slots, self._draw = jobs, slots, draw
        self._running: tuple[Job, ...] = ()
        self._ended = 0
        self._last = time.monotonic()

    def report(self, standing: Status) -> None:
        """Print what is new."""
        new = standing.finished[self._ended :]
        for ended in new:
            self._print_end(ended, stopped=standing.stopped_by is not None)
        changed = standing.running != self._running
        if changed or time.monotonic() - self._last >= _MINUTE:
            self._last = time.monotonic()
            if standing.running:
                self._print_running(standing)
        self._running, self._ended = standing.running, len(standing.finished)
        if new and standing.running:  # the last drawing comes at the end
            self._draw_so_far()

    def _draw_so_far(self) -> None:
        """Draw the results so far; an error is printed, and stops no command."""
        try:
            self._draw()
        except UserError as error:
            print(f"not drawn: {error}")

    def _print_end(self, ended: Finished, stopped: bool) -> None:
        job = ended.job
        if ended.code == 0:
            print(f"done in {duration(ended.seconds)}: {job.name}")
        elif stopped:
            print(f"stopped: {job.name}")
        else:
            print(f"failed, exit code {ended.code}: {job.name}; its log: {job.log}")
            for line in job.log.read_text(errors="replace").splitlines()[-_TAIL:]:
                print(f"    {line}")

    def _print_running(self, standing: Status) -> None:
        eta = estimate_eta(standing, self._jobs, self._slots)
        done = sum(ended.code == 0 for ended in standing.finished)
        now = ", ".join(describe_activity(job) for job in standing.running)
        left = eta.text(duration(eta.seconds or 0.0))
        print(f"[{done}/{len(self._jobs)}] {now}; {left}")
