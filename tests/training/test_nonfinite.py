"""A number that is not finite: back to the newest checkpoint, with other random numbers."""

import copy
import errno
import logging
import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from ssgan.files import jsonl
from ssgan.files.atomic import DiskFull
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.runs.state import fresh_state
from ssgan.training import logger
from ssgan.training.feed import Feed
from ssgan.training.history import EvaluationRow
from ssgan.training.nonfinite import MAX_RETRIES
from ssgan.training.resume import resume
from ssgan.training.run import run
from ssgan.types import NonFinite
from tests.training.harness import check_whole
from tests.training.tiny import (
    STEPS,
    digest_of,
    digest_state,
    evaluating,
    images,
    rows_of,
    stop_after,
    tiny,
    to_the_end,
    with_output,
    writer_of,
)

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
CONFIG = tiny("ssgan", augment=True)  # saves after steps 3 and 6


@pytest.fixture(scope="module")
def dataset():
    return images()


@pytest.fixture
def shown(monkeypatch):
    """What every update of G is shown, and NaN in it at the steps in `bad`, once each or always."""

    class Shown:
        latents, bad, always = [], [], False

    found, draw = Shown(), Feed._draw

    def watched(feed, network, step, index):
        drawn = draw(feed, network, step, index)
        if network == "G":
            found.latents.append((step, drawn.latents.clone()))
            if step in found.bad:
                drawn.latents[0, 0] = float("nan")
                if not found.always:
                    found.bad.remove(step)
        return drawn

    found.latents, found.bad = [], []
    monkeypatch.setattr(Feed, "_draw", watched)
    return found


def of_step(shown, step):
    return [latents for at, latents in shown.latents if at == step]


@pytest.mark.parametrize(("bad", "back"), [(4, 3), (1, 0)])
def test_one_bad_step_costs_the_steps_since_the_checkpoint_and_no_more(
    bad, back, dataset, shown, tmp_path, caplog
):
    shown.bad = [bad]
    with caplog.at_level(logging.WARNING):
        to_the_end(CONFIG, tmp_path, dataset)
    assert f"step {bad + 1}: not a finite number: G/adversarial" in caplog.text
    assert f"back to step {back}, continuing with other random numbers" in caplog.text
    once, again = of_step(shown, bad)
    assert not torch.equal(once, again)
    assert [row["step"] for row in rows_of(tmp_path / "log.jsonl")] == list(range(1, STEPS + 1))
    (event,) = [r for r in rows_of(tmp_path / "events.jsonl") if r.get("alarm") == "rolled back"]
    assert event["step"] == back
    saved, _ = checkpoint.load_newest(RunDirectory(tmp_path))
    assert saved.rollbacks == 1
    assert all(t.isfinite().all() for part in saved.tensors.values() for t in tensors_in(part))


def tensors_in(part):
    return [leaf for leaf in part.values() if torch.is_tensor(leaf)]


def test_without_a_bad_step_nothing_is_as_it_was_not(dataset, shown, tmp_path):
    """The numbers of a run that never went back are those of the seed alone."""
    to_the_end(CONFIG, tmp_path, dataset)
    feed = Feed(CONFIG, dataset, CPU)
    for step, latents in list(shown.latents):
        expected = next(feed.generator(step)).latents
        assert torch.equal(latents, expected)


def test_after_a_rollback_images_come_in_another_order_and_evaluations_stay_the_same(dataset):
    state = fresh_state(CONFIG, dataset.num_classes, CPU)
    before = Feed(CONFIG, dataset, CPU, state.noise_seed(CONFIG.seed))
    state.rollbacks = 1
    after = Feed(CONFIG, dataset, CPU, state.noise_seed(CONFIG.seed))
    (one, _), (other, _) = (next(feed.discriminator(0, 0)) for feed in (before, after))
    assert not torch.equal(one.images, other.images)
    assert np.array_equal(before.labels, after.labels)  # which labels a method is given stays


def test_a_run_that_cannot_be_helped_ends_with_its_best_and_its_checkpoint_whole(
    dataset, shown, tmp_path
):
    config = evaluating(CONFIG, every=1)
    shown.bad, shown.always = [4], True
    with pytest.raises(
        NonFinite, match=rf"step 5: .* {MAX_RETRIES} rollbacks to step 3 .* did not help"
    ):
        to_the_end(config, tmp_path, dataset)
    tried = of_step(shown, 4)
    assert len(tried) == MAX_RETRIES + 1
    assert len({latents.numpy().tobytes() for latents in tried}) == MAX_RETRIES + 1
    layout = RunDirectory(tmp_path)
    saved, passed_over = checkpoint.load_newest(layout)
    assert (saved.step, saved.rollbacks, passed_over) == (3, MAX_RETRIES, [])
    assert checkpoint.load_checkpoint(layout.best_checkpoint()).step <= 4
    shown.bad = []
    to_the_end(config, tmp_path, dataset)  # the same command goes on


@pytest.mark.parametrize(("later", "best"), [(8.0, (4, 5.0)), (4.0, (5, 4.0))])
def test_the_best_so_far_stays_even_of_a_step_that_was_given_up(
    later, best, dataset, shown, tmp_path, monkeypatch
):
    """Steps 1 to 4 have scores, then 5 fails; after going back to 3 there are 4, 5 and 6."""
    scores = iter([10.0, 9.0, 9.5, 5.0, 8.5, later, 8.5])
    averages = {}

    def measured(evaluation, state):
        score = next(scores)
        averages.setdefault((state.step, score), copy.deepcopy(state.generator_ema.state_dict()))
        return [EvaluationRow("FD-random", score, "generated", {})]

    monkeypatch.setattr(logger.Evaluator, "evaluate", measured)
    shown.bad = [4]
    to_the_end(evaluating(CONFIG, every=1), tmp_path, dataset)
    assert next(scores, None) is None
    layout = RunDirectory(tmp_path)
    saved, _ = checkpoint.load_newest(layout)
    assert (saved.best_step, saved.best_score, saved.rollbacks) == (*best, 1)
    kept = checkpoint.load_checkpoint(layout.best_checkpoint())
    assert (kept.step, kept.best_score) == best
    torch.testing.assert_close(kept.tensors["generator_ema"], averages[best], rtol=0, atol=0)


