"""A checkpoint holds everything, is whole or passed over, and is never worse than nothing."""

import copy
import errno
import hashlib
import io
import json
import logging
import os
import pickle
import random
import shutil
import zipfile
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from torch.utils._pytree import tree_flatten

from ssgan.files import sealed_file
from ssgan.files.atomic import TEMPORARY
from ssgan.files.run_directory import FORMAT_VERSION, RunDirectory
from ssgan.runs import checkpoint
from ssgan.runs.checkpoint import Damaged
from ssgan.runs.config import AdamConfig
from ssgan.runs.state import TrainState, fresh_state
from ssgan.training.loop import train
from ssgan.training.run import run
from ssgan.types import UserError
from tests.training.tiny import (
    STEPS,
    digest_of,
    digest_state,
    images,
    stop_after,
    tiny,
    to_the_end,
    writer_of,
)
from tests.training.tiny import with_output as writing

CPU = torch.device("cpu")
OLDER, NEWER = 3, 4


def steps_of(layout):
    return [int(path.stem[5:]) for path in layout.checkpoint_files()]


@pytest.fixture(scope="module")
def dataset():
    return images()


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    """The digest of the uninterrupted run."""
    return to_the_end(tiny(), tmp_path_factory.mktemp("finished") / "run", dataset)


@pytest.fixture(scope="module")
def stopped(dataset, tmp_path_factory):
    """The directory of a run with checkpoints of two steps."""
    root = tmp_path_factory.mktemp("stopped") / "run"
    for step in (OLDER, NEWER):
        stop_after(tiny(), root, dataset, step)
    assert steps_of(RunDirectory(root)) == [NEWER, OLDER]
    return root


@pytest.fixture
def root(stopped, tmp_path):
    return Path(shutil.copytree(stopped, tmp_path / "run"))


def busy(dataset):
    """A config in which no piece of the state is idle, and its state after two steps."""
    adam = AdamConfig(beta1=0.5)
    config = tiny(generator_optimizer=adam, discriminator_optimizer=adam)
    for report in train(replace(config, total_steps=2), dataset):
        state = report.state
    state.best_score, state.best_step = 0.25, 1
    state.rollbacks, state.evaluated = 2, False
    for field in fields(TrainState):
        assert getattr(state, field.name) != field.default, f"{field.name} could be forgotten"
    return config, state


def leaves_of(value):
    """Every tensor and plain value within a field of the state."""
    if isinstance(value, torch.nn.Module):
        modes = [(name, module.training) for name, module in value.named_modules()]
        grads = [(name, weight.requires_grad) for name, weight in value.named_parameters()]
        tensors = [*value.named_parameters(), *value.named_buffers()]
        return [*modes, *grads, *tensors]
    if isinstance(value, torch.optim.Optimizer):
        return list(enumerate(tree_flatten(value.state_dict())[0]))
    return [("itself", value)]


def test_every_tensor_and_number_of_a_state_comes_back(dataset, tmp_path):
    config, state = busy(dataset)
    writer = writer_of(RunDirectory(tmp_path), config, dataset)
    path = writer.save(state)
    fresh = fresh_state(config, dataset.num_classes, CPU)
    assert digest_state(fresh) != digest_state(state)
    checkpoint.restore(fresh, checkpoint.load_checkpoint(path))
    assert digest_state(fresh) == digest_state(state) == digest_of(checkpoint.load_checkpoint(path))
    for field in fields(TrainState):
        there, back = leaves_of(getattr(state, field.name)), leaves_of(getattr(fresh, field.name))
        for (name, old), (same, new) in zip(there, back, strict=True):
            assert name == same
            if isinstance(old, torch.Tensor):
                assert (old.dtype, old.stride()) == (new.dtype, new.stride()), (field.name, name)
                assert torch.equal(old, new), (field.name, name)
            else:
                assert old == new, (field.name, name)


