"""Under random orders of all that can happen to a run, its state is f(config, data, step).

Seeded walks over: train some steps, kill, resume, add an image, change a harmless setting, corrupt
the newest checkpoint, cut the log.
"""

import random
import shutil

import pytest
import torch

from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.training.run import run
from ssgan.types import UserError
from tests.files.mutants import FAULTS
from tests.training.harness import check_whole, die_at, fork, train_in, wait
from tests.training.tiny import digest_of, digest_on_disk, images, stop_after, tiny
from tests.training.tiny import with_output as writing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        torch.accelerator.is_available(), reason="a process that has used it cannot fork"
    ),
]

STEPS, MOVES, SEEDS = 8, 12, 3
CONFIG = writing(tiny(total_steps=STEPS), checkpoint_every=1)


@pytest.fixture(scope="module")
def dataset():
    return images()


@pytest.fixture(scope="module")
def digests(dataset, tmp_path_factory):
    """The state after every step, of a run to which nothing happens."""
    root, found = tmp_path_factory.mktemp("undisturbed") / "run", {}
    for report in run(CONFIG, root, dataset):
        saved = checkpoint.load_checkpoint(report.checkpoint)
        found[saved.step] = digest_of(saved)
    assert list(found) == list(range(1, STEPS + 1))
    assert len(set(found.values())) == STEPS
    return found


class Machine:
    """One run, and what may happen to it. A move returns whether it did something."""

    def __init__(self, root, dataset, draw):
        self.layout, self.dataset, self.draw = RunDirectory(root), dataset, draw
        self.config = CONFIG

    def newest(self):
        return checkpoint.load_newest(self.layout)[0]

    @property
    def step(self):
        return 0 if (saved := self.newest()) is None else saved.step

    def train(self):
        last = min(STEPS, self.step + self.draw.randint(1, 3))
        stop_after(self.config, self.layout.root, self.dataset, last)
        return True

    def kill(self):
        """At a point of a save, which may be the first one after a start."""
        point = self.draw.randrange(60)
        crash = die_at(point)
        return (
            wait(fork(lambda: train_in(self.config, self.layout.root, self.dataset, crash))) == -9
        )

    def add_image(self):
        """A refused start, which leaves everything as it was."""
        if self.newest() is None:
            return False
        other = images(seed=1)
        before = {p: p.read_bytes() for p in self.layout.checkpoint_files()}
        with pytest.raises(UserError, match="was trained on other images"):
            next(run(self.config, self.layout.root, other))
        assert {p: p.read_bytes() for p in self.layout.checkpoint_files()} == before
        return True

    def change_harmless(self):
        every, rows = self.draw.choice([1, 2]), self.draw.choice([1, 2])
        sample = self.draw.choice([0, 3])
        self.config = writing(
            self.config, checkpoint_every=every, sample_every=sample, sample_rows=rows
        )
        return True

    def corrupt_newest(self):
        """While there is an older one; else the run can only be refused."""
        files = self.layout.checkpoint_files()
        if len(files) < 2 or self.newest().path != files[0]:
            return False
        kind, data = self.draw.choice(list(FAULTS)), bytearray(files[0].read_bytes())
        FAULTS[kind](data, self.draw)
        changed = bytes(data) != files[0].read_bytes()
        files[0].write_bytes(data)
        return changed

    def cut_log(self):
        """A torn line of a step that is not saved: the newest line that may be lost."""
        if not self.layout.log.exists():
            return False
        with self.layout.log.open("ab") as log:
            log.write(b'{"step": 9999, "D/rota')
        return True


WAYS = ("train", "kill", "kill", "add_image", "change_harmless", "corrupt_newest", "cut_log")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_happens_the_state_is_that_of_its_step(
    seed, dataset, digests, tmp_path, record_property
):
    draw = random.Random(seed)
    machine, done = Machine(tmp_path / "run", dataset, draw), []
    for _ in range(MOVES):
        move = draw.choice(WAYS)
        if machine.step == STEPS:  # begin again, in another directory
            check_whole(CONFIG, machine.layout.root)
            shutil.rmtree(machine.layout.root)
        if getattr(machine, move)():
            done.append(move)
        saved = machine.newest()
        assert saved is None or digest_of(saved) == digests[saved.step], (seed, done)
    for _ in run(machine.config, machine.layout.root, dataset):
        pass
    assert digest_on_disk(CONFIG, machine.layout.root, dataset) == digests[STEPS], (seed, done)
    check_whole(CONFIG, machine.layout.root)
    record_property(f"moves of seed {seed}", len(done))
    assert len(done) > MOVES / 3
