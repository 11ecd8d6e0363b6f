"""The remaining time of a study, from commands that have ended."""

import pytest

from ssgan.studies.eta import estimate_eta
from ssgan.studies.scheduler import Finished, Scheduler, Status
from tests.studies.test_scheduler import Stage, job


def test_the_estimate_adds_what_is_known_and_names_the_rest():
    jobs = [job("a"), job("b", verb="probe"), job("c", verb="probe"), job("d", verb="evaluate")]
    nothing = estimate_eta(Status((jobs[0],), tuple(jobs[1:]), (), None), jobs, 1)
    assert nothing.seconds is None
    assert nothing.text("") == "time left not known yet"
    finished = tuple(Scheduler(jobs[1:2], 1, Stage(), pause=0.0).run())[-1].finished
    found = estimate_eta(Status((), tuple(jobs[2:]), finished, None), jobs, 2)
    assert found.seconds == pytest.approx(finished[0].seconds / 2)
    assert found.text("0:10") == "left about 0:10 and 1 x evaluate"


def test_the_estimate_subtracts_the_time_that_a_command_has_been_running():
    """There is none for one that takes longer than its like."""
    jobs = [job("b", verb="probe"), job("c", verb="probe")]
    finished = (Finished(jobs[0], 0, 100.0),)
    for since, left in ((30.0, 70.0), (130.0, None)):
        status = Status((jobs[1],), (), finished, None, {jobs[1]: since})
        assert estimate_eta(status, jobs, 1).seconds == left