def drop_moment(optimizer, name):
    for entry in optimizer.state.values():
        entry[name] = torch.zeros_like(entry[name])


def drop_buffers(network, fresh, ending):
    for (name, buffer), other in zip(network.named_buffers(), fresh.buffers(), strict=True):
        if name.endswith(ending):
            buffer.copy_(other)


FORGETTING = {
    name: lambda state, fresh, name=name: setattr(state, name, getattr(fresh, name))
    for name in ("step", "best_score", "best_step", "rollbacks", "generator_ema")
}
FORGETTING |= {
    f"{network} weights": lambda state, fresh, network=network: [
        weight.data.copy_(other.data)
        for weight, other in zip(
            getattr(state, network).parameters(), getattr(fresh, network).parameters(), strict=True
        )
    ]
    for network in ("generator", "discriminator")
}
FORGETTING |= {
    f"{network} {ending}": lambda state, fresh, network=network, ending=ending: drop_buffers(
        getattr(state, network), getattr(fresh, network), ending
    )
    for network, ending in [
        ("generator", "mean"),
        ("generator", "var"),
        ("generator_ema", "mean"),
        ("discriminator", "spectral_u"),
    ]
}
FORGETTING |= {
    f"{name} {moment}": lambda state, fresh, name=name, moment=moment: drop_moment(
        getattr(state, name), moment
    )
    for name in ("generator_optimizer", "discriminator_optimizer")
    for moment in ("exp_avg", "exp_avg_sq", "step")
}


def gone_on(config, dataset, state):
    for _ in train(replace(config, total_steps=4), dataset, state):
        pass
    return digest_state(state)


@pytest.fixture(scope="module")
def halfway(dataset):
    config, state = busy(dataset)
    return config, state, gone_on(config, dataset, copy.deepcopy(state))


@pytest.mark.parametrize("piece", [None, *FORGETTING])
def test_a_resumed_run_that_forgot_any_piece_ends_elsewhere(piece, halfway, dataset, tmp_path):
    config, state, expected = halfway
    writer = writer_of(RunDirectory(tmp_path), config, dataset)
    saved = checkpoint.load_checkpoint(writer.save(state))
    resumed = fresh_state(config, dataset.num_classes, CPU)
    checkpoint.restore(resumed, saved)
    if piece is not None:
        FORGETTING[piece](resumed, fresh_state(config, dataset.num_classes, CPU))
    same = gone_on(config, dataset, resumed) == expected
    assert same == (piece is None)


def damages(data):
    """Twenty cuts and fifty flipped bits, over the whole file and its last bytes."""
    draw = random.Random(0)
    places = [0, 1, 37, 38, 39, len(data) // 2, len(data) - 39, len(data) - 38, len(data) - 1]
    for place in places + [draw.randrange(len(data)) for _ in range(20 - len(places))]:
        yield data[:place]
    trailer = [len(data) - 1 - back for back in range(0, 38, 4)]
    for place in trailer + [draw.randrange(len(data)) for _ in range(50 - len(trailer))]:
        flipped = bytearray(data)
        flipped[place] ^= 1 << draw.randrange(8)
        yield bytes(flipped)


def test_no_cut_and_no_flipped_bit_is_ever_read(root):
    path = RunDirectory(root).checkpoint(NEWER)
    cases = list(damages(path.read_bytes()))
    assert len(cases) == 70
    for data in cases:
        path.write_bytes(data)
        with pytest.raises(Damaged, match=path.name):
            checkpoint.load_checkpoint(path)


@pytest.mark.parametrize("which", [0, 5, 69])
def test_a_damaged_newest_file_is_named_and_the_run_ends_the_same(
    which, root, dataset, finished, caplog
):
    path = RunDirectory(root).checkpoint(NEWER)
    path.write_bytes(list(damages(path.read_bytes()))[which])
    found, passed_over = checkpoint.load_newest(RunDirectory(root))
    assert found.step == OLDER
    assert [path.name in sentence for sentence in passed_over] == [True]
    with caplog.at_level(logging.WARNING, "ssgan"):
        assert to_the_end(tiny(), root, dataset) == finished
    assert path.name in caplog.text
    assert path.with_suffix(".damaged").exists()


def test_with_every_file_damaged_the_run_never_starts_over_by_itself(root, dataset):
    paths = RunDirectory(root).checkpoint_files()
    for path in paths:
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="none is whole"):
        to_the_end(tiny(), root, dataset)
    assert RunDirectory(root).checkpoint_files() == paths


