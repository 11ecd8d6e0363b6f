"""Files that say they are larger, or more, than any checkpoint: refused before they are read."""

import json
import os
import struct

import pytest
import torch

from ssgan.files.run_directory import FORMAT_VERSION, RunDirectory
from ssgan.files.sealed_file import SealedFile
from ssgan.runs import checkpoint
from ssgan.runs.checkpoint import Damaged, find_state
from ssgan.runs.sampling import load_generator
from ssgan.types import UserError
from tests.runs.test_checkpoint import NEWER, OLDER, packed, sealed, zipped
from tests.training.tiny import images, stop_after, tiny, to_the_end

FACTS = {"facts": json.dumps({"format": FORMAT_VERSION})}
GIB = 2**30


@pytest.fixture(scope="module")
def dataset():
    return images()


@pytest.fixture
def layout(dataset, tmp_path):
    """A run with its two checkpoints."""
    stop_after(tiny(), tmp_path, dataset, OLDER)
    stop_after(tiny(), tmp_path, dataset, NEWER)
    return RunDirectory(tmp_path)


def sizes_said(payload, size):
    """An archive whose directory gives its members that size."""
    said = bytearray(payload)
    place = said.find(b"PK\x01\x02")
    while place >= 0:
        said[place + 20 : place + 28] = struct.pack("<LL", size, size)
        place = said.find(b"PK\x01\x02", place + 4)
    return bytes(said)


def long_directory(size):
    """An archive that is nothing but a directory."""
    return bytes(size) + b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 9, 9, size, 0, 0)


HOSTILE = {
    "compressed": (lambda: packed(zipped(FACTS)), "it is compressed"),
    "larger than the file": (
        lambda: sizes_said(zipped(FACTS), GIB),
        "its tensors are larger than the file",
    ),
    "a million names": (
        lambda: zipped({"facts": " " * 9 * 2**20}),
        "its index is larger than that of any network",
    ),
    "a long list": (lambda: long_directory(5 * 2**20), "is too long"),
    "no archive": (lambda: b"text" * 1000, "its list of tensors cannot be read"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_before_it_is_read(name, tmp_path, monkeypatch):
    payload, words = HOSTILE[name]
    path = tmp_path / "a.ckpt"
    sealed(path, payload())
    monkeypatch.setattr(SealedFile, "readall", None)
    with pytest.raises(UserError, match=rf"a.ckpt is damaged or not a checkpoint.*{words}[^\n]*$"):
        find_state(path)


@pytest.mark.parametrize("name", ["compressed", "larger than the file", "deep"])
def test_a_run_whose_newest_file_is_such_goes_on_from_the_older(name, layout, dataset, caplog):
    path = layout.checkpoint(NEWER)
    deep = zipped({"facts": "[" * 100_000})
    sealed(path, deep if name == "deep" else HOSTILE[name][0]())
    to_the_end(tiny(), layout.root, dataset)
    assert f"passed over: {path}" in caplog.text
    assert path.with_suffix(".damaged").exists()


@pytest.mark.parametrize("trailer", [b"", b"ssgan1" + bytes(32)])
def test_a_huge_file_costs_nothing(trailer, tmp_path, monkeypatch):
    """Without a trailer, and with one of zeros."""
    path = tmp_path / "huge.ckpt"
    with path.open("wb") as file:
        file.truncate(1000 * GIB)
        file.seek(0, os.SEEK_END)
        file.write(trailer)
    monkeypatch.setattr(SealedFile, "readall", None)
    with pytest.raises(UserError, match=r"huge.ckpt is .* not a checkpoint of ssgan"):
        find_state(path)


def test_a_whole_file_beyond_this_machine_is_told_and_left_alone(layout, monkeypatch):
    """A machine with more memory continues from it."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "sysconf", lambda name: 10)
        with pytest.raises(UserError, match=r"of memory: it cannot be read here"):
            checkpoint.load_newest(layout)
    assert checkpoint.load_newest(layout)[0].step == NEWER


def test_tensors_that_are_not_those_of_its_settings_are_told_in_a_line(layout):
    found = checkpoint.load_checkpoint(layout.checkpoint(NEWER))
    weights = found.tensors["generator_ema"]
    name = next(iter(weights))
    for wrong in (weights | {name: torch.zeros(1).expand(2**60)}, [], None):
        found.tensors["generator_ema"] = wrong
        with pytest.raises(UserError, match=r"does not fit generator_ema: [^\n]*$"):
            load_generator(found, torch.device("cpu"))


def test_a_checkpoint_of_the_largest_networks_is_far_below_the_bounds(tmp_path):
    """A thousand tensors in each part, as many as BigGAN has many times over, with long names."""
    tensors = {f"blocks.{n}.some.long.name.of.a.weight": torch.zeros(1) for n in range(1000)}
    parts = {part: dict(tensors) for part in checkpoint.PARTS}
    facts = {"classes": [f"class {n} with a long name" for n in range(1000)]}
    checkpoint.write_tensors(tmp_path / "a.ckpt", facts, parts)
    assert checkpoint.unpack(checkpoint.read_verified(tmp_path / "a.ckpt")).keys() > set(parts)
    with pytest.raises(Damaged, match="not a file"):
        checkpoint.read_verified(tmp_path)
