"""Commands run some at a time: order, failures, signals, time left.

Children are fake except in one test.
"""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from ssgan.files.locks import hold_lock
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.studies.engines.base import NoFreeSlotError
from ssgan.studies.engines.local import LocalEngine, threads_per_job
from ssgan.studies.jobs import FileJob, Job
from ssgan.studies.scheduler import (
    Finished,
    Scheduler,
    Status,
    estimate_eta,
)
from ssgan.types import UserError
from tests.cli.test_main import TINY
from tests.training.harness import fork, wait, wait_for


@dataclass(frozen=True, kw_only=True)
class Fake(Job):
    """A job that is done when it ends with code 0, unless `empty`."""

    empty: bool = False  # it ends with code 0 and leaves no result

    def is_done(self):
        return not self.empty


def job(label, *needs, verb="train", empty=False):
    return Fake(label=label, words=(verb, label), log=Path("log"), needs=needs, empty=empty)


class Stage:
    """An engine that starts fake children and keeps the book: a child ends after so many polls."""

    def __init__(self, codes=None, polls=1, on_start=None, slots=1, together=1):
        self.codes, self.polls, self.on_start = codes or {}, polls, on_start
        self.begun, self.signals, self.most = [], [], 0
        self.slots, self.together = slots, together
        self.alive = set()

    def start(self, jobs):
        return [self.start_one(job) for job in jobs[: self.together]]

    def start_one(self, job):
        self.begun.append(job.label)
        self.alive.add(job.label)
        self.most = max(self.most, len(self.alive))
        if self.on_start is not None:
            self.on_start(job.label)
        return Child(self, job.label)


class Child:
    def __init__(self, stage, label):
        self.stage, self.label = stage, label
        self.left = stage.polls if isinstance(stage.polls, int) else stage.polls.get(label, 1)

    def poll(self):
        self.left -= 1
        if self.left > 0:
            return None
        self.stage.alive.discard(self.label)
        return self.stage.codes.get(self.label, 0)

    def send_signal(self, number):
        self.stage.signals.append((self.label, number))
        self.left = 1

    def place(self):
        return f"the stage of {self.label}"


def free(lock):
    """Whether nobody holds it."""
    try:
        with hold_lock(lock):
            return True
    except UserError:
        return False


def run(jobs, slots, stage):
    stage.slots = slots
    *_, last = Scheduler(jobs, stage, pause=0.0).run()
    return last


def test_jobs_run_in_order_some_at_a_time():
    stage = Stage(polls=3)
    last = run([job(name) for name in "abcde"], 2, stage)
    assert stage.begun == list("abcde")
    assert stage.most == 2
    assert [one.job.label for one in last.finished] == list("abcde")
    assert last.exit_code == 0
    assert (last.running, last.waiting) == ((), ())


def test_what_needs_a_result_waits_for_it_and_what_is_free_goes_first():
    train = job("t")
    stage = Stage(polls=2)
    run([train, job("m", train), job("u")], 2, stage)
    assert stage.begun == ["t", "u", "m"]


def test_a_need_that_is_no_job_of_this_time_is_there():
    stage = Stage()
    assert run([job("m", job("done before"))], 1, stage).exit_code == 0
    assert stage.begun == ["m"]


def test_after_a_failure_the_others_go_on_and_what_needed_it_is_left():
    bad = job("bad")
    jobs = [bad, job("after", bad), job("good"), job("more", job("good"))]
    stage = Stage({"bad": 70})
    last = run(jobs, 1, stage)
    assert stage.begun == ["bad", "good", "more"]
    assert [one.label for one in last.waiting] == ["after"]
    assert [one.code for one in last.finished] == [70, 0, 0]
    assert last.exit_code == 1


def test_a_command_that_ends_well_without_its_result_has_failed():
    last = run([job("a", empty=True)], 1, Stage())
    assert [one.code for one in last.finished] == [1]
    assert last.exit_code == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_reaches_all_that_run_and_nothing_more_is_begun(number, code):
    stage = Stage({"a": 130, "b": 130}, polls=10**9)
    before = signal.getsignal(number)
    stage.slots = 2
    scheduler = Scheduler([job(name) for name in "abc"], stage, pause=0.0)
    statuses = []
    for status in scheduler.run():
        if not statuses:
            os.kill(os.getpid(), number)
        statuses.append(status)
    assert stage.begun == ["a", "b"]
    assert stage.signals == [("a", number), ("b", number)]
    assert [one.label for one in statuses[-1].waiting] == ["c"]
    assert statuses[-1].exit_code == code
    assert signal.getsignal(number) is before


