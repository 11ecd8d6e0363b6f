"""Killed at any instant, a run continues as if nothing had been; asked to stop, it saves."""

import os
import signal
import socket
import subprocess
import sys
import time
from itertools import groupby

import pytest
import torch

from ssgan.cli.main import main
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.types import UserError
from tests.training import harness
from tests.training.harness import Tally, fork, train_in, wait, wait_for
from tests.training.tiny import METHODS, STEPS, evaluating, images, tiny, to_the_end
from tests.training.tiny import with_output as writing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        torch.accelerator.is_available(),
        reason="a process that has used an accelerator cannot fork: use benchmarks/kill_harness.py",
    ),
]

CONFIG = writing(tiny(), checkpoint_every=1)
SIGNALS = [
    (signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129), (signal.SIGUSR1, 0),
]  # fmt: skip


@pytest.fixture(scope="module")
def dataset():
    return images()


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    """The digest of the uninterrupted run."""
    root = tmp_path_factory.mktemp("finished") / "run"
    return harness.reference(CONFIG, root, dataset)[0]


def newest_step(root):
    found, passed_over = checkpoint.load_newest(RunDirectory(root))
    assert passed_over == []
    return found.step


@pytest.mark.long
def test_killed_at_random_instants_every_run_ends_with_the_same_bits(dataset, tmp_path):
    """One run a method, two kills each; seed 0. The command of benchmarks/ has many more."""
    total = Tally()
    for number, name in enumerate(METHODS):
        config = writing(tiny(name), checkpoint_every=1)
        total += harness.random_kills(config, tmp_path / name, dataset, 1, seed=number)
    assert total.runs == total.equal == len(METHODS)
    assert total.sent == 2 * len(METHODS)
    assert total.landed >= total.sent / 2  # each first kill has lines to come: see random_kills


