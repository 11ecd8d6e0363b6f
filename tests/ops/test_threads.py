"""The threads of a run while other processes keep cores busy, and afterwards."""

import logging

import pytest
import torch

from ssgan.ops import threads
from ssgan.ops.cpu_load import OtherLoad
from ssgan.ops.threads import Threads
from ssgan.recipes import scenes
from ssgan.training import cost
from ssgan.training.run import run
from tests.training.tiny import images, tiny

CPU = torch.device("cpu")
TIMED = {name: getattr(cost, name) for name in ("_REPEATS", "_LEAST")}  # conftest.py lowers them


class Others(OtherLoad):
    """Stands for the load of other processes: these numbers of cores, one a look."""

    def __init__(self, *cores):
        super().__init__()
        self.cores = list(cores)

    def take_busy_cores(self):
        return self.cores.pop(0) if self.cores else None


@pytest.fixture
def eight(monkeypatch):
    """Eight cores, and as many threads of torch by itself."""
    count = [8]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "_DEFAULT", 8)
    monkeypatch.setattr(threads, "num_cores", lambda: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: count[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda number: count.__setitem__(0, number))
    return count


def numbers_after(count, others, device=CPU):
    ours = Threads(device, others)
    found = []
    for _ in list(others.cores):
        ours.adapt()
        found.append(count[0])
    return found


def test_each_busy_core_takes_one_thread_away_and_gives_it_back(eight):
    others = Others(0.0, 0.4, 1.0, None, 2.6, 8.0, 11.0, 0.3)
    assert numbers_after(eight, others) == [8, 8, 7, 7, 5, 1, 1, 8]


def test_cores_that_torch_does_not_use_are_free_for_others(eight, monkeypatch):
    eight[0] = 4  # as with two hardware threads a core
    monkeypatch.setattr(threads, "_DEFAULT", 4)
    assert numbers_after(eight, Others(3.0, 4.0, 5.0)) == [4, 4, 3]


def test_it_is_said_once_and_not_on_an_idle_machine(eight):
    ours = Threads(CPU, Others(0.0, 0.4, 3.0, 4.0))
    said = [ours.adapt() for _ in range(4)]
    assert said[:2] == ["", ""]
    assert said[2].startswith(
        "other processes keep 3.0 of the 8 cores busy: steps have 5 of 8 threads"
    )
    assert (said[3], ours.sentence) == ("", said[2])


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_the_users_number_stays_and_what_helps_is_said(variable, eight, monkeypatch):
    monkeypatch.setenv(variable, "8")
    ours = Threads(CPU, Others(6.0))
    assert ours.adapt().endswith("busy: 8 threads wait for them; OMP_NUM_THREADS=2 is faster")
    assert eight[0] == 8


def test_threads_that_the_user_set_in_torch_stay(eight):
    eight[0] = 6
    assert numbers_after(eight, Others(7.0)) == [6]


def test_an_accelerator_s_run_keeps_its_threads_without_a_word(eight):
    ours = Threads(torch.device("meta"), Others(7.0))
    assert ours.adapt() == ""
    assert eight[0] == 8


def test_so_does_a_run_of_several_processes_which_are_others_to_each_other(eight, monkeypatch):
    monkeypatch.setattr(threads, "num_ranks", lambda: 2)
    ours = Threads(CPU, Others(7.0))
    assert ours.adapt() == ""
    assert eight[0] == 8


def test_a_run_adapts_between_steps_says_so_and_gives_the_threads_back(
    eight, monkeypatch, tmp_path, caplog
):
    others = Others(0.0, 7.0, 0.0)
    monkeypatch.setattr(threads, "OtherLoad", lambda: others)
    with caplog.at_level(logging.WARNING, "ssgan"):
        found = [eight[0] for _ in run(tiny(total_steps=4), tmp_path / "run", images())]
    assert found == [8, 1, 8, 8]
    assert [r.message.partition(":")[0] for r in caplog.records if "cores" in r.message] == [
        "other processes keep 7.0 of the 8 cores busy"
    ]
    monkeypatch.setattr(threads, "OtherLoad", lambda: Others(7.0))
    assert [eight[0] for _ in run(tiny(total_steps=5), tmp_path / "run", images())] == [1]
    assert eight[0] == 8


def test_a_dry_run_adapts_too_and_names_the_busy_machine(eight, monkeypatch):
    info = scenes.demo().data.source.info()
    monkeypatch.setattr(threads, "OtherLoad", lambda: Others(7.0))
    text = cost.estimate_cost(tiny(), info).text()
    assert "busy machine   other processes keep 7.0 of the 8 cores busy: steps have 1 of" in text
    monkeypatch.setattr(threads, "OtherLoad", lambda: Others(0.0))
    assert "busy" not in cost.estimate_cost(tiny(), info).text()
    assert eight[0] == 8


@pytest.fixture
def timed_for_long(monkeypatch):
    """As in a command."""
    for name, value in TIMED.items():
        monkeypatch.setattr(cost, name, value)


def test_a_dry_run_says_what_the_fastest_of_several_steps_took(timed_for_long, monkeypatch):
    """The first sets things up; a busy moment makes others slow."""
    now, durations = [0.0], iter([11.5, 3.0, 0.4, 0.9, 0.5, 0.6, 0.7])
    for clock in ("perf_counter", "process_time"):
        monkeypatch.setattr(cost.time, clock, lambda: now[0])
    monkeypatch.setattr(cost, "train_step", lambda *_: now.__setitem__(0, now[0] + next(durations)))
    monkeypatch.setattr(cost, "_small_batch", lambda config: None)
    found = cost.estimate_cost(tiny(), scenes.demo().data.source.info())
    assert found.seconds_per_step == pytest.approx(0.4)


def test_a_dry_run_ends_after_some_seconds_of_steps(timed_for_long, monkeypatch):
    now, durations = [0.0], iter([9.0, 4.0, 3.0])
    for clock in ("perf_counter", "process_time"):
        monkeypatch.setattr(cost.time, clock, lambda: now[0])
    monkeypatch.setattr(cost, "train_step", lambda *_: now.__setitem__(0, now[0] + next(durations)))
    monkeypatch.setattr(cost, "_small_batch", lambda config: None)
    found = cost.estimate_cost(tiny(), scenes.demo().data.source.info())
    assert found.seconds_per_step == pytest.approx(3.0)