def test_a_closed_terminal_makes_all_save_and_end():
    """They run in sessions of their own, which get no signal from the terminal."""
    stage = Stage({"a": 143}, polls=3)
    before = signal.signal(signal.SIGHUP, lambda number, frame: None)
    try:
        stage.on_start = lambda label: os.kill(os.getpid(), signal.SIGHUP)
        assert run([job("a"), job("b")], 2, stage).exit_code == 129
    finally:
        signal.signal(signal.SIGHUP, before)
    assert stage.begun == ["a"]
    assert stage.signals == [("a", signal.SIGTERM)]


def test_a_closed_terminal_does_not_matter_under_nohup():
    stage = Stage()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stage.on_start = lambda label: os.kill(os.getpid(), signal.SIGHUP)
        assert run([job("a"), job("b")], 2, stage).exit_code == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert stage.signals == []


def test_a_signal_while_a_child_is_started_reaches_it_too():
    stage = Stage({"a": 130}, polls=10**9)
    stage.on_start = lambda label: os.kill(os.getpid(), signal.SIGINT)
    assert run([job("a"), job("b")], 2, stage).exit_code == 130
    assert stage.begun == ["a"]
    assert stage.signals == [("a", signal.SIGINT)]


def test_an_iterator_left_early_leaves_no_child_behind():
    stage = Stage(polls=10**9, slots=2)
    steps = Scheduler([job("a"), job("b")], stage, pause=0.0).run()
    next(steps)
    steps.close()
    assert stage.signals == [("a", signal.SIGTERM), ("b", signal.SIGTERM)]
    assert stage.alive == set()


def test_a_real_child_writes_its_log_and_has_its_threads(tmp_path, monkeypatch):
    """`python -m ssgan` is replaced by a module that prints its arguments.

    A session of its own: a terminal's Ctrl-C must not reach it beside the one that is passed on.
    """
    package = tmp_path / "ssgan"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import os, pathlib, sys; print(os.environ['OMP_NUM_THREADS'],"
        "os.getsid(0) == os.getpid(), sys.argv[1:]);"
        "pathlib.Path(sys.argv[-1]).touch(); sys.exit('bad' in sys.argv)"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "77")
    jobs = []
    for word in ("good", "bad"):
        result, log = tmp_path / word, tmp_path / "logs" / f"{word}.log"
        words = ("show", word, str(result))
        jobs.append(FileJob(label=word, words=words, log=log, result=result))
    *_, last = Scheduler(jobs, LocalEngine(2), pause=0.02).run()
    assert {one.job.label: one.code for one in last.finished} == {"good": 0, "bad": 1}
    command, printed = jobs[0].log.read_text().splitlines()
    assert command == f"$ ssgan show good {tmp_path / 'good'}"
    assert printed == f"{threads_per_job(2)} True ['show', 'good', '{tmp_path / 'good'}']"


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a child of its parent's death")
def test_what_a_killed_study_was_running_saves_and_ends(tmp_path):
    layout, steps = RunDirectory(tmp_path / "run"), 300  # it ends by itself if nobody ends it
    at = TINY.index("--total_steps") + 1
    settings = [*TINY[:at], str(steps), *TINY[at + 1 :], "--output.checkpoint_every", str(steps)]
    words = ("train", "scenes:gan", "--data", "scenes:num_images=40", "--run", str(layout.root))
    words += (*settings, "--evaluate.every", "0")
    job = FileJob(label="a", words=words, log=tmp_path / "log", result=tmp_path / "none")
    study = fork(lambda: len(list(Scheduler([job], LocalEngine(1)).run())))
    wait_for(study, layout.log, lines=2)
    os.kill(study, signal.SIGKILL)
    assert wait(study) == -signal.SIGKILL
    while not free(layout.lock):
        time.sleep(0.02)
    saved, _ = checkpoint.load_newest(layout)
    assert saved.step == len(layout.log.read_text().splitlines()) < steps


