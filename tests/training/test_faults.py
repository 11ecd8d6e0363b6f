"""Full disks, lost folders and bad numbers: said in words, and nothing saved is touched."""

import copy
import errno
import os
import resource
import shutil
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from torch.utils._pytree import tree_map_only

from ssgan.files.atomic import TEMPORARY, DiskFull
from ssgan.files.run_directory import RunDirectory
from ssgan.methods.ssgan import SSGAN
from ssgan.runs import checkpoint
from ssgan.runs.state import fresh_state
from ssgan.training.feed import Feed
from ssgan.training.loop import train
from ssgan.training.nonfinite import restore_buffers_on_error
from ssgan.training.run import run
from ssgan.types import Loss, NonFinite, UserError
from tests.training.harness import check_whole, fork, train_in, wait, warm_up
from tests.training.tiny import (
    METHODS,
    SUCCESSORS,
    digest_state,
    evaluating,
    images,
    rows_of,
    stop_after,
    tiny,
    to_the_end,
    writer_of,
)
from tests.training.tiny import with_output as writing

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
CONFIG = writing(tiny(total_steps=4), checkpoint_every=1)
NOBODY = 65534
forking = pytest.mark.skipif(
    torch.accelerator.is_available(), reason="a process that has used an accelerator cannot fork"
)


@pytest.fixture(scope="module")
def dataset():
    return images()


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    """The digest of a run to which nothing happened."""
    return to_the_end(CONFIG, tmp_path_factory.mktemp("finished") / "run", dataset)


def newest_step(root):
    return checkpoint.load_newest(RunDirectory(root))[0].step


@forking
def test_a_limit_on_files_ends_the_run_in_words_and_the_last_save_stands(
    dataset, finished, tmp_path
):
    """For real: no file may grow beyond 100 kB, and a checkpoint is larger."""
    root, words = tmp_path / "run", tmp_path / "words"
    stop_after(CONFIG, root, dataset, 2)
    size = RunDirectory(root).checkpoint(2).stat().st_size

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            return train_in(CONFIG, root, dataset)
        except DiskFull as full:
            words.write_text(str(full))
            return 74

    assert wait(fork(limited)) == 74
    said = words.read_text()
    wanted = f"file too large: {RunDirectory(root).checkpoint(3)} needs {size:,} bytes, and "
    assert said == f"{wanted}a file may have 100,000 here (ulimit -f)"
    assert not list(root.rglob(TEMPORARY.format("*")))
    assert newest_step(root) == 2
    assert to_the_end(CONFIG, root, dataset) == finished


@forking
def test_a_full_disk_under_tensorboard_is_said_in_words_alone(dataset, tmp_path):
    """For real: the event file is the first to reach a size that nothing may exceed."""
    config = writing(CONFIG, checkpoint_every=100, log_every=1, tensorboard=True)
    errors = tmp_path / "errors"

    def limited():
        sys.stderr, threading.excepthook = errors.open("w"), threading.__excepthook__
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
        try:
            return train_in(replace(config, total_steps=100), tmp_path / "run", dataset)
        except DiskFull:
            return 74
        finally:
            sys.stderr.close()

    assert wait(fork(limited)) == 74
    assert errors.read_text() == ""
    (events,) = (tmp_path / "run" / "tensorboard").iterdir()
    assert events.stat().st_size == 6000


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, r"disk full: .* needs more than the .* are free"),
        (errno.EDQUOT, r"quota used up: .* needs more bytes, and your quota on this disk"),
        (errno.EFBIG, r"file too large: .* needs more bytes, and its file system takes"),
    ],
)
def test_a_full_disk_that_tears_a_log_line_is_said_and_mended(
    number, words, dataset, finished, tmp_path, monkeypatch
):
    write, torn = os.write, []

    def full(descriptor, data):
        if not bytes(data).startswith(b'{"step": 3') and not torn:
            return write(descriptor, data)
        if torn:
            raise OSError(number, os.strerror(number))
        torn.append(data)
        return write(descriptor, data[:20])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(DiskFull, match=words):
            to_the_end(CONFIG, tmp_path, dataset)
    assert (tmp_path / "log.jsonl").read_bytes().endswith(torn[0][:20])
    assert newest_step(tmp_path) == 2
    assert to_the_end(CONFIG, tmp_path, dataset) == finished
    check_whole(CONFIG, tmp_path)


def test_a_write_that_takes_only_a_part_is_continued(dataset, finished, tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:50]))
    to_the_end(replace(CONFIG, total_steps=1), tmp_path, dataset)
    monkeypatch.undo()
    assert [row["step"] for row in rows_of(tmp_path / "log.jsonl")] == [1]
    assert to_the_end(CONFIG, tmp_path, dataset) == finished