def test_the_best_on_other_images_stays_forgotten_after_a_rollback(
    dataset, shown, tmp_path, monkeypatch
):
    """A score of 1 on the old images; the first step on others, which are accepted, fails."""

    def measured(evaluation, state):
        score = 1.0 if state.step <= 3 else 5.0 + state.step
        return [EvaluationRow("FD-random", score, "generated", {})]

    monkeypatch.setattr(logger.Evaluator, "evaluate", measured)
    config = evaluating(CONFIG, every=1)
    to_the_end(replace(config, total_steps=3), tmp_path, dataset)
    shown.bad = [3]
    for _ in run(config, tmp_path, images(seed=1), accept_new_data=True):
        pass
    saved, _ = checkpoint.load_newest(RunDirectory(tmp_path))
    assert (saved.best_step, saved.best_score, saved.rollbacks) == (4, 9.0, 1)
    assert checkpoint.load_checkpoint(RunDirectory(tmp_path).best_checkpoint()).step == 4


def test_a_smaller_log_every_is_not_told_as_lost_lines(dataset, shown, tmp_path, caplog):
    """After the first rollback the checkpoint of step 5 has the new setting."""
    stop_after(with_output(CONFIG, log_every=4), tmp_path, dataset, 5)
    shown.bad = [5, 5]
    to_the_end(CONFIG, tmp_path, dataset)
    assert [row["step"] for row in rows_of(tmp_path / "log.jsonl")] == [4, 6]
    assert "are lost" not in caplog.text


def test_a_newer_checkpoint_resets_the_retry_budget(dataset, shown, tmp_path):
    often = with_output(CONFIG, checkpoint_every=1)
    shown.bad = [1, 2, 3, 4, 5]
    to_the_end(often, tmp_path, dataset)
    saved, _ = checkpoint.load_newest(RunDirectory(tmp_path))
    assert saved.rollbacks == 5


def test_a_process_that_dies_after_going_back_does_not_try_the_same_numbers(
    dataset, shown, tmp_path
):
    shown.bad = [4]
    for report in run(CONFIG, tmp_path, dataset):
        if report.step == 4 and checkpoint.load_newest(RunDirectory(tmp_path))[0].rollbacks:
            break  # as if killed: nothing was saved since it went back
    to_the_end(CONFIG, tmp_path, dataset)
    first, again = of_step(shown, 4)
    assert not torch.equal(first, again)


def test_the_count_is_stored_and_old_files_have_none(dataset, tmp_path):
    state = fresh_state(CONFIG, dataset.num_classes, CPU)
    before = digest_state(state)
    state.rollbacks = 2
    assert digest_state(state) != before
    layout = RunDirectory(tmp_path)
    writer = writer_of(layout, CONFIG, dataset)
    path = writer.save(state)
    other = fresh_state(CONFIG, dataset.num_classes, CPU)
    checkpoint.restore(other, checkpoint.load_checkpoint(path))
    assert other.rollbacks == 2
    content = checkpoint.unpack(checkpoint.read_verified(path))
    old = content.pop("facts").replace('"rollbacks": 2', '"unknown": 2')
    checkpoint.write_tensors(path, checkpoint.json.loads(old), content)
    assert checkpoint.load_checkpoint(path).rollbacks == 0


def test_when_an_evaluation_fails_the_step_is_saved_first(dataset, tmp_path, monkeypatch):
    def fails(*_):
        raise MemoryError

    monkeypatch.setattr(logger.Evaluator, "evaluate", fails)
    with pytest.raises(MemoryError):
        to_the_end(evaluating(CONFIG, every=3), tmp_path, dataset)
    assert checkpoint.load_newest(RunDirectory(tmp_path))[0].step == 3


def test_a_step_whose_line_cannot_be_written_is_not_saved_without_it(
    dataset, tmp_path, monkeypatch
):
    """The disk is full for the line alone: another process frees some of it just then."""
    append = jsonl.append

    def full(path, row):
        if row["step"] == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        append(path, row)

    with monkeypatch.context() as patch:
        patch.setattr(jsonl, "append", full)
        with pytest.raises(DiskFull):
            to_the_end(CONFIG, tmp_path, dataset)
    to_the_end(CONFIG, tmp_path, dataset)
    check_whole(CONFIG, tmp_path)


def test_a_state_is_as_fresh_as_new_when_there_was_no_checkpoint(dataset, shown, tmp_path):
    """Step 1 fails once: what is trained then is a fresh state with the seed of one rollback."""
    shown.bad = [0]
    to_the_end(CONFIG, tmp_path, dataset)
    found = digest_of(checkpoint.load_newest(RunDirectory(tmp_path))[0])
    root = tmp_path / "other"
    state = fresh_state(CONFIG, dataset.num_classes, CPU)
    state.rollbacks = 1
    layout = RunDirectory(root)
    root.mkdir()
    layout.lock.touch()
    writer = writer_of(layout, CONFIG, dataset)
    writer.save(state)
    resume(layout, replace(CONFIG), dataset, fresh_state(CONFIG, dataset.num_classes, CPU))
    to_the_end(CONFIG, root, dataset)
    assert digest_of(checkpoint.load_newest(layout)[0]) == found