def test_the_estimate_adds_what_is_known_and_names_the_rest():
    jobs = [job("a"), job("b", verb="probe"), job("c", verb="probe"), job("d", verb="evaluate")]
    nothing = estimate_eta(Status((jobs[0],), tuple(jobs[1:]), (), None), jobs, 1)
    assert nothing.seconds is None
    assert nothing.text("") == "time left not known yet"
    finished = tuple(Scheduler(jobs[1:2], Stage(), pause=0.0).run())[-1].finished
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


def test_more_jobs_come_while_a_slot_is_free_and_those_that_are_ready_come_first():
    """A training that ends is measured before another one begins."""
    names = iter("abc")
    seen = []

    def more(status):
        seen.append([one.job.label for one in status.finished])
        name = next(names, None)
        if name is None:
            return ()
        first = job(name)
        return (first, job(f"{name} measured", first, verb="evaluate"))

    stage = Stage()
    *_, last = Scheduler((), stage, pause=0.0, more=more).run()
    assert stage.begun == ["a", "a measured", "b", "b measured", "c", "c measured"]
    assert stage.most == 1
    assert last.exit_code == 0
    assert seen[1] == ["a", "a measured"]


def test_no_more_jobs_are_requested_after_a_signal():
    asked = []

    def more(status):
        asked.append(status)
        return (job(f"job {len(asked)}"),)

    stage = Stage(on_start=lambda _: os.kill(os.getpid(), signal.SIGINT))
    *_, last = Scheduler((), stage, pause=0.0, more=more).run()
    assert len(asked) == 1
    assert last.exit_code == 130


def test_a_job_that_is_stopped_gets_sigterm_and_the_others_do_not():
    stage = Stage(polls=3, slots=2)
    first, second = job("a"), job("b")
    scheduler = Scheduler([first, second], stage, pause=0.0)
    for status in scheduler.run():
        if len(status.running) == 2 and not stage.signals:
            scheduler.stop(first)
    assert [(name, number) for name, number in stage.signals] == [("a", signal.SIGTERM)]
    scheduler.stop(first)  # it has ended: nothing happens


def test_an_engine_may_start_several_at_once_and_every_one_is_watched():
    first = job("a")
    jobs = [first, job("b"), job("c"), job("d", first), job("e")]
    stage = Stage({"b": 70}, polls=2, slots=3, together=9)
    seen = [status for status in Scheduler(jobs, stage, pause=0.0).run() if status.running]
    assert stage.begun == ["a", "b", "c", "d", "e"]
    assert stage.most == 3
    assert {one.label: place for one, place in seen[0].places.items()} == {
        name: f"the stage of {name}" for name in "abc"
    }


class Limited(Stage):
    """It accepts the first command, then refuses so many times."""

    def __init__(self, refusals, **given):
        super().__init__(**given)
        self.refusals, self.seen = refusals, []

    def start(self, jobs):
        self.seen.append(len(self.alive))
        if self.begun and self.refusals:
            self.refusals -= 1
            raise NoFreeSlotError("no place")
        return super().start(jobs)


def test_what_an_engine_refuses_for_now_waits_while_the_rest_runs_on(monkeypatch):
    """Also when nothing runs any more; then no further job is requested."""
    monkeypatch.setattr("ssgan.studies.scheduler.RETRY_SECONDS", 0.0)
    stage = Limited(5, polls=3, slots=2)
    asked = []

    def more(status):
        asked.append(status)
        return (job("c"),) if len(asked) == 1 else ()

    seen = list(Scheduler([job("a"), job("b")], stage, pause=0.0, more=more).run())
    assert stage.begun == ["a", "b", "c"]
    assert stage.signals == []  # nothing that runs is ended
    assert stage.seen[1:6] == [1, 1, 1, 0, 0]
    assert {status.refusal for status in seen} == {"", "no place"}
    assert seen[-1].refusal == ""
    assert not any(status.refusal for status in asked)
    assert seen[-1].exit_code == 0


def test_a_refused_command_is_tried_again_after_a_pause_only_and_a_signal_ends_the_wait():
    stage = Limited(10**9)
    steps = Scheduler([job("a"), job("b")], stage, pause=0.0).run()
    seen = [next(steps) for _ in range(20)]
    assert len(stage.seen) == 2
    assert (seen[-1].running, seen[-1].refusal) == ((), "no place")
    os.kill(os.getpid(), signal.SIGINT)
    last, *ended = [next(steps, None) for _ in range(3)]
    assert ended == [None, None]
    assert last.exit_code == 130
    assert [one.label for one in last.waiting] == ["b"]