def test_a_folder_below_a_file_is_refused(dataset, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/run cannot be written: Not a directory"):
        to_the_end(CONFIG, tmp_path / "file" / "run", dataset)


@pytest.mark.parametrize("changes", [{"log_every": 1}, {"log_every": 100}])
def test_a_folder_that_vanishes_ends_the_run_and_is_not_half_made_again(changes, dataset, tmp_path):
    root = tmp_path / "run"
    steps = run(writing(CONFIG, **changes), root, dataset)
    next(steps)
    shutil.rmtree(root)
    with pytest.raises(UserError, match=f"{root}.* cannot be .*: No such file or directory"):
        next(steps)
    assert not root.exists()


@pytest.fixture
def open_to_all():
    """A directory that anybody can reach, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@forking
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can drop rights")
@pytest.mark.parametrize("case", ["new", "existing", "unreachable"])
def test_a_folder_without_rights_is_refused_before_training(case, dataset, open_to_all):
    root, words = open_to_all / "run", open_to_all / "words"
    words.touch()
    words.chmod(0o666)
    if case == "existing":
        stop_after(CONFIG, root, dataset, 1)
    if case == "unreachable":
        root = open_to_all / "closed" / "run"
        root.parent.mkdir(mode=0o700)

    warm_up(CONFIG, dataset)  # whoever has no rights cannot import what torch loads late

    def without_rights():
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            return train_in(CONFIG, root, dataset)
        except UserError as error:
            words.write_text(str(error))
            return 2

    assert wait(fork(without_rights)) == 2
    assert words.read_text() == f"{root} cannot be written: Permission denied"
    assert case != "existing" or newest_step(root) == 1


class Injector:
    """Makes one number bad in the update of a step, and keeps the state from before it."""

    def __init__(self, state, monkeypatch, step, network):
        self.state, self.step, self.network = state, step, network
        self.patch, self.before = monkeypatch, None
        self.bad = float("nan")
        self.patch.setattr("ssgan.training.step.restore_buffers_on_error", self.watched)

    @contextmanager
    def watched(self, *networks):
        """Keeps the state from before every update."""
        self.before = snapshot(self.state)
        with restore_buffers_on_error(*networks):
            yield

    def due(self, step, network):
        return step == self.step and network == self.network

    def image(self):
        real = Feed._real

        def injected(feed, step, index):
            batch = real(feed, step, index)
            if self.due(step, "D"):
                batch.images[-1, 0, 3, 3] = self.bad  # one of the turned
            return batch

        self.patch.setattr(Feed, "_real", injected)

    def latent(self):
        draw = Feed._draw

        def injected(feed, network, step, index):
            drawn = draw(feed, network, step, index)
            if self.due(step, network):
                drawn.latents[0, 0] = self.bad
            return drawn

        self.patch.setattr(Feed, "_draw", injected)

    def loss(self):
        name = {"D": "discriminator_loss", "G": "generator_loss"}[self.network]
        real = getattr(SSGAN, name)

        def injected(method, *arguments):
            loss = real(method, *arguments)
            if not self.due(self.state.step, self.network):
                return loss
            bad = loss.terms["rotation"] * self.bad
            return Loss(loss.total + bad, {**loss.terms, "rotation": bad})

        self.patch.setattr(SSGAN, name, injected)

    def gradient(self):
        network = {"D": self.state.discriminator, "G": self.state.generator}[self.network]

        def injected(gradient):
            if self.due(self.state.step, self.network):
                gradient = gradient.clone()
                gradient.view(-1)[-1] = self.bad
            return gradient

        list(network.parameters())[-1].register_hook(injected)


def snapshot(state):
    """Copies of all weights and buffers, and of what both Adams hold."""
    networks = (state.generator, state.discriminator, state.generator_ema)
    optimizers = (state.generator_optimizer, state.discriminator_optimizer)
    held = (
        [network.state_dict() for network in networks],
        [optimizer.state_dict()["state"] for optimizer in optimizers],
    )
    return tree_map_only(torch.Tensor, lambda tensor: tensor.detach().clone(), held)


BAD = [
    ("image", "D", r"D/adversarial, D/rotation"),
    ("latent", "D", r"D/adversarial"),
    ("latent", "G", r"G/adversarial, G/rotation"),
    ("loss", "D", r"D/rotation"),
    ("loss", "G", r"G/rotation"),
    ("gradient", "D", r"the gradient of D"),
    ("gradient", "G", r"the gradient of G"),
]


def bad_cases():
    """Each place with both numbers and both precisions; one of the two pairings is long."""
    for number, place in enumerate(BAD):
        for bad, precision in product(("nan", "inf"), ("float32", "bfloat16")):
            kept = ((bad == "nan") + (precision == "float32") + number) % 2 == 0
            marks = () if kept else pytest.mark.long
            yield pytest.param(*place, float(bad), precision, marks=marks)


@pytest.mark.parametrize(("where", "network", "named", "bad", "precision"), list(bad_cases()))
def test_a_bad_number_is_named_and_changes_nothing(
    where, network, named, bad, precision, dataset, monkeypatch
):
    """Not one bit of weights, batch statistics, spectral vectors, the average, Adam's moments."""
    config = replace(CONFIG, precision=precision)
    state = fresh_state(config, dataset.num_classes, CPU)
    injector = Injector(state, monkeypatch, 2, network)
    injector.bad = bad
    getattr(injector, where)()
    steps = train(config, dataset, state)
    assert [next(steps).step for _ in range(2)] == [1, 2]
    with pytest.raises(NonFinite, match=rf"not a finite number: {named}.*; the update was refused"):
        next(steps)
    assert injector.before is not None
    torch.testing.assert_close(snapshot(state), injector.before, rtol=0, atol=0)
    assert all(tensor.isfinite().all() for tensor in checkpoint.state_tensors(state))
    assert state.step == 2


def test_whoever_catches_the_refusal_can_go_on_as_if_nothing_had_been(dataset, monkeypatch):
    states = [fresh_state(CONFIG, dataset.num_classes, CPU) for _ in range(2)]
    with monkeypatch.context() as patch:
        Injector(states[0], patch, 2, "D").image()
        with pytest.raises(NonFinite):
            list(train(CONFIG, dataset, states[0]))
    for state in states:
        list(train(CONFIG, dataset, state))
    assert digest_state(states[0]) == digest_state(states[1])


def test_with_the_guard_off_the_bad_number_does_arrive(dataset, monkeypatch):
    """So the test above can fail."""
    state = fresh_state(CONFIG, dataset.num_classes, CPU)
    injector = Injector(state, monkeypatch, 2, "D")
    injector.gradient()
    monkeypatch.setattr("ssgan.training.step.check_finite", lambda _, terms, name: terms)
    for _ in train(replace(CONFIG, total_steps=3), dataset, state):
        pass
    assert any(weight.isnan().any() for weight in state.discriminator.parameters())


def test_no_checkpoint_has_a_bad_number_and_the_run_can_be_continued(
    dataset, finished, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        Injector(fresh_state(CONFIG, 0, CPU), patch, 2, "G").latent()
        with pytest.raises(NonFinite, match="G/adversarial"):
            to_the_end(CONFIG, tmp_path, dataset)
    assert [row["step"] for row in rows_of(tmp_path / "log.jsonl")] == [1, 2]
    found, passed_over = checkpoint.load_newest(RunDirectory(tmp_path))
    assert (found.step, passed_over) == (2, [])
    state = fresh_state(CONFIG, dataset.num_classes, CPU)
    checkpoint.restore(state, found)
    assert all(tensor.isfinite().all() for tensor in checkpoint.state_tensors(state))
    assert to_the_end(CONFIG, tmp_path, dataset) != finished  # by other random numbers


@pytest.mark.parametrize("name", METHODS | SUCCESSORS)
def test_looking_at_a_run_does_not_change_it(name, dataset, tmp_path):
    """Samples and evaluations after every step, against none."""
    plain = tiny(name, total_steps=3)
    seen = evaluating(writing(plain, sample_every=1, log_every=1), every=1)
    unseen = evaluating(writing(plain, sample_every=0, log_every=100), every=0)
    tensors = []
    for config, root in ((seen, tmp_path / "seen"), (unseen, tmp_path / "unseen")):
        to_the_end(config, root, dataset)
        tensors.append(checkpoint.load_newest(RunDirectory(root))[0].tensors)
    torch.testing.assert_close(*tensors, rtol=0, atol=0)
    rows = rows_of(tmp_path / "seen" / "metrics.jsonl")
    assert [row["step"] for row in rows if row["name"] == "FD-random"] == [1, 2, 3]
    assert not (tmp_path / "unseen" / "metrics.jsonl").exists()


def open_files():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are counted in /proc")
def test_saves_starts_and_stops_leave_no_file_open(dataset, tmp_path):
    state = fresh_state(CONFIG, dataset.num_classes, CPU)
    writer = writer_of(RunDirectory(tmp_path), CONFIG, dataset)
    before = open_files()
    for step in range(20):
        state.step = step
        checkpoint.load_checkpoint(writer.save(state))
    assert open_files() == before
    for step in range(1, 4):
        stop_after(CONFIG, tmp_path / "run", dataset, step)
    assert open_files() == before


def test_a_state_can_be_copied_for_such_tests(dataset):
    """A snapshot is not a view: it stays when the state goes on."""
    state = fresh_state(CONFIG, dataset.num_classes, CPU)
    before = snapshot(state)
    same = copy.deepcopy(before)
    next(train(CONFIG, dataset, state))
    torch.testing.assert_close(before, same, rtol=0, atol=0)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(snapshot(state)[0], before[0], rtol=0, atol=0)
