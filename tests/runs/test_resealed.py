"""A checkpoint that anybody made, with a right digest: its state is used as it is, or refused."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ssgan.config.serialize import dump
from ssgan.files.run_directory import RunDirectory
from ssgan.files.sealed_file import write_sealed
from ssgan.runs import checkpoint
from ssgan.runs.checkpoint import Damaged
from ssgan.runs.shapes import BUILDERS, require_shapes
from ssgan.runs.state import fresh_state
from ssgan.training.loop import train
from ssgan.training.resume import refuse_changes
from ssgan.types import NonFinite, UserError
from tests.files.mutants import MUTANTS, Bill, byte_mutants, json_mutants, require_one_line
from tests.training.tiny import images, stop_after, tiny

pytestmark = pytest.mark.slow

CPU, STEP = torch.device("cpu"), 3
CONFIG = tiny(total_steps=STEP + 1)


@pytest.fixture(scope="module")
def dataset():
    return images()


@pytest.fixture(scope="module")
def stopped(dataset, tmp_path_factory):
    root = tmp_path_factory.mktemp("resealed") / "run"
    stop_after(CONFIG, root, dataset, STEP)
    return root


@pytest.fixture
def layout(stopped, tmp_path):
    return RunDirectory(Path(shutil.copytree(stopped, tmp_path / "run")))


@pytest.fixture
def content(layout):
    """The tables in the file; "facts" as a dict."""
    found = checkpoint.unpack(checkpoint.read_verified(layout.checkpoint(STEP)))
    return {**found, "facts": json.loads(found["facts"])}


@pytest.fixture
def state(dataset):
    """Into which every mutant is loaded: whatever is taken from a file replaces all of it."""
    return fresh_state(CONFIG, dataset.num_classes, CPU)


def reseal(path, content):
    facts = content["facts"]
    checkpoint.write_tensors(path, facts, {k: v for k, v in content.items() if k != "facts"})


def use(layout, state, dataset):
    """Continue as a run does, and take a step; the checkpoint."""
    saved, _ = checkpoint.load_newest(layout)
    if saved is None:
        raise Damaged("passed over")
    refuse_changes(layout.root, saved.config, CONFIG)
    for name in BUILDERS:
        require_shapes(saved, name)
    checkpoint.restore(state, saved)
    for name in checkpoint.PARTS:
        table, own = saved.tensors[name], getattr(state, name).state_dict()
        wanted = table["state"] if "state" in own else table
        torch.testing.assert_close(
            own.get("state", own), wanted, rtol=0, atol=0, check_dtype=False, check_stride=False
        )
    for _ in train(replace(CONFIG, total_steps=saved.step + 1), dataset, state):
        pass
    return saved


def outcome(bill, layout, state, dataset, words):
    """Count what comes out of it: one line, or a state that is the one in the file."""
    try:
        saved = bill.read(lambda: use(layout, state, dataset))
    except (Damaged, UserError, NonFinite) as refusal:
        require_one_line(refusal)
        bill.count(type(refusal).__name__)
        return None
    except Exception as error:
        raise AssertionError(f"{words}: {type(error).__name__}") from error
    bill.count("used")
    return saved


def test_facts_of_anybodys_making_are_right_or_refused_in_a_line(
    layout, content, state, dataset, record_property
):
    path, facts, bill = layout.checkpoint(STEP), content["facts"], Bill()
    before = dump(checkpoint.load_checkpoint(path).config)
    for words, changed in json_mutants(facts):
        reseal(path, {**content, "facts": changed})
        saved = outcome(bill, layout, state, dataset, words)
        if saved is not None:
            assert dump(saved.config).keys() == before.keys(), words
            assert saved.step == STEP, words
    assert bill.outcomes["UserError"] > MUTANTS / 3
    bill.check(record_property, "facts")


def another_tensor(tensor, draw):
    """Something else in place of a tensor."""
    return draw.choice(
        [
            lambda: tensor.double() if tensor.is_floating_point() else tensor.float(),
            lambda: tensor.reshape(-1)[:-1].clone(),
            lambda: tensor.unsqueeze(0).clone(),
            lambda: torch.zeros(1).expand(2**33),
            lambda: torch.zeros(1).expand(tensor.shape) if tensor.dim() else torch.zeros(1),
            lambda: torch.full_like(tensor, float("nan") if tensor.is_floating_point() else 7),
            lambda: torch.full_like(tensor, -1),
            lambda: torch.zeros(tensor.shape, dtype=torch.complex64),
            lambda: torch.zeros(tensor.shape, dtype=torch.bool),
            lambda: torch.zeros(3, 3).to_sparse(),
            lambda: torch.empty(tensor.shape, device="meta"),
            *(lambda value=value: value for value in (None, 1, -2.5, "x", [], {}, [tensor])),
        ]
    )()


def places(table):
    """Every (table, key) at any depth."""
    pairs = table.items() if isinstance(table, dict) else enumerate(table)
    for key, value in list(pairs):
        yield table, key
        if isinstance(value, dict | list):
            yield from places(value)


def change_tensors(content, draw):
    """Change one place of the tables; what was done, in words."""
    spots = [(table, key) for table, key in places(content) if table is not content["facts"]]
    spots = [(t, k) for t, k in spots if k != "facts"]
    table, key = draw.choice(spots)
    way = draw.choice(["another", "another", "another", "remove", "rename", "number"])
    if way == "remove":
        del table[key]
    elif way == "rename" and isinstance(table, dict):
        table[draw.choice([f"{key}_", 7, -1, None])] = table.pop(key)
    elif isinstance(table[key], torch.Tensor):
        table[key] = another_tensor(table[key], draw)
    else:
        table[key] = draw.choice([None, 0, -1, 10**12, 2.5, float("nan"), "x", [], {}, True, [1]])
    return f"{way} {key!r}"


def test_a_checkpoint_of_anybodys_making_is_right_or_refused_in_a_line(
    layout, state, dataset, record_property
):
    path, bill = layout.checkpoint(STEP), Bill()
    payload = checkpoint.read_verified(path)
    for seed in range(MUTANTS):
        found = checkpoint.unpack(payload)
        found["facts"] = json.loads(found["facts"])
        words = f"seed {seed}: {change_tensors(found, random.Random(seed))}"
        try:
            reseal(path, found)
        except Exception:  # torch cannot save it
            bill.count("not written")
            continue
        outcome(bill, layout, state, dataset, words)
    assert bill.outcomes.get("not written", 0) < MUTANTS / 3
    assert bill.outcomes["UserError"] > MUTANTS / 3
    bill.check(record_property, "tensors")


def test_a_damaged_archive_with_a_right_digest_is_right_or_refused_in_a_line(
    layout, state, dataset, record_property
):
    """What is in it may be other numbers: that its author wanted."""
    path, bill = layout.checkpoint(STEP), Bill()
    payload = checkpoint.read_verified(path)
    for words, data in byte_mutants(payload):
        write_sealed(path, data)
        outcome(bill, layout, state, dataset, words)
    bill.check(record_property, "archives")
