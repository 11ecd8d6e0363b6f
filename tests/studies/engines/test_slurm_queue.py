"""Options of sbatch, and the queue as a fake `squeue` prints it."""

import pytest

from ssgan.studies.engines import slurm_queue
from ssgan.studies.engines.slurm_queue import Queue, first_line, parse_options
from ssgan.types import UserError


def test_options_of_sbatch_may_be_written_with_either_dash():
    given = ("partition=gpu", "mem_per_cpu=2G", "--constraint=a100&nvlink=1")
    assert parse_options(given) == {
        "partition": "gpu", "mem-per-cpu": "2G", "constraint": "a100&nvlink=1"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("gpu", "--slurm gpu: give KEY=VALUE"),
        ("=gpu", "--slurm =gpu: give KEY=VALUE"),
        ("time=", "--slurm time=: give KEY=VALUE"),
        ("a b=1", "--slurm a b=1: give KEY=VALUE"),
        ("cpus_per_task=2", "ssgan sets cpus-per-task itself: give --threads N"),
        ("array=1-9", "ssgan sets array itself: give --jobs N"),
        ("ntasks=2", "ssgan sets ntasks itself"),
    ],
)
def test_an_option_that_cannot_be_passed_on_is_named(word, expected):
    with pytest.raises(UserError) as caught:
        parse_options([word])
    assert expected in str(caught.value)


def test_the_first_line_of_a_message_counts():
    assert first_line("\nsbatch: error: no such place\nsbatch: error: failed\n") == "no such place"
    assert first_line("") == "no answer"


def answer(folder, text, code=0):
    program = folder / "squeue"
    program.write_text(f"#!/bin/sh\necho x >> {folder}/calls\nprintf '{text}'\nexit {code}\n")
    program.chmod(0o755)


@pytest.fixture
def queue(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(slurm_queue, "ASK_SECONDS", 1000.0)
    return Queue("ssgan-1")


def test_slurm_is_asked_once_for_all_jobs_until_something_changes(queue, tmp_path):
    answer(tmp_path, "7_0|RUNNING|node3\\n7_1|PENDING|\\n8|CONFIGURING|node4\\n")
    for _ in range(3):
        jobs = queue.read()
    assert {number: job.place for number, job in jobs.items()} == {
        "7_0": "node3", "7_1": "waiting", "8": "waiting"
    }  # fmt: skip
    assert (tmp_path / "calls").read_text() == "x\n"
    answer(tmp_path, "")
    queue.forget()
    assert queue.read() == {}


def test_a_queue_that_does_not_answer_says_nothing_about_its_jobs(queue, tmp_path, monkeypatch):
    """Else every job would count as ended while the controller is restarted."""
    answer(tmp_path, "slurm_load_jobs error: Unable to contact slurm controller", code=1)
    assert queue.read() is None
    answer(tmp_path, "7|RUNNING|node3\\n")
    queue.forget()
    assert list(queue.read()) == ["7"]
    monkeypatch.setattr(slurm_queue, "ASK_SECONDS", 0.0)
    answer(tmp_path, "", code=1)
    assert list(queue.read()) == ["7"]


def test_a_queue_that_must_answer_is_refused_with_its_own_words(queue, tmp_path):
    program = tmp_path / "squeue"
    program.write_text("#!/bin/sh\necho 'squeue: error: no controller' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(UserError, match=r"^squeue: no controller$"):
        queue.require()
