"""The threads of a run follow from its work, and are as before when it is over."""

from dataclasses import replace

import pytest
import torch

from ssgan.recipes import scenes
from ssgan.runs.state import fresh_state
from ssgan.training import cost, threads
from ssgan.training.run import run
from tests.training.tiny import images, tiny


@pytest.fixture
def two_threads(monkeypatch):
    """As torch has them by itself on two cores."""
    count = [2]
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "_DEFAULT", 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: count[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda number: count.__setitem__(0, number))
    return count


@pytest.mark.parametrize("change", [{}, {"discriminator_updates": 1}, {"accumulation": 2}])
@pytest.mark.parametrize("recipe", [scenes.ssgan, scenes.gan, scenes.conditional])
def test_the_work_of_a_step_is_known_from_one_image_of_each_network(recipe, change):
    config = replace(recipe(), batch_size=8, **change)
    state = fresh_state(config, 3, torch.device("cpu"))
    weights = [weight.clone() for weight in state.generator.state_dict().values()]
    counted = cost.estimate_cost(config, config.data.source.info()).gigaflop_per_step
    parts = config.accumulation
    assert threads.part_gigaflop(config, state) * parts == pytest.approx(counted, rel=0.1)
    after = state.generator.state_dict().values()
    assert all(torch.equal(one, two) for one, two in zip(weights, after, strict=True))
    assert state.generator.training


def test_a_small_run_has_one_thread_and_gives_the_others_back(two_threads, tmp_path):
    steps = run(tiny(total_steps=2), tmp_path / "run", images())
    assert [two_threads[0] for _ in steps] == [1, 1]
    assert two_threads[0] == 2


@pytest.mark.parametrize(("gigaflop", "count"), [(31, 1), (33, 2), (1000, 2)])
def test_a_run_with_more_work_has_more(gigaflop, count, two_threads, monkeypatch):
    monkeypatch.setattr(threads, "part_gigaflop", lambda config, state: gigaflop)
    config = tiny()
    with threads.threads_of(config, fresh_state(config, 0, torch.device("cpu"))):
        assert two_threads[0] == count


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_the_users_variable_wins(variable, two_threads, monkeypatch, tmp_path):
    monkeypatch.setenv(variable, "2")
    steps = run(tiny(total_steps=1), tmp_path / "run", images())
    assert [two_threads[0] for _ in steps] == [2]


def test_threads_that_the_user_set_in_torch_stay(two_threads, monkeypatch, tmp_path):
    two_threads[0] = 3
    steps = run(tiny(total_steps=1), tmp_path / "run", images())
    assert [two_threads[0] for _ in steps] == [3]


def test_a_dry_run_times_steps_with_the_threads_of_the_run(two_threads, monkeypatch):
    config, seen = tiny(), []
    step = cost.train_step
    monkeypatch.setattr(cost, "train_step", lambda *a: seen.append(two_threads[0]) or step(*a))
    cost.estimate_cost(config, scenes.demo().data.source.info())
    assert set(seen) == {1}
    assert two_threads[0] == 2


def test_a_dry_run_says_what_the_fastest_of_several_steps_took(monkeypatch):
    """The first sets things up; a busy moment makes others slow."""
    now, durations = [0.0], iter([11.5, 3.0, 0.4, 0.9, 0.5, 0.6, 0.7])
    monkeypatch.setattr(cost.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(cost, "train_step", lambda *_: now.__setitem__(0, now[0] + next(durations)))
    monkeypatch.setattr(cost, "_small_batch", lambda config: None)
    found = cost.estimate_cost(tiny(), scenes.demo().data.source.info())
    assert found.seconds_per_step == pytest.approx(0.4)


def test_a_dry_run_ends_after_some_seconds_of_steps(monkeypatch):
    now, durations = [0.0], iter([9.0, 4.0, 3.0])
    monkeypatch.setattr(cost.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(cost, "train_step", lambda *_: now.__setitem__(0, now[0] + next(durations)))
    monkeypatch.setattr(cost, "_small_batch", lambda config: None)
    found = cost.estimate_cost(tiny(), scenes.demo().data.source.info())
    assert found.seconds_per_step == pytest.approx(3.0)


def test_a_dry_run_names_a_busy_machine(monkeypatch):
    info = scenes.demo().data.source.info()
    said = "other processes keep 1.0 of the 2 cores busy; 2 threads wait for them"
    monkeypatch.setattr(cost.OtherLoad, "sentence", lambda self, count: said)
    assert f"busy machine   {said}\n" in cost.estimate_cost(tiny(), info).text()
    monkeypatch.setattr(cost.OtherLoad, "sentence", lambda self, count: "")
    assert "busy" not in cost.estimate_cost(tiny(), info).text()
