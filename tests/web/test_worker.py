"""Work for the page: in turn, bounded, and resting while others keep the cores busy."""

import asyncio
import threading

import pytest

from ssgan.types import UserError
from ssgan.web import worker
from ssgan.web.catalogue import UnknownId
from ssgan.web.jobs import PageJobs
from ssgan.web.live import LiveRuns, compare_rows, format_event
from ssgan.web.worker import Busy, Pacer, Worker


class Others:
    """Other processes, which keep so many cores busy."""

    def __init__(self, *busy):
        self.busy = list(busy)

    def take_busy_cores(self):
        return self.busy.pop(0)


def test_long_work_rests_nineteen_times_as_long_as_it_worked_beside_busy_processes(monkeypatch):
    monkeypatch.setattr(worker, "num_cores", lambda: 2)
    slept, now = [], iter([0.0, 0.05, 0.05, 0.15, 0.15, 2.15, 2.15, 2.2, 2.2])
    pacer = Pacer(Others(None, 1.5, *[None] * 25, 0.2), slept.append, lambda: next(now))
    for _ in range(5):  # unknown, busy, after 0.1 seconds, after 2 of 38 that are at most 20; idle
        pacer.rest()
    assert slept == pytest.approx([0.95, 1.0, 0.9, *[1.0] * 20])


def test_a_long_rest_ends_with_the_other_processes_or_with_the_work(monkeypatch):
    monkeypatch.setattr(worker, "num_cores", lambda: 2)
    slept, now = [], iter([0.0, 1.0, 1.0, 2.0])
    pacer = Pacer(Others(2.0, None, None, 0.1, 2.0), slept.append, lambda: next(now))
    pacer.rest()
    pacer.rest()
    assert slept == [1.0, 1.0]
    with pytest.raises(UserError):
        pacer.rest(lambda: (_ for _ in ()).throw(UserError("nobody wants it")))
    assert slept == [1.0] * 3


def test_a_worker_refuses_work_when_too_much_waits(monkeypatch):
    monkeypatch.setattr(worker, "_MOST_WAITING", 2)
    gate, one = threading.Event(), Worker("test")

    async def try_three():
        waiting = [asyncio.create_task(one.run(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await one.run(gate.wait)
        gate.set()
        assert await asyncio.gather(*waiting) == [True, True]

    asyncio.run(try_three())
    one.stop()


def finish(jobs, function):
    done = threading.Event()
    job = jobs.start(function)
    jobs._worker.start(done.set)
    assert done.wait(10)
    return job


def test_a_job_says_how_it_ended(caplog):
    jobs = PageJobs(Worker("test"), Pacer(Others(*[None] * 9)))

    def refuse(job):
        raise UserError("the picture is blue")

    def fail(job):
        raise ZeroDivisionError("/home/somebody")

    good = finish(jobs, lambda job: job.advance(1, 2) or {"found": 3})
    assert good.as_json() | {"id": ""} == {
        "id": "", "state": "finished", "done": 1, "total": 2, "error": "", "result": {"found": 3},
    }  # fmt: skip
    assert finish(jobs, refuse).as_json()["error"] == "the picture is blue"
    broken = finish(jobs, fail).as_json()
    assert (broken["state"], "somebody" in broken["error"]) == ("failed", False)
    assert "ZeroDivisionError" in caplog.text
    assert jobs.find(good.id) is good
    with pytest.raises(UnknownId):
        jobs.find("0" * 16)


def test_a_job_knows_from_the_one_before_that_the_cores_are_busy():
    """A short job ends before the load could be measured again."""
    slept, seconds = [], iter(range(100))
    pacer = Pacer(Others(9.0, *[None] * 9), slept.append, lambda: next(seconds) / 100)
    jobs = PageJobs(Worker("test"), pacer)
    finish(jobs, lambda job: job.advance(1, 1) or {})
    assert slept == []
    finish(jobs, lambda job: job.advance(1, 2) or job.advance(2, 2) or {})
    assert slept == [pytest.approx(0.19)] * 2


def test_a_page_gets_rows_once_and_then_what_changed():
    old = {"a": {"id": "a", "step": 1}, "b": {"id": "b", "step": 1}}
    new = {"a": {"id": "a", "step": 2}, "c": {"id": "c", "step": 0}}
    assert compare_rows(None, old) == {"whole": True, "changed": [*old.values()], "gone": []}
    assert compare_rows(old, new) == {"whole": False, "changed": [*new.values()], "gone": ["b"]}
    text = format_event("runs", {"name": "two\nlines"}).decode()
    assert text.count("\n") == 3  # of the format alone


def test_a_folder_is_read_only_while_a_page_is_open_and_a_failed_reading_is_no_end():
    reads = []

    async def read():
        reads.append(1)
        if len(reads) == 2:
            raise OSError("the folder is away")
        return [{"id": "a", "step": len(reads)}]

    async def open_twice():
        live = LiveRuns(read, poll_seconds=0.01)
        await asyncio.sleep(0.03)
        assert reads == []
        first, second = live.stream(), live.stream()
        heard = [await anext(page) for page in (first, second) for _ in range(3)]
        assert b'"whole":true' in heard[1]
        assert b'"whole":false' in heard[2]
        await first.aclose()
        await second.aclose()
        again = live.stream()  # as when a page is loaded again
        assert b'"whole":true' in [await anext(again), await anext(again)][1]
        await again.aclose()
        await asyncio.sleep(0.02)
        count = len(reads)
        await asyncio.sleep(0.05)
        assert len(reads) == count

    asyncio.run(open_twice())
