"""Long work that a page starts, follows and may end: directions, projections, maps."""

import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ssgan.types import UserError
from ssgan.web.catalogue import UnknownId
from ssgan.web.worker import Busy, Pacer, Worker

_MOST_JOBS = 60  # remembered
_MOST_WAITING = 4  # that are not finished
_LOG = logging.getLogger("ssgan")


class _Ended(Exception):  # noqa: N818 - ends the work
    pass


class PageJob:
    """One piece of long work. Its own thread writes it, others read it."""

    def __init__(self, pacer: Pacer) -> None:
        self.id = secrets.token_hex(8)
        self.done, self.total = 0, 0
        self.state = "waiting"  # running, finished, failed, ended
        self.error = ""
        self.result: dict[str, Any] = {}  # as JSON, for the page
        self.kept: Any = None  # for later requests, such as latents
        self._wanted, self._pacer = True, pacer

    def advance(self, done: int, total: int) -> None:
        """Say how far the work is, rest beside busy processes, and end if nobody wants it."""
        self.done, self.total = done, total
        self.check()
        self._pacer.rest(self.check)

    def check(self) -> None:
        """End the work here if nobody wants it any more."""
        if not self._wanted:
            raise _Ended

    def end(self) -> None:
        """End the work at its next step."""
        self._wanted = False

    @property
    def is_open(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("waiting", "running")

    def as_json(self) -> dict[str, Any]:
        """What the page shows."""
        return {
            "id": self.id,
            "state": self.state,
            "done": self.done,
            "total": self.total,
            "error": self.error,
            "result": self.result if self.state == "finished" else None,
        }

    def work(self, function: Callable[["PageJob"], dict[str, Any]]) -> None:
        """Run the work in this thread and note how it ended."""
        self.state = "running"
        try:
            self.check()
            self.result = function(self)
        except _Ended:
            self.state = "ended"
        except (UserError, UnknownId) as error:
            self.state, self.error = "failed", str(error)
        except Exception:
            _LOG.exception("work for the page failed")
            self.state, self.error = "failed", "this failed; the terminal of ssgan web says why"
        else:
            self.state = "finished"


class PageJobs:
    """All long work, which one thread does in turn."""

    def __init__(self, worker: Worker, pacer: Pacer | None = None) -> None:
        # one for all, so that the next job knows at once that others keep the cores busy
        self._worker, self._pacer = worker, pacer or Pacer()
        self._jobs: OrderedDict[str, PageJob] = OrderedDict()

    def start(self, function: Callable[[PageJob], dict[str, Any]]) -> PageJob:
        """Begin some work, after all that waits; raises Busy when that is too much."""
        if sum(job.is_open for job in self._jobs.values()) >= _MOST_WAITING:
            raise Busy
        job = PageJob(self._pacer)
        self._jobs[job.id] = job
        while len(self._jobs) > _MOST_JOBS:
            self._jobs.popitem(last=False)
        self._worker.start(lambda: job.work(function))
        return job

    def find(self, job_id: str) -> PageJob:
        """The job; raises UnknownId for one that is forgotten."""
        if job_id not in self._jobs:
            raise UnknownId("this was forgotten: start it again")
        return self._jobs[job_id]