def thinned(points):
    """The numbers of all points, but of the 16 KiB pieces of a file the first, middle and last."""
    for wrote, group in groupby(range(len(points)), lambda i: points[i].startswith("wrote:")):
        numbers = list(group)
        yield from sorted(
            {numbers[0], numbers[len(numbers) // 2], numbers[-1]} if wrote else numbers
        )


def test_killed_at_any_point_of_a_save_nothing_is_lost(dataset, tmp_path):
    """The last two of four files: the best so far, and the third checkpoint, which prunes."""
    config = tiny("rotation-only", total_steps=3)
    config = evaluating(writing(config, checkpoint_every=1), every=3)
    points = harness.points_of(config, tmp_path / "listed", dataset)
    starts = [number for number, point in enumerate(points) if point == "serialised"]
    assert len(starts) == 4
    chosen = [number for number in thinned(points) if number >= starts[2]]
    tally = harness.kills_at_points(config, tmp_path, dataset, chosen, points)
    assert {points[number] for number in chosen} >= {
        "serialised",
        "opened",
        "synced",
        "renamed",
        "folder-synced",
        "pruned",
    }
    assert tally.runs == tally.landed == tally.equal == len(chosen)


def test_a_harness_that_sees_nothing_would_be_seen(dataset, tmp_path, finished, monkeypatch):
    """With a resume that forgets the average, the killed run's digest is another."""
    restore = checkpoint.restore

    def forgetful(state, saved):
        average = {k: v.clone() for k, v in state.generator_ema.state_dict().items()}
        restore(state, saved)
        state.generator_ema.load_state_dict(average)

    monkeypatch.setattr(checkpoint, "restore", forgetful)
    code = wait(fork(lambda: train_in(CONFIG, tmp_path, dataset, harness.die_at(20))))
    assert code == -signal.SIGKILL
    assert harness.finished(CONFIG, tmp_path, dataset) != finished


def test_a_save_is_forced_to_disk_before_it_gets_its_name_and_old_ones_go_last(
    dataset, tmp_path, monkeypatch
):
    to_the_end(writing(tiny(total_steps=2), checkpoint_every=1), tmp_path, dataset)
    calls = []

    def watch(name):
        real = getattr(os, name)

        def called(*arguments, **named):
            folder = name == "fsync" and os.path.isdir(f"/proc/self/fd/{arguments[0]}")
            calls.append("fsync folder" if folder else name)
            return real(*arguments, **named)

        monkeypatch.setattr(os, name, called)

    seen = []

    def mark(point):
        if point == "serialised":
            calls.clear()
            for name in ("write", "fsync", "replace", "unlink"):
                watch(name)
        if point == "pruned":
            monkeypatch.undo()
            seen.extend(name for name, _ in groupby(calls))

    steps = harness.run(CONFIG, tmp_path, dataset, crash=mark)
    next(steps)
    steps.close()
    assert seen == ["write", "fsync", "replace", "fsync folder", "unlink"]


def test_what_a_checkpoint_has_logged_is_forced_to_disk_before_it(dataset, tmp_path, monkeypatch):
    """Else a loss of power leaves a checkpoint ahead of its log, and lines for ever lost."""
    layout, replace, fsync = RunDirectory(tmp_path), os.replace, os.fsync
    safe = {}  # bytes of each file that are on the disk

    def synced(descriptor):
        fsync(descriptor)
        safe[os.readlink(f"/proc/self/fd/{descriptor}")] = os.fstat(descriptor).st_size

    seen = []

    def replaced(old, new):
        if new == layout.checkpoint(STEPS):
            logs = (layout.log, layout.metrics)
            seen.extend((path.stat().st_size, safe.get(str(path))) for path in logs)
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    to_the_end(evaluating(CONFIG, every=STEPS), tmp_path, dataset)
    assert len(seen) == 2
    assert all(size == on_disk for size, on_disk in seen), seen


def at_step(step, *numbers):
    """Sends itself the signals once that step is done."""

    def watch(report):
        if report.step == step:
            for number in numbers:
                os.kill(os.getpid(), number)
                time.sleep(0.005)

    return watch


def at_point(point, save, *numbers, pause=0.005):
    """Sends itself the signals within that save, from 1, when it passes the point."""
    passed = 0

    def crash(name):
        nonlocal passed
        passed += name == point
        if name == point and passed == save:
            for number in numbers:
                os.kill(os.getpid(), number)
                time.sleep(pause)

    return crash


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_ends_the_run_after_its_step_with_the_state_saved(
    number, code, dataset, tmp_path, finished
):
    rarely = writing(CONFIG, checkpoint_every=STEPS)
    asked = 3

    def work():
        signal.signal(number, signal.SIG_DFL)  # whatever started the tests
        return train_in(rarely, tmp_path, dataset, watch=at_step(asked, number))

    assert wait(fork(work)) == code
    assert newest_step(tmp_path) == asked + 1
    assert harness.finished(CONFIG, tmp_path, dataset) == finished


def test_under_nohup_a_closed_terminal_does_not_end_the_run(dataset, tmp_path):
    def work():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return train_in(CONFIG, tmp_path, dataset, watch=at_step(3, signal.SIGHUP))

    assert wait(fork(work)) == 0
    assert newest_step(tmp_path) == STEPS


@pytest.mark.parametrize("verb", ["train", "demo", "forget"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGUSR1, 0), (signal.SIGINT, 130)])
def test_a_signal_before_the_first_step_ends_with_its_code(verb, number, code, monkeypatch):
    """While images are prepared, say; there is nothing to save."""

    def preparing(argv):
        os.kill(os.getpid(), number)
        time.sleep(60)

    work = {"train": "train.main", "demo": "demo.main", "forget": "forget.main"}[verb]
    monkeypatch.setattr(f"ssgan.cli.{work}", preparing)
    words = {"train": ["scenes:gan"], "forget": ["--data", "scenes", "--out", "out"]}
    assert wait(fork(lambda: main([verb, *words.get(verb, [])]))) == code


ASKED_WHILE_IMPORTING = """
import os, sys
from ssgan.cli.main import main

class Asking:
    def find_spec(name, path, target=None):
        if name == "torch":
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Asking)
sys.exit(main(["train", "scenes:gan", "--dry-run"]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGUSR1, 0), (signal.SIGINT, 130)])
def test_a_signal_while_pytorch_is_imported_ends_with_its_code(number, code):
    lines = ASKED_WHILE_IMPORTING.format(number=int(number))
    ended = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("point", ["serialised", "opened", "synced", "renamed"])
def test_a_signal_during_a_save_lets_it_finish(point, dataset, tmp_path, finished):
    crash = at_point(point, 2, signal.SIGTERM)
    assert wait(fork(lambda: train_in(CONFIG, tmp_path, dataset, crash))) == 143
    assert newest_step(tmp_path) == 3
    assert harness.finished(CONFIG, tmp_path, dataset) == finished


def test_a_signal_from_outside_is_obeyed_at_once(dataset, tmp_path, finished):
    """At an unknown place within a step of a run that would go on for long."""
    endless = writing(tiny(total_steps=100_000), checkpoint_every=100_000)
    child = fork(lambda: train_in(endless, tmp_path, dataset))
    wait_for(child, tmp_path / "log.jsonl", lines=2)
    os.kill(child, signal.SIGTERM)
    assert wait(child) == 143
    logged = harness.rows_of(tmp_path / "log.jsonl")
    assert newest_step(tmp_path) == len(logged)


@pytest.mark.parametrize(
    ("first", "second"), [(signal.SIGTERM, signal.SIGTERM), (signal.SIGUSR1, signal.SIGINT)]
)
def test_a_second_signal_ends_the_run_at_once_and_it_still_continues(
    first, second, dataset, tmp_path, finished
):
    crash = at_point("synced", 2, first, second, pause=0.6)
    assert wait(fork(lambda: train_in(CONFIG, tmp_path, dataset, crash))) == -second
    assert newest_step(tmp_path) == 1
    assert harness.finished(CONFIG, tmp_path, dataset) == finished


def test_one_that_follows_in_an_instant_is_the_same_signal(dataset, tmp_path):
    crash = at_point("synced", 2, signal.SIGTERM, signal.SIGTERM)
    assert wait(fork(lambda: train_in(CONFIG, tmp_path, dataset, crash))) == 143


def test_asked_at_its_last_step_the_run_is_done_and_not_interrupted(dataset, tmp_path, finished):
    child = fork(
        lambda: train_in(CONFIG, tmp_path, dataset, watch=at_step(STEPS - 1, signal.SIGTERM))
    )
    assert wait(child) == 0
    assert newest_step(tmp_path) == STEPS


def test_a_second_run_is_refused_and_the_lock_dies_with_its_owner(dataset, tmp_path, finished):
    first = fork(lambda: train_in(CONFIG, tmp_path, dataset, watch=lambda _: time.sleep(60)))
    try:
        wait_for(first, tmp_path / "log.jsonl", lines=1)
        words = f"{tmp_path} is in use by process {first} on {socket.gethostname()}"
        with pytest.raises(UserError, match=words):
            to_the_end(CONFIG, tmp_path, dataset)
    finally:
        os.kill(first, signal.SIGKILL)
        assert wait(first) == -signal.SIGKILL
    assert to_the_end(CONFIG, tmp_path, dataset) == finished