def test_a_good_file_that_cannot_be_read_now_is_neither_passed_over_nor_renamed(
    root, dataset, finished, monkeypatch
):
    """A disk error, or another user's rights: as root chmod stops nothing, so it is planted."""
    paths = RunDirectory(root).checkpoint_files()

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(sealed_file, "SealedFile", refuse)
        with pytest.raises(UserError, match="cannot be read: Permission denied"):
            checkpoint.load_newest(RunDirectory(root))
    with monkeypatch.context() as patch:
        patch.setattr(
            checkpoint.torch, "load", lambda *a, **k: (_ for _ in ()).throw(MemoryError())
        )
        with pytest.raises(UserError, match="whole but cannot be used"):
            to_the_end(tiny(), root, dataset)
    assert RunDirectory(root).checkpoint_files() == paths
    assert to_the_end(tiny(), root, dataset) == finished


def sealed(path, payload):
    """Write a payload of anybody's making with a right trailer."""
    path.write_bytes(payload + b"ssgan1" + hashlib.sha256(payload).digest())


def zipped(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def packed(payload):
    """The same archive, compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(payload)) as old, zipfile.ZipFile(buffer, "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return buffer.getvalue()


class Evil:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("forced", [False, True])
def test_a_file_never_runs_code(forced, tmp_path, monkeypatch):
    """Neither as a bare pickle nor inside an archive of torch, with a right trailer."""
    if forced:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    canary, path = tmp_path / "canary", tmp_path / "step-00000001.ckpt"
    bare = pickle.dumps({"facts": Evil(canary)})
    legacy = io.BytesIO()
    torch.save({"facts": Evil(canary)}, legacy, _use_new_zipfile_serialization=False)
    for payload in (bare, legacy.getvalue(), zipped({"facts": Evil(canary)})):
        sealed(path, payload)
        with pytest.raises((Damaged, UserError), match="not a checkpoint of"):
            checkpoint.load_checkpoint(path)
    assert not canary.exists()
    pickle.loads(bare)  # the canary can sing
    assert canary.exists()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"text",
        zipped([]),
        zipped({}),
        zipped({"facts": "{"}),
        zipped({"facts": "[]"}),
        zipped({"facts": json.dumps({"format": "one"})}),
        zipped({"facts": json.dumps({"format": FORMAT_VERSION})}),
        packed(zipped({"facts": json.dumps({"format": FORMAT_VERSION})})),
    ],
    ids=range(9),
)
def test_whatever_is_wrong_inside_has_one_name(payload, tmp_path):
    path = tmp_path / "step-00000001.ckpt"
    sealed(path, payload)
    with pytest.raises((Damaged, UserError), match=path.name):
        checkpoint.load_checkpoint(path)


def test_a_newer_format_is_refused_in_words_and_left_alone(root, dataset):
    path = RunDirectory(root).checkpoint(NEWER)
    content = torch.load(io.BytesIO(path.read_bytes()[:-38]), weights_only=True)
    facts = json.loads(content.pop("facts")) | {"format": FORMAT_VERSION + 1}
    sealed(path, zipped({"facts": json.dumps(facts), **content}))
    before = path.read_bytes()
    words = f"{path.name} was written by a newer ssgan, in format {FORMAT_VERSION + 1}.*update"
    with pytest.raises(UserError, match=words):
        to_the_end(tiny(), root, dataset)
    assert path.read_bytes() == before


def test_tensors_of_other_networks_are_refused_in_one_line(root, dataset):
    saved = checkpoint.load_checkpoint(RunDirectory(root).checkpoint(NEWER))
    other = fresh_state(tiny("gan"), 0, CPU)  # D has no second head
    with pytest.raises(UserError, match=r"does not fit discriminator: [^\n]*$"):
        checkpoint.restore(other, saved)


def test_the_two_newest_are_there_at_every_instant_and_the_best_as_well(dataset, tmp_path):
    config = writing(tiny("rotation-only"), checkpoint_every=1)
    layout, counts = RunDirectory(tmp_path), []

    def watch(point):
        steps = steps_of(layout)
        counts.append(len(steps))
        newest = max(steps, default=0)
        assert steps == list(range(newest, newest - len(steps), -1))
        assert len(steps) >= min(newest, 2)
        assert layout.best_checkpoint().exists() or newest < 2
        if point == "renamed" and steps:
            assert checkpoint.load_newest(layout)[0].step == newest

    steps = [report.step for report in run(config, tmp_path, dataset, crash=watch)]
    assert steps[-1] == STEPS
    assert max(counts) == 3  # two, and the one that has just got its name
    assert steps_of(layout) == [STEPS, STEPS - 1]


def test_the_best_file_holds_the_average_at_the_best_step(dataset, tmp_path):
    config, averages = tiny("rotation-only"), {}
    for _ in run(config, tmp_path, dataset):
        pass
    for report in train(config, dataset):
        averages[report.step] = copy.deepcopy(report.state.generator_ema.state_dict())
    best = checkpoint.load_checkpoint(RunDirectory(tmp_path).best_checkpoint())
    assert best.step == best.best_step
    scores = (tmp_path / "metrics.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, scores) if row["name"] == "FD-random"]
    values = {row["step"]: row["value"] for row in rows}
    assert values[best.step] == best.best_score == min(values.values())
    for name, value in averages[best.step].items():
        assert torch.equal(value, best.tensors["generator_ema"][name])


def test_leavings_of_dead_runs_never_block_and_copies_of_the_user_stay(
    root, dataset, finished, caplog
):
    layout = RunDirectory(root)
    strays = [
        folder / TEMPORARY.format("0" * 16)
        for folder in (root, layout.checkpoints, layout.best, layout.samples)
    ]
    for stray in strays:
        stray.parent.mkdir(exist_ok=True)
        stray.write_bytes(b"half a file")
    layout.lock.write_bytes(b'{"host": "gone", "process": 1')
    layout.checkpoint(90).write_bytes(b"")
    layout.checkpoint(91).mkdir()
    shutil.copy(layout.checkpoint(OLDER), layout.checkpoint(92))  # an older file, newer name
    copies = [layout.checkpoints / name for name in ("step-00000003-good.ckpt", "step-.ckpt")]
    for mine in copies:
        shutil.copy(layout.checkpoint(OLDER), mine)
    assert to_the_end(tiny(), root, dataset) == finished
    for number in (90, 91, 92):
        assert f"step-{number:08d}.ckpt" in caplog.text
    assert not any(stray.exists() for stray in strays)
    assert all(mine.exists() for mine in copies)
    assert steps_of(layout) == [STEPS, NEWER]


def killed(*_, **__):
    raise KeyboardInterrupt


def test_a_run_that_died_while_its_directory_was_made_is_no_stranger_there(
    dataset, tmp_path, monkeypatch
):
    """What it wrote first must not be taken for somebody else's files."""
    root = tmp_path / "run"
    for method in ("touch", "unlink"):
        shutil.rmtree(root, ignore_errors=True)
        with monkeypatch.context() as patch:
            patch.setattr(Path, method, killed)
            with pytest.raises(KeyboardInterrupt):
                next(run(tiny(), root, dataset))
        next(run(tiny(), root, dataset))
        assert not list(root.glob(TEMPORARY.format("*")))
