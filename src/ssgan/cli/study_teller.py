"""What `ssgan study` prints as its commands begin and end."""

import time
from collections.abc import Sequence

from ssgan.cli.progress import duration
from ssgan.cli.study_plan import Plan
from ssgan.studies.eta import describe_activity, estimate_eta
from ssgan.studies.jobs import Job
from ssgan.studies.output import write_study
from ssgan.studies.scheduler import Finished, Status
from ssgan.types import UserError

_MINUTE = 60.0  # seconds between lines, when nothing changes
_TAIL = 5  # lines of a failed command's log that are shown


class Teller:
    """Says how far the commands are: when something begins or ends, and once a minute."""

    def __init__(self, jobs: Sequence[Job], plan: Plan) -> None:
        self._jobs, self._plan = jobs, plan
        self._running: tuple[Job, ...] = ()
        self._ended = 0
        self._last = time.monotonic()

    def tell(self, standing: Status) -> None:
        """Print what is new."""
        new = standing.finished[self._ended :]
        for ended in new:
            self._say_end(ended, stopped=standing.stopped_by is not None)
        changed = standing.running != self._running
        if changed or time.monotonic() - self._last >= _MINUTE:
            self._last = time.monotonic()
            if standing.running:
                self._say_standing(standing)
        self._running, self._ended = standing.running, len(standing.finished)
        if new and standing.running:  # the last drawing is made in the end
            self._draw()

    def _draw(self) -> None:
        """Draw what is there; what hinders it is said, and does not stop what runs."""
        try:
            write_study(self._plan.study, self._plan.form, self._plan.asked, self._plan.trials)
        except UserError as error:
            print(f"not drawn: {error}", flush=True)

    def _say_end(self, ended: Finished, stopped: bool) -> None:
        job = ended.job
        if ended.code == 0:
            print(f"done in {duration(ended.seconds)}: {job.name}", flush=True)
        elif stopped:
            print(f"stopped: {job.name}", flush=True)
        else:
            print(f"failed, exit code {ended.code}: {job.name}; its log: {job.log}", flush=True)
            for line in job.log.read_text(errors="replace").splitlines()[-_TAIL:]:
                print(f"    {line}", flush=True)

    def _say_standing(self, standing: Status) -> None:
        found = estimate_eta(standing, self._jobs, self._plan.slots)
        done = sum(ended.code == 0 for ended in standing.finished)
        now = ", ".join(describe_activity(job) for job in standing.running)
        left = found.text(duration(found.seconds or 0.0))
        print(f"[{done}/{len(self._jobs)}] {now}; {left}", flush=True)
